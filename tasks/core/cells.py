"""Cells: vectors grouped around centroids, of which a search looks at the nearest few (IVF)."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np

from .hits import Hits, Vectors, keep_best, no_hits
from .knn import Searcher
from .mapped import release
from .ranking import EMPTY, Rows

# Per cell, for the centroids: FAISS asks for 39 at least, and more change little.
TRAINING_VECTORS = 48
ROUNDS = 10
BLOCK_ROWS = 65536  # vectors sorted into cells at once


@dataclass(frozen=True, eq=False)
class Cells:
    """An inverted file (Jégou et al., 2011) that holds rows alone, and leaves the vectors in place.

    FAISS's own holds a second copy of all vectors in memory, and looks at them query by query. Here
    a cell is read from the memory map once for all queries that look at it, and multiplied as a
    block: memory does not grow with the vectors, and many queries at once are what mining asks.

    Attributes:
        centroids: (cells, dimension).
        order: (vectors,) rows, cell after cell, ascending in each.
        starts: (cells + 1,) where each cell begins in `order`.
    """

    centroids: Vectors
    order: Rows
    starts: Rows

    def probe(
        self, searcher: Searcher, queries: Vectors, vectors: Vectors, probes: int, fetched: int
    ) -> Hits:
        """Search the nearest cells of each query.

        Args:
            searcher: Searches a cell.
            queries: (queries, dimension).
            vectors: (vectors, dimension) that the cells were made of.
            probes: Cells looked at.
            fetched: Vectors wanted per query.

        Returns:
            Lists of unordered vectors with approximate scores.
        """
        nearest, _ = searcher.best(queries, self.centroids, probes)
        askers = np.repeat(np.arange(len(queries)), probes)
        order = np.argsort(nearest, axis=None, kind="stable")
        askers, visited = askers[order], nearest.ravel()[order]
        lists = no_hits(len(queries), fetched)
        for begin, end in _runs(visited):
            cell = int(visited[begin])
            rows = self.order[self.starts[cell] : self.starts[cell + 1]]
            if not len(rows):
                continue
            some = askers[begin:end]
            found, scores = searcher.best(
                queries[some], vectors[rows], min(fetched, len(rows), searcher.most or fetched)
            )
            part = lists.pick(some)
            keep_best(part, rows[found], scores)
            lists.replace(some, part)
        release(vectors)
        return lists


def make_cells(
    searcher: Searcher,
    vectors: Vectors,
    count: int,
    *,
    seed: int,
    advance: Callable[[int], Any] = lambda count: None,
) -> Cells:
    """Group vectors around centroids that k-means finds on an even sample of them.

    Args:
        searcher: Finds the nearest centroid.
        vectors: (vectors, dimension), read in blocks.
        count: Cells.
        seed: Decides where k-means begins.
        advance: Told the number of vectors sorted into cells.
    """
    sample = vectors[:: max(1, len(vectors) // (TRAINING_VECTORS * count))]
    kmeans = searcher.faiss.Kmeans(
        vectors.shape[1], count, niter=ROUNDS, seed=seed, spherical=True,
        max_points_per_centroid=2 * TRAINING_VECTORS,
    )  # fmt: skip
    kmeans.train(np.ascontiguousarray(sample))
    release(vectors)
    cells = np.full(len(vectors), EMPTY, dtype=np.int32)
    for start in range(0, len(vectors), BLOCK_ROWS):
        block = vectors[start : start + BLOCK_ROWS]
        found, _ = searcher.best(np.ascontiguousarray(block), kmeans.centroids, 1)
        cells[start : start + BLOCK_ROWS] = found[:, 0]
        release(vectors)
        advance(len(block))
    order = np.argsort(cells, kind="stable")
    starts = np.searchsorted(cells[order], np.arange(count + 1))
    return Cells(kmeans.centroids, order, starts)


def _runs(values: Rows) -> Iterator[tuple[int, int]]:
    """Pair the begin and end of each stretch of equal values."""
    ends = np.flatnonzero(np.diff(values, append=EMPTY - 1)) + 1
    begins = np.concatenate([[0], ends[:-1]])
    return zip(begins.tolist(), ends.tolist(), strict=True)
