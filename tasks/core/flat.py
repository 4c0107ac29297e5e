"""Exact search: all vectors, or all of some, read block by block."""

from dataclasses import dataclass

import numpy as np

from .hits import Hits, Vectors, inner_products, keep_best, no_hits, score_rows
from .knn import Searcher
from .mapped import release
from .ranking import EMPTY, Rows, Values, best_first

SPARE = 64  # hits fetched beyond k, so that near-ties at the end are settled exactly
WIDE_SPARE = 1024  # what is tried next, for queries with more near-ties, as of duplicates
# Two scores this close, as a fraction of the largest possible one, may come in either order from
# FAISS: float32 sums of thousands of products differ by the order of addition.
NEAR = 2e-5
BLOCK_CELLS = {"CPU": 2**24, "GPU": 2**29}  # numbers of a block of vectors: 64 MiB, 2 GiB
LIST_CELLS = 2**20  # entries of the lists of queries that are searched at once
QUERIES = {"CPU": 4096, "GPU": 65536}  # the most queries searched at once


@dataclass(frozen=True, eq=False)
class Flat:
    """Vectors in place, in memory or mapped into it.

    FAISS finds the hits; their scores are then computed once more, each from its two vectors
    alone. So neither scores nor the order of equal ones depend on the size of blocks, on how
    queries were grouped, on the number of threads, or on where the search ran.

    Attributes:
        vectors: (vectors, dimension) float32, contiguous.
        longest: The length of the longest one.
        searcher: Searches a block.
    """

    vectors: Vectors
    longest: float
    searcher: Searcher

    def find(self, queries: Vectors, k: int) -> Hits:
        """Return sorted lists of k + SPARE vectors; the first k are the best k of all.

        Args:
            queries: (queries, dimension); at most about `queries_at_once`.
            k: Vectors wanted.
        """
        hits = self.look(queries, k + SPARE)
        wanted = min(k, len(self.vectors))
        is_open = np.flatnonzero(~hits.are_settled(wanted))
        step = queries_at_once(k + WIDE_SPARE, self.searcher)
        for start in range(0, len(is_open), step):  # many near-ties: look further
            some = is_open[start : start + step]
            wide = self.look(queries[some], k + WIDE_SPARE)
            for number in np.flatnonzero(~wide.are_settled(wanted)):  # and then at all
                found = self._scan(queries[some[number], None], k + WIDE_SPARE)
                wide.replace(np.array([number]), found)
            hits.replace(some, wide.cut(k + SPARE))
        return hits

    def look(
        self,
        queries: Vectors,
        length: int,
        among: Rows | None = None,
        floors: Values | None = None,
    ) -> Hits:
        """Return sorted lists with exact scores, whose ends near-ties may have got wrong.

        Args:
            queries: (queries, dimension).
            length: Vectors wanted per query.
            among: Rows to look at, ascending; all if left out.
            floors: (queries,) scores up to which nobody asks for a vector, so that it need not be
                scored exactly.
        """
        count = len(self.vectors) if among is None else len(among)
        fetched = min(length, count, self.searcher.most or length)
        lists = no_hits(len(queries), fetched)
        if not fetched or not len(queries):
            return lists.cut(length)
        for start, stop in self.blocks(count):
            rows = None if among is None else among[start:stop]
            block = self.vectors[start:stop] if rows is None else self.vectors[rows]
            found, scores = self.searcher.best(queries, block, min(fetched, len(block)))
            keep_best(lists, found + start if rows is None else rows[found], scores)
            release(self.vectors)
        reach = NEAR * self.longest * np.linalg.norm(queries, axis=1)
        if floors is not None:
            lists.rows[lists.scores + reach[:, None] <= floors[:, None]] = EMPTY
        hits = self.score(queries, lists)
        if fetched < count:
            hits.floors[:] = hits.scores[:, -1] + reach
        return hits.cut(length)

    def score(self, queries: Vectors, lists: Hits) -> Hits:
        """Score the vectors of lists exactly, and sort them; the floors stay."""
        rows, scores = best_first(lists.rows, score_rows(queries, self.vectors, lists.rows))
        return Hits(rows, scores, lists.floors)

    def blocks(self, count: int) -> list[tuple[int, int]]:
        """Return where the blocks of `count` vectors begin and end."""
        step = max(1, BLOCK_CELLS[self.searcher.device] // max(1, self.vectors.shape[1]))
        return [(start, min(start + step, count)) for start in range(0, count, step)]

    def _scan(self, query: Vectors, length: int) -> Hits:
        """Score one query, (1, dimension), with every vector."""
        parts = []
        for start, stop in self.blocks(len(self.vectors)):
            parts.append(inner_products(query, self.vectors[None, start:stop])[0])
            release(self.vectors)
        whole = np.concatenate(parts)
        order = np.lexsort((np.arange(len(whole)), -whole))[: length + 1]
        floors = np.full(1, -np.inf, dtype=np.float32)
        return Hits(order[None], whole[order][None], floors).cut(length)


def measure_longest(vectors: Vectors) -> float:
    """Return the length of the longest vector, reading them block by block."""
    longest = 0.0
    step = max(1, 2**22 // max(1, vectors.shape[1]))
    for start in range(0, len(vectors), step):
        block = vectors[start : start + step]
        longest = max(longest, float(np.einsum("pd,pd->p", block, block).max()))
        release(vectors)
    return float(np.sqrt(longest))


def queries_at_once(length: int, searcher: Searcher) -> int:
    """Return how many queries with lists of `length` are searched at once."""
    most = QUERIES[searcher.device]
    return max(1, min(most, most * LIST_CELLS // (4096 * length)))
