"""The best vectors found for each query, and what is known of those that were not."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from .mapped import release
from .ranking import EMPTY, Rows, Values, best_first

Vectors = NDArray[np.float32]

PAIR_CELLS = 2**17  # numbers of each side of the pairs scored at once: the cache holds them
RELEASED_PAIRS = 2**14  # pairs scored between two releases of what was read of the map


@dataclass(frozen=True, eq=False)
class Hits:
    """Lists of the best vectors, one per query.

    Attributes:
        rows: (queries, length) vectors, -1 for none.
        scores: (queries, length) float32, -inf for none.
        floors: (queries,) float32: no vector off the list scores more; -inf if none is off it.
    """

    rows: Rows
    scores: Values
    floors: Values

    def are_settled(self, k: int) -> NDArray[np.bool_]:
        """Tell for which queries the first k are the best k of all: (queries,)."""
        length = self.scores.shape[1]
        last = self.scores[:, k - 1] if k <= length else np.full(len(self.rows), -np.inf)
        return np.isneginf(self.floors) | (last > self.floors)

    def cut(self, length: int) -> "Hits":
        """Keep the first `length` of each list, which must be sorted; pad the lists if shorter."""
        queries, before = self.rows.shape
        if before == length:
            return self
        if before < length:
            rows = np.full((queries, length), EMPTY, dtype=np.int64)
            scores = np.full((queries, length), -np.inf, dtype=np.float32)
            rows[:, :before], scores[:, :before] = self.rows, self.scores
            return Hits(rows, scores, self.floors)
        dropped = self.scores[:, length]  # the best of those dropped, -inf if it is none
        floors = np.maximum(self.floors, dropped)
        return Hits(self.rows[:, :length], self.scores[:, :length], floors)

    def merge(self, other: "Hits", length: int) -> "Hits":
        """Return the best of two lists of different vectors per query, sorted."""
        rows, scores = best_first(
            np.concatenate([self.rows, other.rows], axis=1),
            np.concatenate([self.scores, other.scores], axis=1),
        )
        floors = np.maximum(self.floors, other.floors)
        return Hits(rows, scores, floors).cut(length)

    def renumber(self, rows: Rows) -> "Hits":
        """Give every vector its new row; one without, -1, becomes none, the lists unsorted."""
        found = np.where(self.rows == EMPTY, EMPTY, rows[self.rows])
        scores = np.where(found == EMPTY, -np.inf, self.scores).astype(np.float32)
        return Hits(found, scores, self.floors)

    def pick(self, queries: NDArray[np.bool_] | Rows) -> "Hits":
        """Return the lists of some queries."""
        return Hits(self.rows[queries], self.scores[queries], self.floors[queries])

    def replace(self, queries: NDArray[np.bool_] | Rows, other: "Hits") -> None:
        """Put other lists, of the same length, in the place of those of some queries."""
        self.rows[queries] = other.rows
        self.scores[queries] = other.scores
        self.floors[queries] = other.floors


def no_hits(queries: int, length: int) -> Hits:
    """Return empty lists."""
    return Hits(
        np.full((queries, length), EMPTY, dtype=np.int64),
        np.full((queries, length), -np.inf, dtype=np.float32),
        np.full(queries, -np.inf, dtype=np.float32),
    )


def keep_best(lists: Hits, rows: Rows, scores: Values) -> None:
    """Let vectors into lists that are full or have room; the order in a list means nothing.

    Args:
        lists: Changed in place; `floors` are left as they are.
        rows: (queries, found) vectors that are in no list yet.
        scores: (queries, found) their scores, the best first.
    """
    length = lists.rows.shape[1]
    is_better = scores > lists.scores.min(axis=1, initial=np.inf)[:, None]
    width = int(is_better.sum(axis=1).max(initial=0))  # few, once the lists are full
    rows, scores = rows[:, :width], scores[:, :width]
    all_rows = np.concatenate([lists.rows, rows], axis=1)
    all_scores = np.concatenate([lists.scores, scores], axis=1)
    best = np.argpartition(-all_scores, length - 1, axis=1)[:, :length]
    lists.rows[:] = np.take_along_axis(all_rows, best, axis=1)
    lists.scores[:] = np.take_along_axis(all_scores, best, axis=1)


def score_rows(queries: Vectors, vectors: Vectors, rows: Rows) -> Values:
    """Score each query's vectors, reading the vectors in the order in which they lie.

    Args:
        queries: (queries, dimension).
        vectors: (vectors, dimension), mostly a memory map.
        rows: (queries, k) vectors to score, -1 for none.

    Returns:
        (queries, k) float32 the same as `inner_products` gives, -inf for none.
    """
    asked = rows.ravel()
    scores = np.full(asked.shape, -np.inf, dtype=np.float32)
    order = np.argsort(asked, kind="stable")
    order = order[np.searchsorted(asked[order], 0) :]
    step = max(1, PAIR_CELLS // max(1, vectors.shape[1]))
    read = 0
    for start in range(0, len(order), step):
        pairs = order[start : start + step]
        scores[pairs] = _dot(queries[pairs // rows.shape[1]], vectors[asked[pairs]])
        read += len(pairs)
        if read >= RELEASED_PAIRS:
            release(vectors)
            read = 0
    release(vectors)
    return scores.reshape(rows.shape)


def inner_products(queries: Vectors, vectors: Vectors) -> Values:
    """Return the inner product of each query with its own vectors, summed in float64.

    Args:
        queries: (queries, dimension).
        vectors: (queries, k, dimension).

    Returns:
        (queries, k) float32; a value depends on its two vectors alone.

    >>> inner_products(np.array([[1.0, 2.0]]), np.array([[[3.0, 4.0], [0.0, 1.0]]]))
    array([[11., 2.]], dtype=float32)
    """
    products = np.empty(vectors.shape[:2], dtype=np.float32)
    step = max(1, PAIR_CELLS // max(1, vectors.shape[1] * vectors.shape[2]))
    for start in range(0, len(vectors), step):
        part = slice(start, start + step)
        products[part] = _dot(queries[part, None], vectors[part])
    return products


def _dot(left: Vectors, right: Vectors) -> Values:
    products: Values = np.vecdot(
        left.astype(np.float64), right.astype(np.float64)
    ).astype(np.float32)  # fmt: skip
    return products
