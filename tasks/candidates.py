"""The search for training queries: what the teacher finds, and what its scores mean."""

from collections.abc import Callable, Iterator
from itertools import accumulate
from typing import TYPE_CHECKING, Any

from .core.splits import draw
from .kept_hits import Asked, KeptHits
from .progress import progress
from .tables import Answer, AskedQuery, Passages

if TYPE_CHECKING:
    import numpy as np
    import pyarrow as pa

    from .core.encoder import Kind
    from .core.index import Index

Embed = Callable[[list[str], "Kind", str], "np.ndarray"]  # texts, kind, what for

QUERIES_PER_BLOCK = 4096
ROWS_PER_BLOCK = 65536


class Search:
    """The search for all queries, block by block, so that memory does not grow with them."""

    def __init__(
        self,
        index: "Index",
        asked: "np.ndarray",
        queries: list[AskedQuery],
        passages: Passages,
        vectors: Embed,
        kept: KeptHits,
        *,
        depth: int,
        planted: int,
    ) -> None:
        """Score what is in no corpus: answers with a span hidden, and planted ones.

        Args:
            index: The corpus.
            asked: (queries, dimension) float32.
            queries: What is asked.
            passages: What is searched.
            vectors: Embeds further texts.
            kept: The hits of earlier searches.
            depth: Passages wanted per query.
            planted: Queries for which an answer is planted.
        """
        self._index, self._asked, self._passages = index, asked, passages
        self._queries, self._depth, self._kept = queries, depth, kept
        self._found = 0
        self._background = measure_background(asked, index.vectors)
        answers = [
            (number, answer) for number, query in enumerate(queries) for answer in query.answers
        ]
        self._hidden = _score(
            [
                (number, place, mask_answer(passages, answer))
                for place, (number, answer) in enumerate(answers)
                if answer.masked
            ],
            asked, vectors, "embedding passages with the answer hidden",
        )  # fmt: skip
        chosen = sorted(range(len(queries)), key=lambda n: draw("planted", queries[n].query_id))
        starts = [0, *accumulate(len(query.answers) for query in queries)]
        self._planted = _score(
            [
                (n, n, plant_answer(passages, queries[n], self._best_answer(n, starts[n])))
                for n in chosen[:planted]
            ],
            asked, vectors, "embedding planted answers",
        )  # fmt: skip

    def run(self) -> "Iterator[pa.Table]":
        """Yield candidates, a table per block of queries."""
        texts = [query.text for query in self._queries]
        with progress("searching", len(texts), "queries") as advance:
            asked = Asked(texts, self._asked, self._passages.texts)
            self._kept.search(self._index, asked, self._depth, advance=advance)
        place = 0
        for start in range(0, len(texts), QUERIES_PER_BLOCK):
            part = slice(start, start + QUERIES_PER_BLOCK)
            rows, scores = self._kept.read(part)
            queries = self._queries[part]
            positives = self._score_positives(start, queries, place)
            place += len(positives)
            planted = [self._planted.get(start + number) for number in range(len(queries))]
            self._found += _count_found(rows, queries, self._passages)
            yield _tabulate(queries, self._passages, rows, scores, positives, planted)

    def tell(self) -> dict[str, Any]:
        """Tell what was found."""
        return {
            "queries": len(self._queries),
            "depth": self._depth,
            "index": self._kept.facts,
            "work": {"searches": self._kept.work},
            "background": round(self._background, 6),
            "queries_with_own_document": self._found,
        }

    def _best_answer(self, number: int, place: int) -> Answer:
        """Of a judged document the passage that scores best: that is the one which answers."""
        query = self._queries[number]
        return query.answers[int(self._score_positives(number, [query], place).argmax())]

    def _score_positives(self, start: int, queries: list[AskedQuery], place: int) -> "np.ndarray":
        """Score some queries' answers in order: (their answers,) float32.

        A query that was cut out of its passage would score it too high, and so would the ceiling
        that negatives stay below; the passage is scored with the span hidden, as the model is to
        see it.
        """
        import numpy as np

        answers = [
            (start + number, answer.row)
            for number, query in enumerate(queries)
            for answer in query.answers
        ]
        numbers, rows = np.array(answers, dtype=np.int64).reshape(-1, 2).T
        scores = np.empty(len(rows), dtype=np.float32)
        for begin in range(0, len(rows), ROWS_PER_BLOCK):
            part = slice(begin, begin + ROWS_PER_BLOCK)
            found = self._index.score(self._asked[numbers[part]], rows[part, None])
            scores[part] = found[:, 0]
        for offset in range(len(scores)):
            scores[offset] = self._hidden.get(place + offset, scores[offset])
        return scores


def measure_background(asked: "np.ndarray", vectors: "np.ndarray") -> float:
    """Return the mean score of all queries with all passages, hardly any of which answers.

    It is the score of their mean vectors.

    Args:
        asked: (queries, dimension).
        vectors: (passages, dimension).
    """
    return float(_mean(asked) @ _mean(vectors))


def _mean(vectors: "np.ndarray") -> "np.ndarray":
    import numpy as np

    from .core.mapped import release

    total = np.zeros(vectors.shape[1])
    for start in range(0, len(vectors), ROWS_PER_BLOCK):
        total += vectors[start : start + ROWS_PER_BLOCK].sum(axis=0, dtype="f8")
        release(vectors)
    mean: np.ndarray = total / len(vectors)
    return mean


def mask_answer(passages: Passages, answer: Answer) -> str:
    """Return what is seen of a passage where the span a query was cut out of is hidden."""
    from .core.text import mask

    return mask(passages.texts[answer.row], answer.masked)


def plant_answer(passages: Passages, query: AskedQuery, answer: Answer) -> str:
    """Return a text that answers the query as the passage does, not in its words."""
    from .core.planting import plant

    text = passages.texts[answer.row]
    return plant(text, answer.masked or (query.text if query.text in text else ""), query.query_id)


def _score(
    texts: list[tuple[int, int, str]],
    asked: "np.ndarray",
    vectors: Embed,
    what: str,
) -> dict[int, float]:
    """Score texts that are in no corpus, each given with its query's number and its own name."""
    import numpy as np

    from .core.index import inner_products

    seen = vectors([text for _, _, text in texts], "document", what)
    numbers = np.array([number for number, _, _ in texts], dtype=np.int64)
    scores = [
        inner_products(asked[numbers[part]], seen[part][:, None])[:, 0]
        for part in (
            slice(start, start + QUERIES_PER_BLOCK)
            for start in range(0, len(texts), QUERIES_PER_BLOCK)
        )
    ]
    joined = np.concatenate([np.empty(0, dtype=np.float32), *scores]).tolist()
    return {name: score for (_, name, _), score in zip(texts, joined, strict=True)}


def _count_found(rows: "np.ndarray", queries: list[AskedQuery], passages: Passages) -> int:
    """Count the queries whose candidates hold a passage of a document that answers them."""
    import numpy as np

    documents = np.where(rows < 0, -1, passages.documents[rows])
    return sum(
        bool(np.isin(found, [passages.documents[answer.row] for answer in query.answers]).any())
        for found, query in zip(documents, queries, strict=True)
    )


def _tabulate(
    queries: list[AskedQuery],
    passages: Passages,
    rows: "np.ndarray",
    scores: "np.ndarray",
    positive_scores: "np.ndarray",
    planted_scores: list[float | None],
) -> "pa.Table":
    import numpy as np
    import pyarrow as pa

    found = passages.name(rows)
    own = [answer.row for query in queries for answer in query.answers]
    own_ends = np.cumsum([0, *(len(query.answers) for query in queries)])

    def lists(ends: "np.ndarray | pa.Array", values: "np.ndarray | pa.Array") -> pa.ListArray:
        return pa.ListArray.from_arrays(pa.array(ends, pa.int32()), pa.array(values))

    return pa.table(
        {
            "query_id": [query.query_id for query in queries],
            "passage_ids": found,
            "scores": lists(found.offsets, scores[rows >= 0]),
            "positive_ids": lists(own_ends, passages.names.take(pa.array(own, pa.int64()))),
            "positive_scores": lists(own_ends, positive_scores),
            "planted_scores": pa.array(
                [[] if score is None else [score] for score in planted_scores],
                pa.list_(pa.float32()),
            ),
        }
    )
