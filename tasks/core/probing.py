"""How many cells must be looked at: measured on a sample of the queries."""

import math
from dataclasses import dataclass

import numpy as np

from .cells import Cells, make_cells
from .flat import SPARE, Flat
from .hits import Hits, Vectors
from .ranking import EMPTY, Rows

SAMPLE = 256  # queries that the recall is measured on
RECALL = 0.99  # share of the exact k best that the cells looked at must hold, on the sample
FEWEST_PROBES = 8
SEED = 0


@dataclass(frozen=True, eq=False)
class Probing:
    """A search of the cells near each query.

    Attributes:
        flat: The vectors.
        cells: What they are grouped into.
        probes: Cells looked at per query.
        recall: Share of the exact best that was found for the sample.
    """

    flat: Flat
    cells: Cells
    probes: int
    recall: float

    def find(self, queries: Vectors, length: int) -> Hits:
        """Return sorted lists with exact scores, of the vectors in the cells looked at.

        Args:
            queries: (queries, dimension).
            length: Vectors wanted per query.
        """
        searcher, vectors = self.flat.searcher, self.flat.vectors
        lists = self.cells.probe(searcher, queries, vectors, self.probes, length)
        hits = self.flat.score(queries, lists)
        hits.floors[:] = hits.scores[:, -1]  # as if all were seen; the recall tells how far
        return hits


def tune_probing(flat: Flat, sample: Vectors, k: int, cells: Cells | None = None) -> Probing:
    """Make cells, and look at ever more of them until the exact best of a sample are found.

    Args:
        flat: The vectors.
        sample: (queries, dimension).
        k: Vectors wanted.
        cells: The cells, where they were made already.
    """
    count = count_cells(len(flat.vectors))
    cells = cells or make_cells(flat.searcher, flat.vectors, count, seed=SEED)
    exact = flat.find(sample, k).rows[:, :k]
    probes = min(FEWEST_PROBES, count)
    while True:
        probing = Probing(flat, cells, probes, recall=0.0)
        recall = _share(probing.find(sample, k + SPARE).rows[:, :k], exact)
        if recall >= RECALL or probes == count:
            return Probing(flat, cells, probes, recall)
        probes = min(2 * probes, count)


def count_cells(vectors: int) -> int:
    """Return how many cells make the centroids and the cells looked at cost about the same."""
    return max(1, min(2 * math.isqrt(vectors), vectors))


def _share(found: Rows, exact: Rows) -> float:
    """Return the mean share of each query's exact hits that were found."""
    span = int(max(found.max(), exact.max())) + 2
    numbers = np.arange(len(exact))[:, None] * span
    return float(np.isin(numbers + exact, numbers + found)[exact != EMPTY].mean())
