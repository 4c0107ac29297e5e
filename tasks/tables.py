"""Tables as the stages work on them: passages by row, queries with what answers them."""

from collections.abc import Collection
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from .contracts import BurnishError, Corpus, Pairs, batched_rows

if TYPE_CHECKING:
    import numpy as np


SAME_TEXT = "same text as "  # why ingestion sets a passage aside that is there already


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


def find_copies(corpus: Corpus, held_out: Collection[str]) -> set[str]:
    """Name the passages of other documents that say word for word what a held-out one says.

    Whoever trains on them trains on evaluation. Case and spacing do not make a text another one,
    nor does the title it stands under. A passage that ingestion set aside, because a document with
    a lower id says the same, counts for the document it was in.

    Args:
        corpus: Passages.
        held_out: Ids of the documents that are kept for evaluation.
    """
    columns = ("passage_id", "document_id", "text")
    rows = [
        (passage_id, document_id, " ".join(text.casefold().split()))
        for passage_id, document_id, text in batched_rows(corpus.read(), columns)
    ]
    told = {text for _, document_id, text in rows if document_id in held_out}
    document_of = {passage_id: document_id for passage_id, document_id, _ in rows}
    copies = {passage_id for passage_id, _, text in rows if text in told}
    copies |= {
        kept
        for removed, kept in read_aliases(corpus).items()
        if removed.rpartition("#")[0] in held_out
    }
    return {name for name in copies if document_of.get(name) not in held_out}


def find_twins(corpus: Corpus, document_ids: Collection[str]) -> dict[str, str]:
    """Map a document that is wholly in others, and so not in the corpus, to the one that has it.

    Args:
        corpus: Passages.
        document_ids: Documents that are in the corpus.
    """
    twins: dict[str, str] = {}
    for removed, kept in sorted(read_aliases(corpus).items()):
        document_id = removed.rpartition("#")[0]
        if document_id not in document_ids:
            twins.setdefault(document_id, kept.rpartition("#")[0])
    return twins


def read_aliases(corpus: Corpus) -> dict[str, str]:
    """Return, for each passage set aside because its text is there already, the one that stayed."""
    rejects = corpus.read_rejects().to_pylist()
    return {
        reject["item"]: reject["reason"].removeprefix(SAME_TEXT)
        for reject in rejects
        if reject["reason"].startswith(SAME_TEXT)
    }
