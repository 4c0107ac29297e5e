"""Hard negatives: what a teacher confuses with an answer, without what may be one."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from .ranking import EMPTY, Rows, Values

Flags = NDArray[np.bool_]
Draws = NDArray[np.float64]


@dataclass(frozen=True)
class Yield:
    """What became of the candidates: each is counted under the first rule that it meets.

    Attributes:
        candidates: All of them, positives included.
        own_document: In the document of one of the query's positives, which they are themselves.
        held_out: Kept for evaluation, or nearly the same as what is.
        near_duplicate: Nearly the text of a positive, found in another document.
        above_ceiling: Too close to the positive to be called wrong.
        kept: Negatives.
        spare: Good enough, but others were enough.
        short: Queries (not candidates) that got fewer negatives than wanted.
    """

    candidates: int = 0
    own_document: int = 0
    held_out: int = 0
    near_duplicate: int = 0
    above_ceiling: int = 0
    kept: int = 0
    spare: int = 0
    short: int = 0

    def __add__(self, other: "Yield") -> "Yield":
        """Add up the yields of two blocks of queries."""
        both = zip(vars(self).items(), vars(other).values(), strict=True)
        return Yield(**{name: mine + theirs for (name, mine), theirs in both})


@dataclass(frozen=True)
class Selection:
    """Negatives, hardest first, and what may be an answer: neither is the other.

    Attributes:
        negatives: (queries, count) passages, -1 where there are fewer.
        unknown: (queries, k) passages, best first, -1 where there are fewer.
        eligible: (queries,) how many candidates qualified.
        counts: What became of the candidates.
    """

    negatives: Rows
    unknown: Rows
    eligible: Rows
    counts: Yield


def select_negatives(
    candidates: Rows,
    scores: Values,
    positives: Rows,
    answers: Rows,
    *,
    ceilings: Draws,
    documents: Rows,
    clusters: Rows,
    is_allowed: Flags,
    count: int,
    draws: Draws | None = None,
) -> Selection:
    """Keep each query's hardest candidates that are unlikely to be answers themselves.

    A candidate survives if it scores at most the query's ceiling, is allowed, and is neither of a
    positive's document nor a near-duplicate of a positive. Where fewer than `count` survive there
    are fewer: the rest is never filled up at random.

    What is not pushed away as a negative may still be met as another query's passage. `unknown`
    names what must then be left alone: allowed candidates that lie above the ceiling, belong to
    the document of a positive, or nearly repeat one.

    Args:
        candidates: (queries, k) passages, best first, -1 where there are fewer.
        scores: (queries, k) the teacher's scores of them.
        positives: (queries, p) the passages each query is trained on, -1 where there are fewer.
        answers: (queries, a) all passages that may answer it, these among them.
        ceilings: (queries,) the highest score of a negative, from `find_ceilings`.
        documents: (passages,) document of each passage.
        clusters: (passages,) a number for each cluster of near-duplicates.
        is_allowed: (passages,) whether a passage may be trained on.
        count: Negatives wanted per query.
        draws: (queries, k) random numbers: of those that survive, the `count` with the lowest
            are taken. Without it, the hardest.

    Returns:
        Negatives, what is unknown, and the yield of each rule.

    >>> selection = select_negatives(
    ...     np.array([[0, 1, 2, 3]]), np.array([[0.9, 0.89, 0.6, 0.5]], dtype=np.float32),
    ...     np.array([[0]]), np.array([[0]]), ceilings=np.array([0.855]), documents=np.arange(4),
    ...     clusters=np.arange(4), is_allowed=np.ones(4, dtype=bool), count=1)
    >>> selection.negatives, selection.unknown
    (array([[2]]), array([[ 1, -1, -1, -1]]))
    """
    is_candidate = candidates != EMPTY
    is_own = _shares(candidates, positives, documents)
    is_held_out = ~is_allowed[candidates]
    is_near = _shares(candidates, answers, clusters)
    is_above = scores > ceilings[:, None]

    is_eligible = is_candidate & ~(is_own | is_held_out | is_near | is_above)
    is_positive = _shares(candidates, positives, np.arange(len(documents)))
    may_answer = is_own | is_near | is_above
    is_unknown = is_candidate & may_answer & ~is_positive & ~is_held_out

    is_taken = is_eligible if draws is None else is_eligible & _lowest(draws, is_eligible, count)
    negatives = _first(candidates, is_taken, count)
    kept = np.count_nonzero(negatives != EMPTY, axis=1)
    left = is_candidate
    met = []
    for rule in (is_own, is_held_out, is_near, is_above):
        met.append(int(np.count_nonzero(left & rule)))
        left = left & ~rule
    own_document, held_out, near_duplicate, above_ceiling = met
    counts = Yield(
        candidates=int(np.count_nonzero(is_candidate)),
        own_document=own_document,
        held_out=held_out,
        near_duplicate=near_duplicate,
        above_ceiling=above_ceiling,
        kept=int(kept.sum()),
        spare=int(np.count_nonzero(left) - kept.sum()),
        short=int(np.count_nonzero(kept < count)),
    )
    unknown = _first(candidates, is_unknown, candidates.shape[1])
    return Selection(negatives, unknown, np.count_nonzero(is_eligible, axis=1), counts)


def find_ceilings(
    positives: Rows, scores: Values, max_ratio: float | None, background: float = 0.0
) -> Draws:
    """Return the highest score that a negative of each query may have, (queries,).

    `p - (1 - max_ratio) * |p|`, where p is the query's lowest-scored positive: TopK-PercPos of
    NV-Retriever (arXiv:2407.15831), which compares with one positive and assumes that scores are
    positive. |p| keeps the ceiling below the positive where its score is negative.

    A ratio of scores means another thing to every model: where unrelated texts have a cosine of
    .7, as in models trained at a low temperature, a ratio of .95 rejects nearly everything. So
    scores can be counted from the model's own zero, its mean score of unrelated texts.

    Args:
        positives: (queries, p) the passages that answer each query, -1 where there are fewer.
        scores: (queries, p) the teacher's scores of them.
        max_ratio: Ceiling of a negative's score, as a fraction of its positive's; None for none.
        background: Score that counts as zero.

    Raises:
        ValueError: a query has no positive.

    >>> p, s = np.array([[0, 1]]), np.array([[0.9, 0.8]], dtype=np.float32)
    >>> find_ceilings(p, s, 0.95).round(3), find_ceilings(p, s, 0.95, background=0.6).round(3)
    (array([0.76]), array([0.79]))
    """
    known = np.where(positives == EMPTY, np.inf, scores.astype(np.float64))
    lowest = known.min(axis=1, initial=np.inf)
    if np.isinf(lowest).any():
        query = int(np.isinf(lowest).argmax())
        raise ValueError(f"Query {query} has no scored positive; there is nothing to compare with.")
    if max_ratio is None:
        return np.full(len(lowest), np.inf)
    ceilings: Draws = lowest - (1 - max_ratio) * np.abs(lowest - background)
    return ceilings


def rank_positives(
    candidates: Rows,
    scores: Values,
    positives: Rows,
    positive_scores: Values,
    answers: Rows,
    *,
    documents: Rows,
    clusters: Rows,
) -> Rows:
    """Return the rank, from 1, of each query's best positive among passages that may not answer.

    Where it scores below all k candidates nothing is known but that, and k + 1 is returned.

    Args:
        candidates: (queries, k) passages, best first, -1 where there are fewer.
        scores: (queries, k) the teacher's scores of them.
        positives: (queries, p) the passages that answer each query, -1 where there are fewer.
        positive_scores: (queries, p) the teacher's scores of them.
        answers: (queries, a) all passages that may answer.
        documents: (passages,) document of each passage.
        clusters: (passages,) a number for each cluster of near-duplicates.
    """
    best = np.where(positives == EMPTY, -np.inf, positive_scores).max(axis=1)
    is_other = _is_other(candidates, answers, documents, clusters)
    better = 1 + np.count_nonzero(is_other & (scores > best[:, None]), axis=1)
    is_beyond = (candidates[:, -1:] != EMPTY).any(axis=1) & (best < scores[:, -1:].max(axis=1))
    ranks: Rows = np.where(is_beyond, candidates.shape[1] + 1, better)
    return ranks


def find_rivals(
    candidates: Rows, scores: Values, answers: Rows, *, documents: Rows, clusters: Rows
) -> Draws:
    """Return the score of the best candidate that is not known to answer, (queries,)."""
    is_other = _is_other(candidates, answers, documents, clusters)
    rivals: Draws = np.where(is_other, scores, -np.inf).max(axis=1, initial=-np.inf)
    return rivals


def draw_negatives(
    answers: Rows,
    unknown: Rows,
    taken: Rows,
    *,
    documents: Rows,
    clusters: Rows,
    is_allowed: Flags,
    count: int,
    seeds: NDArray[np.uint64],
) -> Rows:
    """Draw passages at random for each query: (queries, count), -1 where there are fewer.

    None may answer as far as is known: none of an answer's document or cluster, none that is
    unknown; and none that is a negative already.

    Args:
        answers: (queries, a) all passages that may answer each query, -1 where there are fewer.
        unknown: (queries, k) passages that may answer, -1 where there are fewer.
        taken: (queries, n) negatives there are, -1 where there are fewer.
        documents: (passages,) document of each passage.
        clusters: (passages,) a number for each cluster of near-duplicates.
        is_allowed: (passages,) whether a passage may be trained on.
        count: Passages wanted per query.
        seeds: (queries,) decides each query's draw, whatever the others are.
    """
    allowed = np.flatnonzero(is_allowed)
    drawn = np.full((len(answers), count), EMPTY, dtype=np.int64)
    for query, seed in enumerate(seeds if count else ()):
        own = answers[query][answers[query] != EMPTY]
        barred = np.concatenate([unknown[query], taken[query]])
        # some that are drawn are barred: mostly a few, in a corpus of one large document nearly all
        for most in (min(len(allowed), count + len(barred) + 16), len(allowed)):
            chosen = np.random.default_rng(seed).choice(len(allowed), most, replace=False)
            found = allowed[chosen]
            is_barred = np.isin(documents[found], documents[own])
            is_barred |= np.isin(clusters[found], clusters[own]) | np.isin(found, barred)
            good = found[~is_barred][:count]
            if len(good) == count:
                break
        drawn[query, : len(good)] = good
    return drawn


def _is_other(candidates: Rows, answers: Rows, documents: Rows, clusters: Rows) -> Flags:
    """Tell which candidates are neither of an answer's document nor its near-duplicate."""
    is_known = _shares(candidates, answers, documents) | _shares(candidates, answers, clusters)
    is_other: Flags = (candidates != EMPTY) & ~is_known
    return is_other


def _shares(candidates: Rows, positives: Rows, labels: Rows) -> Flags:
    """Tell which candidates have the label of a positive of their query: (queries, k)."""
    span = int(labels.max(initial=0)) + 1
    offsets = np.arange(len(candidates))[:, None] * span
    wanted = (offsets + labels[positives])[positives != EMPTY]
    is_shared: Flags = np.isin(offsets + labels[candidates], wanted) & (candidates != EMPTY)
    return is_shared


def _lowest(draws: Draws, is_eligible: Flags, count: int) -> Flags:
    """Tell which of the eligible have the `count` lowest draws of their query."""
    order = np.argsort(np.where(is_eligible, draws, np.inf), axis=1, kind="stable")[:, :count]
    is_lowest = np.zeros(draws.shape, dtype=bool)
    np.put_along_axis(is_lowest, order, True, axis=1)
    return is_lowest


def _first(candidates: Rows, is_chosen: Flags, count: int) -> Rows:
    """Return the first `count` chosen candidates of each query, -1 where there are fewer."""
    order = np.argsort(~is_chosen, axis=1, kind="stable")[:, :count]
    found = np.where(
        np.take_along_axis(is_chosen, order, axis=1),
        np.take_along_axis(candidates, order, axis=1),
        EMPTY,
    )
    return np.pad(found, ((0, 0), (0, count - found.shape[1])), constant_values=EMPTY)
