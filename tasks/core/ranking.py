"""From scored passages to ranked documents and the grades a metric counts."""

import numpy as np
from numpy.typing import NDArray

Rows = NDArray[np.int64]
Values = NDArray[np.float32]
EMPTY = -1  # no passage, no document: the ranking has ended


def best_first(rows: Rows, scores: Values) -> tuple[Rows, Values]:
    """Sort each query's hits by score, equal scores by row, those that are none last.

    Args:
        rows: (queries, k) passages, -1 for none.
        scores: (queries, k) their scores.

    Returns:
        Rows and scores, (queries, k); -1 and -inf for none.

    >>> best_first(np.array([[4, -1, 2]]), np.array([[0.5, 0.9, 0.5]], dtype=np.float32))
    (array([[ 2,  4, -1]]), array([[ 0.5,  0.5, -inf]], dtype=float32))
    """
    known = np.where(rows == EMPTY, -np.inf, scores).astype(np.float32)
    order = np.lexsort((rows, -known, rows == EMPTY), axis=1)
    return np.take_along_axis(rows, order, axis=1), np.take_along_axis(known, order, axis=1)


def rescore(
    rows: Rows, scores: Values, queries: Rows, passages: Rows, values: Values
) -> tuple[Rows, Values]:
    """Give some queries another score for one passage: the one it has with the answer hidden.

    A passage is dropped where its new score is below all of a full list of hits: of the passages
    beyond the list nothing is known, so neither is its place among them.

    Args:
        rows: (queries, k) hits, best first, -1 for none.
        scores: (queries, k) their scores.
        queries: (changes,) query of each change, in ascending order.
        passages: (changes,) passage of each change.
        values: (changes,) its new score for that query; -inf takes it off the list.

    Returns:
        Rows and scores, (queries, k + the most changes of one query), best first.

    >>> rows, scores = np.array([[7, 3]]), np.array([[0.9, 0.4]], dtype=np.float32)
    >>> rescore(rows, scores, np.array([0]), np.array([7]), np.array([0.5], dtype=np.float32))
    (array([[ 7,  3, -1]]), array([[ 0.5,  0.4, -inf]], dtype=float32))
    """
    if not len(queries):
        return rows, scores
    columns = np.arange(len(queries)) - np.searchsorted(queries, queries)
    shape = len(rows), int(columns.max()) + 1
    changed = np.full(shape, EMPTY, dtype=np.int64)
    changed_scores = np.full(shape, -np.inf, dtype=np.float32)
    is_full = rows[queries, -1] != EMPTY
    is_placed = np.isfinite(values) & (~is_full | (values >= scores[queries, -1]))
    changed[queries, columns] = np.where(is_placed, passages, EMPTY)
    changed_scores[queries, columns] = values
    span = max(int(rows.max()), int(passages.max())) + 1
    pairs = np.arange(len(rows))[:, None] * span + rows
    is_stale = np.isin(pairs, queries * span + passages) & (rows != EMPTY)
    kept = np.where(is_stale, EMPTY, rows)
    return best_first(
        np.concatenate([kept, changed], axis=1), np.concatenate([scores, changed_scores], axis=1)
    )


def rank_documents(rows: Rows, documents: Rows, depth: int) -> Rows:
    """Rank documents by their best passage (MaxP, arXiv:1905.09217).

    Args:
        rows: (queries, k) passages, best first, -1 for none.
        documents: (passages,) document of each passage.
        depth: Documents wanted.

    Returns:
        (queries, depth) documents, best first, -1 where fewer were found.

    >>> rank_documents(np.array([[3, 0, 2, 1]]), np.array([5, 5, 8, 9]), depth=4)
    array([[ 9, 5, 8, -1]])
    """
    found = np.where(rows == EMPTY, EMPTY, documents[rows])
    order = np.argsort(found, axis=1, kind="stable")
    grouped = np.take_along_axis(found, order, axis=1)
    is_first = np.ones(found.shape, dtype=bool)
    is_first[:, 1:] = grouped[:, 1:] != grouped[:, :-1]
    is_kept = np.zeros(found.shape, dtype=bool)
    np.put_along_axis(is_kept, order, is_first & (grouped != EMPTY), axis=1)
    front = np.argsort(~is_kept, axis=1, kind="stable")[:, :depth]
    ranking = np.full((len(rows), depth), EMPTY, dtype=np.int64)
    ranking[:, : front.shape[1]] = np.where(
        np.take_along_axis(is_kept, front, axis=1),
        np.take_along_axis(found, front, axis=1),
        EMPTY,
    )
    return ranking


def look_up_grades(ranking: Rows, judged: Rows, grades: NDArray[np.int64]) -> NDArray[np.int64]:
    """Replace each ranked document by how relevant it is.

    Args:
        ranking: (queries, ranks) documents, -1 for none.
        judged: (queries, most) relevant documents of each query, -1 for none.
        grades: (queries, most) their grades.

    Returns:
        (queries, ranks) grades, 0 for what is not relevant.

    >>> look_up_grades(np.array([[9, 5, -1]]), np.array([[5, 8]]), np.array([[2, 1]]))
    array([[0, 2, 0]])
    """
    found = np.zeros(ranking.shape, dtype=np.int64)
    for column in range(judged.shape[1]):  # few: a query has few relevant documents
        is_it = (ranking == judged[:, column, None]) & (ranking != EMPTY)
        found += is_it * grades[:, column, None]
    return found
