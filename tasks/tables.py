"""Tables as the stages work on them: passages by row, queries with what answers them."""

from collections.abc import Collection
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from .contracts import BurnishError, Corpus, Pairs, batched_rows

if TYPE_CHECKING:
    import numpy as np


@dataclass(frozen=True, eq=False)
class Passages:
    """The corpus by row.

    Attributes:
        ids: Passage ids.
        texts: What a model sees of each passage.
        documents: (passages,) int64, a number for each document, in the order of their ids.
        document_ids: The id behind each of these numbers.
        rows: The row of each passage id.
    """

    ids: list[str]
    texts: list[str]
    documents: "np.ndarray"
    document_ids: list[str]
    rows: dict[str, int]


@dataclass(frozen=True)
class Answer:
    """A passage that answers a query, how well, and what of it is hidden from the model."""

    row: int
    relevance: int
    masked: str


@dataclass(frozen=True)
class AskedQuery:
    """A query and the passages that answer it."""

    query_id: str
    text: str
    split: str
    origin: str
    answers: list[Answer] = field(default_factory=list)


def read_passages(corpus: Corpus) -> Passages:
    """Read the whole corpus, composed as models see it."""
    import numpy as np

    from .core.text import compose

    table = corpus.read()
    ids = table.column("passage_id").to_pylist()
    document_ids, documents = np.unique(
        np.array(table.column("document_id").to_pylist(), dtype=object), return_inverse=True
    )
    return Passages(
        ids=ids,
        texts=[compose(*parts) for parts in batched_rows(table, ("title", "section", "text"))],
        documents=documents.astype(np.int64),
        document_ids=list(document_ids),
        rows={passage_id: row for row, passage_id in enumerate(ids)},
    )


def read_queries(pairs: Pairs, passages: Passages, splits: Collection[str]) -> list[AskedQuery]:
    """Read the queries of some splits, ordered by id.

    Raises:
        BurnishError: a passage is not in the corpus: the two were not made for each other.
    """
    queries: dict[str, AskedQuery] = {}
    columns = ("query_id", "query", "passage_id", "relevance", "origin", "split", "masked")
    for query_id, text, passage_id, relevance, origin, split, masked in batched_rows(
        pairs.read(), columns
    ):
        if split not in splits:
            continue
        if passage_id not in passages.rows:
            raise BurnishError(
                f"Passage {passage_id} of query {query_id} is not in the corpus. Pairs "
                f"{pairs.fingerprint} were made of another one; make them again from this corpus."
            )
        query = queries.setdefault(query_id, AskedQuery(query_id, text, split, origin))
        query.answers.append(Answer(passages.rows[passage_id], relevance, masked))
    return [queries[query_id] for query_id in sorted(queries)]
