"""Tables as the stages work on them: passages by row, queries with what answers them."""

from collections.abc import Collection
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import pyarrow as pa

from .contracts import BurnishError, Corpus, Pairs, batched_rows

if TYPE_CHECKING:
    import numpy as np


# Why ingestion sets a passage aside that is there already.
SAME_TEXT = "same text as "
NEAR_TEXT = "nearly the same text as "


@dataclass(frozen=True, eq=False)
class Places:
    """The corpus by row, without its texts.

    Attributes:
        names: Passage ids.
        documents: (passages,) int64, a number for each document, in the order of their ids.
        document_ids: The id behind each of these numbers.
        clusters: (passages,) int64, a number for each cluster of near-duplicates.
    """

    names: pa.Array
    documents: "np.ndarray"
    document_ids: list[str]
    clusters: "np.ndarray"

    def find(self, passage_ids: pa.Array | pa.ChunkedArray) -> "np.ndarray":
        """Return the row of each passage, (ids,) int64; -1 for those of another corpus."""
        import pyarrow.compute as pc

        rows = pc.fill_null(pc.index_in(passage_ids, self.names), -1)
        if isinstance(rows, pa.ChunkedArray):
            rows = rows.combine_chunks()
        found: np.ndarray = rows.to_numpy(zero_copy_only=False).astype("int64")
        return found

    def name(self, rows: "np.ndarray") -> pa.ListArray:
        """Return lists of passage ids.

        Args:
            rows: (lists, k) rows of passages, -1 for none.
        """
        places = list_where(rows, rows >= 0)
        return pa.ListArray.from_arrays(places.offsets, self.names.take(places.values))


@dataclass(frozen=True, eq=False)
class Passages(Places):
    """The corpus by row, with what a model sees of each passage."""

    ids: list[str]
    texts: list[str]
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
    weight: float = 1.0
    answers: list[Answer] = field(default_factory=list)


def list_where(values: "np.ndarray", is_there: "np.ndarray") -> pa.ListArray:
    """Return the values of each row that are there, both (rows, k), as lists.

    >>> import numpy as np
    >>> values = np.array([[1, 2], [3, 4]])
    >>> list_where(values, values != 2).to_pylist()
    [[1], [3, 4]]
    """
    import numpy as np

    ends = np.concatenate([[0], np.cumsum(is_there.sum(axis=1))])
    return pa.ListArray.from_arrays(pa.array(ends, pa.int32()), pa.array(values[is_there]))


def read_places(corpus: Corpus) -> Places:
    """Read which passages there are, of which documents and clusters."""
    table = corpus.read(["passage_id", "document_id", "cluster"])
    documents, document_ids = _number(table.column("document_id"))
    clusters, _ = _number(table.column("cluster"))
    names = table.column("passage_id").combine_chunks()
    return Places(names, documents, document_ids, clusters)


def read_passages(corpus: Corpus) -> Passages:
    """Read the whole corpus, composed as models see it."""
    from .core.text import compose

    places = read_places(corpus)
    ids = places.names.to_pylist()
    columns = ["title", "section", "text"]
    return Passages(
        **vars(places),
        ids=ids,
        texts=[compose(*parts) for parts in batched_rows(corpus.read(columns), columns)],
        rows={passage_id: row for row, passage_id in enumerate(ids)},
    )


def _number(names: pa.ChunkedArray) -> "tuple[np.ndarray, list[str]]":
    """Number names in their order: the number of each, and the names by number."""
    import pyarrow.compute as pc

    distinct = pc.unique(names)
    distinct = distinct.take(pc.array_sort_indices(distinct))
    numbers = pc.index_in(names, distinct).combine_chunks()
    return numbers.to_numpy(zero_copy_only=False).astype("int64"), distinct.to_pylist()


def read_queries(pairs: Pairs, passages: Passages, splits: Collection[str]) -> list[AskedQuery]:
    """Read the queries of some splits, ordered by id.

    Raises:
        BurnishError: a passage is not in the corpus: the two were not made for each other.
    """
    queries: dict[str, AskedQuery] = {}
    columns = (
        "query_id", "query", "passage_id", "relevance", "origin", "split", "masked", "weight",
    )  # fmt: skip
    for query_id, text, passage_id, relevance, origin, split, masked, weight in batched_rows(
        pairs.read(), columns
    ):
        if split not in splits:
            continue
        if passage_id not in passages.rows:
            raise BurnishError(
                f"Passage {passage_id} of query {query_id} is not in the corpus. Pairs "
                f"{pairs.fingerprint} were made of another one; make them again from this corpus."
            )
        query = queries.setdefault(query_id, AskedQuery(query_id, text, split, origin, weight))
        query.answers.append(Answer(passages.rows[passage_id], relevance, masked))
    return [queries[query_id] for query_id in sorted(queries)]


def find_copies(corpus: Corpus, held_out: Collection[str]) -> set[str]:
    """Name the passages of other documents that say nearly what a held-out one says.

    Whoever trains on them trains on evaluation. A passage that ingestion set aside, because
    another one says the same, counts for the document it was in.

    Args:
        corpus: Passages, each with its cluster of near-duplicates.
        held_out: Ids of the documents that are kept for evaluation.
    """
    columns = ["passage_id", "document_id", "cluster"]
    rows = list(batched_rows(corpus.read(columns), columns))
    cluster_of = {passage_id: cluster for passage_id, _, cluster in rows}
    evaluated = {cluster for _, document_id, cluster in rows if document_id in held_out}
    evaluated |= {
        cluster_of[kept]
        for removed, kept in read_aliases(corpus).items()
        if removed.rpartition("#")[0] in held_out and kept in cluster_of
    }
    return {
        passage_id
        for passage_id, document_id, cluster in rows
        if cluster in evaluated and document_id not in held_out
    }


def find_trainable(corpus: Corpus, pairs: Pairs, places: Places) -> "np.ndarray":
    """Tell which passages may be trained on, (passages,) bool.

    Those of documents that a dev or test query asks for may not, nor their near-copies.
    """
    import numpy as np
    import pyarrow.compute as pc

    asked = pairs.read(["passage_id", "split"])
    evaluated = places.find(asked.filter(pc.field("split") != "train").column("passage_id"))
    numbers = np.unique(places.documents[evaluated])
    copies = sorted(find_copies(corpus, {places.document_ids[number] for number in numbers}))
    is_trainable: np.ndarray = ~np.isin(places.documents, numbers)
    is_trainable[places.find(pa.array(copies, pa.string()))] = False
    return is_trainable


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
        reject["item"]: reject["reason"].removeprefix(told)
        for reject in rejects
        for told in (SAME_TEXT, NEAR_TEXT)
        if reject["reason"].startswith(told)
    }
