"""mine: hard negatives for every training pair; the cheap half of mining, re-run at will."""

import logging
from dataclasses import asdict
from typing import TYPE_CHECKING, Any, NamedTuple

from pydantic import Field

from .config import Config
from .contracts import Candidates, Corpus, Pairs, Triplets, batched_rows
from .stage import stage
from .tables import Passages, find_copies, read_passages, read_queries

if TYPE_CHECKING:
    import numpy as np

    from .core.negatives import Yield

logger = logging.getLogger(__name__)


class MineConfig(Config):
    """How hard negatives are chosen among the candidates."""

    negatives_per_query: int = Field(default=7, ge=0)
    """Negatives kept per query, hardest first; fewer where fewer qualify."""
    max_ratio: float = Field(default=0.95, gt=0, le=1)
    """Ceiling of a negative's score, as a fraction of its positive's (NV-Retriever,
    arXiv:2407.15831). It does not carry over from one teacher to another: watch the yield."""


@stage
def mine(corpus: Corpus, pairs: Pairs, candidates: Candidates, config: MineConfig) -> Triplets:
    """Keep each query's hardest candidates that are unlikely to be answers.

    A query that all passages of a document answer, as human judgments of documents have it, gets
    one row per document, with the passage of it that the teacher scores best: that is the one
    which answers. Passages of documents that a dev or test query asks for, and their copies
    elsewhere, are never negatives.

    Among the facts, `false_negative_rate` is the share of passages above the ceiling among those
    met on the way down to the negatives kept: what plain top-k mining would have pushed away
    although the teacher finds it about as good as the answer. It is an upper bound, of the false
    negatives avoided, not of those that remain: where the teacher misses the answer itself, all
    that it ranks higher counts.

    Args:
        corpus: Passages.
        pairs: Queries and what answers them.
        candidates: What the teacher found.
        config: How many negatives and how hard.
    """
    import numpy as np

    from .core.negatives import select_negatives

    passages = read_passages(corpus)
    held_out = [
        passages.documents[answer.row]
        for query in read_queries(pairs, passages, {"dev", "test"})
        for answer in query.answers
    ]
    copies = sorted(find_copies(corpus, {passages.document_ids[number] for number in held_out}))
    found = _read_candidates(candidates, passages)
    selection = select_negatives(
        found.rows,
        found.scores,
        found.positives,
        found.positive_scores,
        documents=passages.documents,
        texts=_number_texts(corpus),
        is_allowed=~(np.isin(passages.documents, held_out) | np.isin(passages.ids, copies)),
        count=config.negatives_per_query,
        max_ratio=config.max_ratio,
    )
    rows = _tabulate(found, selection.negatives, selection.unknown, passages)
    facts = _facts(selection.counts, len(found.query_ids))
    logger.info(
        "kept %d negatives for %d queries of %d candidates; left out: %d of the own document, %d "
        "held out, %d with a positive's text, %d above the ceiling; %d queries got fewer than %d",
        *(facts[name] for name in ("kept", "queries", "candidates", "own_document", "held_out")),
        *(facts[name] for name in ("same_text", "above_ceiling", "short")),
        config.negatives_per_query,
    )
    return Triplets.write(corpus.root, rows, facts=facts)


class _Found(NamedTuple):
    """Candidates and positives by corpus row; -1 and -inf where there are fewer."""

    query_ids: list[str]
    rows: "np.ndarray"  # (queries, k)
    scores: "np.ndarray"
    positives: "np.ndarray"  # (queries, p), one per document
    positive_scores: "np.ndarray"


def _read_candidates(candidates: Candidates, passages: Passages) -> _Found:
    query_ids, found, found_scores, own, own_scores = [], [], [], [], []
    for query_id, ids, scores, positive_ids, positive_scores in batched_rows(
        candidates.read(), Candidates.columns.names
    ):
        query_ids.append(query_id)
        found.append([passages.rows[passage_id] for passage_id in ids])
        found_scores.append(scores)
        best: dict[int, tuple[float, int]] = {}
        for passage_id, score in zip(positive_ids, positive_scores, strict=True):
            row = passages.rows[passage_id]
            document = int(passages.documents[row])
            if document not in best or score > best[document][0]:
                best[document] = score, row
        own.append([row for _, row in best.values()])
        own_scores.append([score for score, _ in best.values()])
    return _Found(
        query_ids,
        _pad(found, "int64", -1),
        _pad(found_scores, "float32", float("-inf")),
        _pad(own, "int64", -1),
        _pad(own_scores, "float32", float("-inf")),
    )


def _pad(lists: list[list[Any]], kind: str, filling: float) -> "np.ndarray":
    import numpy as np

    padded = np.full((len(lists), max(map(len, lists), default=0)), filling, dtype=kind)
    for row, values in enumerate(lists):
        padded[row, : len(values)] = values
    return padded


def _number_texts(corpus: Corpus) -> "np.ndarray":
    """Number distinct texts, (passages,); case and spacing do not make a text another one."""
    import numpy as np

    numbers: dict[str, int] = {}
    texts = corpus.read().column("text").to_pylist()
    bare = [" ".join(text.casefold().split()) for text in texts]
    return np.array([numbers.setdefault(text, len(numbers)) for text in bare], dtype=np.int64)


def _tabulate(
    found: _Found, negatives: "np.ndarray", unknown: "np.ndarray", passages: Passages
) -> list[dict[str, Any]]:
    def name(rows: "np.ndarray") -> list[str]:
        return [passages.ids[row] for row in rows if row >= 0]

    return [
        {
            "query_id": query_id,
            "passage_id": positive,
            "negative_ids": name(negatives[number]),
            "unknown_ids": name(unknown[number]),
        }
        for number, query_id in enumerate(found.query_ids)
        for positive in name(found.positives[number])
    ]


def _facts(counts: "Yield", queries: int) -> dict[str, Any]:
    met = counts.above_ceiling + counts.kept
    return {
        "queries": queries,
        **asdict(counts),
        "false_negative_rate": round(counts.above_ceiling / met, 4) if met else 0.0,
    }
