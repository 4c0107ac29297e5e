"""The questions that systems are scored on, and how what they find becomes rows of Scores."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from .contracts import GENERAL, BurnishError, Corpus, Pairs
from .core.metrics import RECALL_DEPTH, average_precision, mrr, ndcg, recall
from .core.ranking import EMPTY, Rows, Values, look_up_grades, rank_documents, rescore
from .core.statistics import bootstrap_means
from .core.text import mask
from .tables import AskedQuery, Passages, read_passages, read_queries

if TYPE_CHECKING:
    from numpy.typing import NDArray


@dataclass(frozen=True)
class System:
    """One row of the table: one cell of a model, or BM25, and its values per query."""

    name: str
    layer: int
    pooling: str
    dimension: int
    cost: float
    values: Mapping[str, "NDArray[np.float64]"]  # (queries,) by metric


@dataclass(frozen=True, eq=False)
class Benchmark:
    """Queries over a whole corpus.

    Attributes:
        passages: What is searched.
        questions: Texts of the queries, ordered by id.
        groups: Split and origin (as in Scores) with the numbers of their queries.
        judged: (queries, most) documents that answer each query, -1 where there are fewer.
        grades: (queries, most) how well.
        hidden_queries: (hidden,) ascending: queries that were cut out of a passage.
        hidden_rows: (hidden,) that passage.
        hidden_texts: What remains of it for that query.
    """

    passages: Passages
    questions: list[str]
    groups: list[tuple[tuple[str, str], Rows]]
    judged: Rows
    grades: Rows
    hidden_queries: Rows
    hidden_rows: Rows
    hidden_texts: list[str]

    def measure(
        self, rows: Rows, scores: Values, hidden: Values
    ) -> dict[str, "NDArray[np.float64]"]:
        """Return every metric's value per query, (queries,).

        Args:
            rows: (queries, k) passages found, best first, -1 for none.
            scores: (queries, k) their scores.
            hidden: (hidden,) scores of what remains of passages that queries were cut out of.
        """
        rows, _ = rescore(rows, scores, self.hidden_queries, self.hidden_rows, hidden)
        ranking = rank_documents(rows, self.passages.documents, RECALL_DEPTH)
        ranked = look_up_grades(ranking, self.judged, self.grades)
        return {
            "ndcg@10": ndcg(ranked, self.grades, 10),
            "recall@100": recall(ranked, self.grades, 100),
            "mrr@10": mrr(ranked, 10),
            "map@100": average_precision(ranked, self.grades, 100),
        }

    def count(self) -> dict[str, int]:
        """Count the questions of each group, `test human` say."""
        return {" ".join(group): len(numbers) for group, numbers in self.groups}

    def tabulate(
        self, systems: Sequence[System], *, resamples: int, seed: int
    ) -> list[dict[str, Any]]:
        """Return rows of Scores: each system by split, origin, and metric, with its interval."""
        rows = []
        for (split, origin), numbers in self.groups:
            series = [
                (system, metric, values[numbers])
                for system in systems
                for metric, values in system.values.items()
            ]
            intervals = bootstrap_means(
                np.stack([values for _, _, values in series]), resamples=resamples, seed=seed
            )
            for (system, metric, values), interval in zip(series, intervals, strict=True):
                rows.append(
                    {
                        "system": system.name,
                        "layer": system.layer,
                        "pooling": system.pooling,
                        "dimension": system.dimension,
                        "split": split,
                        "origin": origin,
                        "metric": metric,
                        **interval._asdict(),
                        "cost": system.cost,
                        "values": values.tolist(),
                    }
                )
        return rows


def read_benchmark(corpus: Corpus, pairs: Pairs) -> Benchmark:
    """Read the dev and test queries and what answers them.

    Raises:
        BurnishError: there are none.
    """
    passages = read_passages(corpus)
    queries = read_queries(pairs, passages, {"dev", "test"})
    if not queries:
        raise BurnishError(
            f"Pairs {pairs.fingerprint} hold no dev or test query, so no model can be scored. "
            "Give judged questions, or more documents, or raise --synthesize.dev-fraction and "
            "--synthesize.test-fraction."
        )
    return make_benchmark(passages, queries)


def make_benchmark(passages: Passages, queries: Sequence[AskedQuery]) -> Benchmark:
    """Make a benchmark of passages and queries, at least one, ordered by id."""
    judged, grades = _judge(queries, passages)
    hidden = [
        (number, answer.row, mask(passages.texts[answer.row], answer.masked))
        for number, query in enumerate(queries)
        for answer in query.answers
        if answer.masked
    ]
    return Benchmark(
        passages=passages,
        questions=[query.text for query in queries],
        groups=_group(queries),
        judged=judged,
        grades=grades,
        hidden_queries=np.array([number for number, _, _ in hidden], dtype=np.int64),
        hidden_rows=np.array([row for _, row, _ in hidden], dtype=np.int64),
        hidden_texts=[text for _, _, text in hidden],
    )


def _judge(queries: Sequence[AskedQuery], passages: Passages) -> tuple[Rows, Rows]:
    """Return the documents that answer each query and their grades: that of the best passage."""
    best: list[dict[int, int]] = []
    for query in queries:
        grades: dict[int, int] = {}
        for answer in query.answers:
            document = int(passages.documents[answer.row])
            grades[document] = max(grades.get(document, 0), answer.relevance)
        best.append(grades)
    shape = len(queries), max(map(len, best))
    judged, found = np.full(shape, EMPTY, dtype=np.int64), np.zeros(shape, dtype=np.int64)
    for number, grades in enumerate(best):
        judged[number, : len(grades)] = list(grades)
        found[number, : len(grades)] = list(grades.values())
    return judged, found


def _group(queries: Sequence[AskedQuery]) -> list[tuple[tuple[str, str], Rows]]:
    groups: dict[tuple[str, str], list[int]] = {}
    for number, query in enumerate(queries):
        origin = query.origin if query.origin in {"human", GENERAL} else "synthetic"
        groups.setdefault((query.split, origin), []).append(number)
    return [(key, np.array(groups[key], dtype=np.int64)) for key in sorted(groups)]
