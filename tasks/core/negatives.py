"""Hard negatives: what a teacher confuses with an answer, without what may be one."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from .ranking import EMPTY, Rows, Values

Flags = NDArray[np.bool_]


@dataclass(frozen=True)
class Yield:
    """What became of the candidates: each is counted under the first rule that it meets.

    Attributes:
        candidates: All of them, positives included.
        own_document: In the document of one of the query's positives, which they are themselves.
        held_out: In a document that is kept for evaluation.
        same_text: The text of a positive, found in another document.
        above_ceiling: Too close to the positive to be called wrong.
        kept: Negatives.
        spare: Good enough, but harder ones were enough.
        short: Queries (not candidates) that got fewer negatives than wanted.
    """

    candidates: int
    own_document: int
    held_out: int
    same_text: int
    above_ceiling: int
    kept: int
    spare: int
    short: int


@dataclass(frozen=True)
class Selection:
    """Negatives, hardest first, and what may be an answer: neither is the other.

    Attributes:
        negatives: (queries, count) passages, -1 where there are fewer.
        unknown: (queries, k) passages, best first, -1 where there are fewer.
        counts: What became of the candidates.
    """

    negatives: Rows
    unknown: Rows
    counts: Yield


def select_negatives(
    candidates: Rows,
    scores: Values,
    positives: Rows,
    positive_scores: Values,
    *,
    documents: Rows,
    texts: Rows,
    is_allowed: Flags,
    count: int,
    max_ratio: float,
) -> Selection:
    """Keep each query's hardest candidates that are unlikely to be answers themselves.

    A candidate survives if it scores at most `positive - (1 - max_ratio) * |positive|`, where the
    positive is the lowest-scored one of the query: TopK-PercPos of NV-Retriever
    (arXiv:2407.15831), which compares with one positive and assumes positive scores. It must also
    be in a document that is allowed and holds no positive, and must not repeat the text of one.
    Where fewer than `count` survive there are fewer: a random passage teaches nothing.

    What is not pushed away as a negative may still be met as another query's passage. `unknown`
    names what must then be left alone: allowed candidates that lie above the ceiling, belong to
    the document of a positive, or have its text.

    Args:
        candidates: (queries, k) passages, best first, -1 where there are fewer.
        scores: (queries, k) the teacher's scores of them.
        positives: (queries, p) the passages that answer each query, -1 where there are fewer.
        positive_scores: (queries, p) the teacher's scores of them.
        documents: (passages,) document of each passage.
        texts: (passages,) a number for each distinct text.
        is_allowed: (passages,) whether a passage may be trained on.
        count: Negatives wanted per query.
        max_ratio: Ceiling of a negative's score, as a fraction of its positive's.

    Returns:
        Negatives, what is unknown, and the yield of each rule.

    Raises:
        ValueError: a query has no positive.

    >>> selection = select_negatives(
    ...     np.array([[0, 1, 2, 3]]), np.array([[0.9, 0.89, 0.6, 0.5]], dtype=np.float32),
    ...     np.array([[0]]), np.array([[0.9]], dtype=np.float32), documents=np.arange(4),
    ...     texts=np.arange(4), is_allowed=np.ones(4, dtype=bool), count=1, max_ratio=0.95)
    >>> selection.negatives, selection.unknown
    (array([[2]]), array([[ 1, -1, -1, -1]]))
    """
    is_candidate = candidates != EMPTY
    is_own = _shares(candidates, positives, documents)
    is_held_out = ~is_allowed[candidates]
    is_same = _shares(candidates, positives, texts)
    is_above = scores > _ceilings(positives, positive_scores, max_ratio)[:, None]

    is_eligible = is_candidate & ~(is_own | is_held_out | is_same | is_above)
    is_positive = _shares(candidates, positives, np.arange(len(documents)))
    may_answer = is_own | is_same | is_above
    is_unknown = is_candidate & may_answer & ~is_positive & ~is_held_out

    negatives = _first(candidates, is_eligible, count)
    kept = np.count_nonzero(negatives != EMPTY, axis=1)
    left = is_candidate
    met = []
    for rule in (is_own, is_held_out, is_same, is_above):
        met.append(int(np.count_nonzero(left & rule)))
        left = left & ~rule
    own_document, held_out, same_text, above_ceiling = met
    counts = Yield(
        candidates=int(np.count_nonzero(is_candidate)),
        own_document=own_document,
        held_out=held_out,
        same_text=same_text,
        above_ceiling=above_ceiling,
        kept=int(kept.sum()),
        spare=int(np.count_nonzero(left) - kept.sum()),
        short=int(np.count_nonzero(kept < count)),
    )
    return Selection(negatives, _first(candidates, is_unknown, candidates.shape[1]), counts)


def _ceilings(positives: Rows, scores: Values, max_ratio: float) -> NDArray[np.float64]:
    known = np.where(positives == EMPTY, np.inf, scores.astype(np.float64))
    lowest = known.min(axis=1, initial=np.inf)
    if np.isinf(lowest).any():
        query = int(np.isinf(lowest).argmax())
        raise ValueError(f"Query {query} has no scored positive; there is nothing to compare with.")
    # |s| keeps the ceiling below the positive even where its score is negative.
    ceilings: NDArray[np.float64] = lowest - (1 - max_ratio) * np.abs(lowest)
    return ceilings


def _shares(candidates: Rows, positives: Rows, labels: Rows) -> Flags:
    """Tell which candidates have the label of a positive of their query: (queries, k)."""
    span = int(labels.max(initial=0)) + 1
    offsets = np.arange(len(candidates))[:, None] * span
    wanted = (offsets + labels[positives])[positives != EMPTY]
    is_shared: Flags = np.isin(offsets + labels[candidates], wanted) & (candidates != EMPTY)
    return is_shared


def _first(candidates: Rows, is_chosen: Flags, count: int) -> Rows:
    """Return the first `count` chosen candidates of each query, -1 where there are fewer."""
    order = np.argsort(~is_chosen, axis=1, kind="stable")[:, :count]
    found = np.where(
        np.take_along_axis(is_chosen, order, axis=1),
        np.take_along_axis(candidates, order, axis=1),
        EMPTY,
    )
    return np.pad(found, ((0, 0), (0, count - found.shape[1])), constant_values=EMPTY)
