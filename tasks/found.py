"""What a teacher found, as mining works on it: by corpus row, a block of queries at a time."""

from typing import TYPE_CHECKING, NamedTuple

from .tables import Places

if TYPE_CHECKING:
    import numpy as np
    import pyarrow as pa


class Block(NamedTuple):
    """Some queries' candidates and positives by corpus row; -1 and -inf where there are fewer."""

    query_ids: "np.ndarray"
    rows: "np.ndarray"  # (queries, k)
    scores: "np.ndarray"
    positives: "np.ndarray"  # (queries, p), one per document
    positive_scores: "np.ndarray"
    planted_scores: "np.ndarray"  # (queries,), nan where nothing was planted
    answers: "np.ndarray"  # (queries, a), every passage of the documents that answer

    def keep(self, is_kept: "np.ndarray") -> "Block":
        """Return the queries that are kept, (queries,) bool."""
        return Block(*(values[is_kept] for values in self))


def read_block(table: "pa.Table", places: Places) -> Block:
    """Read rows of `Candidates`, of several positives in one document the one that scores best."""
    import numpy as np
    import pyarrow.compute as pc

    def lists(name: str) -> "pa.ListArray":
        return table.column(name).combine_chunks()

    def numbers(name: str) -> "np.ndarray":
        found: np.ndarray = lists(name).flatten().to_numpy(zero_copy_only=False)
        return found

    lengths = pc.list_value_length(lists("passage_ids")).to_numpy()
    rows = places.find(lists("passage_ids").flatten())
    answers = places.find(lists("positive_ids").flatten())
    counts = pc.list_value_length(lists("positive_ids")).to_numpy()
    positives, positive_scores, own_lengths = _best_of_documents(
        answers, numbers("positive_scores"), counts, places.documents
    )
    planted = np.full(len(table), np.nan)
    has_planted = pc.list_value_length(lists("planted_scores")).to_numpy() > 0
    planted[has_planted] = numbers("planted_scores")
    return Block(
        np.array(table.column("query_id").to_pylist(), dtype=object),
        _pad(rows, lengths, -1),
        _pad(numbers("scores"), lengths, -np.inf),
        _pad(positives, own_lengths, -1),
        _pad(positive_scores, own_lengths, -np.inf),
        planted,
        _pad(answers, counts, -1),
    )


def _best_of_documents(
    rows: "np.ndarray", scores: "np.ndarray", lengths: "np.ndarray", documents: "np.ndarray"
) -> "tuple[np.ndarray, np.ndarray, np.ndarray]":
    """Of a query's positives in one document keep the one that scores best, in their order."""
    import numpy as np

    queries = np.repeat(np.arange(len(lengths)), lengths)
    order = np.lexsort((np.arange(len(rows)), -scores, documents[rows], queries))
    is_first = np.ones(len(order), dtype=bool)
    same_query = queries[order][1:] == queries[order][:-1]
    is_first[1:] = ~(same_query & (documents[rows[order]][1:] == documents[rows[order]][:-1]))
    kept = np.sort(order[is_first])
    return rows[kept], scores[kept], np.bincount(queries[kept], minlength=len(lengths))


def _pad(values: "np.ndarray", lengths: "np.ndarray", filling: float) -> "np.ndarray":
    import numpy as np

    padded = np.full((len(lengths), int(lengths.max(initial=0))), filling, dtype=values.dtype)
    padded[np.arange(padded.shape[1]) < lengths[:, None]] = values
    return padded
