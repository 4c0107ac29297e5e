"""The vectors nearest to queries by inner product, read in blocks from wherever they are."""

import logging
from collections.abc import Callable
from typing import Literal

import numpy as np

from .cells import Cells
from .flat import SPARE, Flat, measure_longest, queries_at_once
from .hits import Hits, Vectors, inner_products, score_rows
from .knn import GPU_HITS, as_contiguous, find_searcher, import_faiss
from .probing import SAMPLE, Probing, count_cells, tune_probing
from .ranking import EMPTY, Rows, Values, best_first

__all__ = ["Hits", "Index", "IndexKind", "build_index", "import_faiss", "inner_products"]

logger = logging.getLogger(__name__)

IndexKind = Literal["auto", "flat", "ivf"]

EXACT_VECTORS = 1_000_000


def build_index(
    vectors: Vectors, *, kind: IndexKind = "auto", exact_vectors: int = EXACT_VECTORS
) -> "Index":
    """Index vectors for `Index.search`, on the first GPU where FAISS finds one.

    Args:
        vectors: (passages, dimension) float32, kept and not copied if contiguous: a memory map is
            searched where it is.
        kind: `flat` looks at all vectors; `ivf` at those in cells near the query; `auto` at all,
            but where there is no GPU, more vectors than `exact_vectors`, and many queries.
        exact_vectors: Up to a million, a search of all vectors for as many queries costs less
            than it cost to embed them.

    Raises:
        ValueError: FAISS is missing, or installed twice.
    """
    searcher = find_searcher()
    vectors = as_contiguous(vectors)
    return Index(Flat(vectors, measure_longest(vectors), searcher), kind, exact_vectors)


class Index:
    """Vectors, searched block by block: memory is that of a block, however many there are.

    Attributes:
        vectors: (passages, dimension) float32; a vector's row is its name.
        facts: How the last search was made: `kind`, `device`, and for `ivf` the number of `cells`,
            those `probed` per query, and the `recall` measured.
        settings: What decides which hits are found, besides vectors and queries.
    """

    def __init__(
        self, flat: Flat, kind: IndexKind = "auto", exact_vectors: int = EXACT_VECTORS
    ) -> None:
        self.vectors = flat.vectors
        self.facts: dict[str, object] = {}
        self.settings: dict[str, object] = {"index": kind, "exact_vectors": exact_vectors}
        if kind == "auto" and len(flat.vectors) > exact_vectors:
            self.settings["device"] = flat.searcher.device  # all are exact on a GPU alone
        self._flat = flat
        self._kind = kind
        self._exact_vectors = exact_vectors
        self._cells: Cells | None = None
        self._probing: Probing | None = None

    def search(
        self,
        queries: Vectors,
        k: int,
        *,
        advance: Callable[[int], object] = lambda count: None,
    ) -> tuple[Rows, Values]:
        """Return the k vectors with the largest inner product with each query.

        Args:
            queries: (queries, dimension) float32.
            k: Vectors wanted per query.
            advance: Told the number of queries done.

        Returns:
            Rows and scores, (queries, k), best first, equal scores by row; -1 and -inf where the
            index has fewer than k vectors.

        Raises:
            ValueError: k is not positive, or more than a GPU returns.
        """
        self.prepare(queries, np.arange(len(queries)), k)
        rows = np.full((len(queries), k), EMPTY, dtype=np.int64)
        scores = np.full((len(queries), k), -np.inf, dtype=np.float32)
        step = self.queries_at_once(k)
        for start in range(0, len(queries), step):
            part = slice(start, start + step)
            hits = self.find(queries[part], k)
            rows[part], scores[part] = hits.rows[:, :k], hits.scores[:, :k]
            advance(len(hits.rows))
        return rows, scores

    def score(self, queries: Vectors, rows: Rows) -> Values:
        """Return the inner products of each query with some of the vectors.

        Args:
            queries: (queries, dimension) float32.
            rows: (queries, k) vectors to score, -1 for none.

        Returns:
            (queries, k) the same scores that `search` gives, -inf for none.
        """
        return score_rows(as_contiguous(queries), self.vectors, rows)

    def prepare(self, queries: Vectors, asked: Rows, k: int) -> None:
        """Choose how queries will be searched by `find`, and say so.

        Args:
            queries: (queries, dimension).
            asked: (asked,) which of them will be.
            k: Vectors wanted.

        Raises:
            ValueError: k is not positive, or more than a GPU returns.
        """
        searcher = self._flat.searcher
        if k < 1 or (searcher.most is not None and k > searcher.most):
            raise ValueError(
                f"k must be 1 to {GPU_HITS} on a GPU and at least 1 on a CPU, not {k}."
            )
        self._probing = None
        self.facts = {"kind": "flat", "device": searcher.device}
        if self._asks_for_cells(len(asked)):
            sample = asked[np.linspace(0, len(asked) - 1, SAMPLE).astype(np.int64)]
            probing = tune_probing(self._flat, as_contiguous(queries[sample]), k, self._cells)
            self._probing, self._cells = probing, probing.cells
            self.facts |= {
                "kind": "ivf", "cells": len(probing.cells.centroids),
                "probed": probing.probes, "recall": round(probing.recall, 4),
            }  # fmt: skip
        is_told = self._probing is not None or len(self.vectors) > self._exact_vectors
        logger.log(
            logging.INFO if is_told else logging.DEBUG,
            "searching %s of %d vectors on the %s for %d queries",
            self._tell(k), len(self.vectors), searcher.device, len(asked),
        )  # fmt: skip

    def queries_at_once(self, k: int) -> int:
        """Return how many queries are best given to `find` at once."""
        return queries_at_once(k + SPARE, self._flat.searcher)

    def find(self, queries: Vectors, k: int) -> Hits:
        """Search one group of queries, after `prepare`.

        Args:
            queries: (queries, dimension); at most about `queries_at_once`.
            k: Vectors wanted.

        Returns:
            Sorted lists of k + SPARE vectors with exact scores; unless cells were prepared, the
            first k are the best k of all.
        """
        queries = as_contiguous(queries)
        if self._probing is not None:
            return self._probing.find(queries, k + SPARE)
        return self._flat.find(queries, k)

    def update(self, queries: Vectors, k: int, known: Hits, added: Rows) -> tuple[Hits, int]:
        """Search again after vectors came and went, looking at those that came alone.

        Queries that lost too many hits to tell are searched afresh.

        Args:
            queries: (queries, dimension).
            k: Vectors wanted.
            known: What `find` gave for these queries, rows renumbered, -1 where a vector is gone.
            added: Rows of the vectors that came, ascending.

        Returns:
            Lists of which the first k are what `find` gives; and how many were searched afresh.
        """
        queries = as_contiguous(queries)
        hits = Hits(*best_first(known.rows, known.scores), known.floors).cut(k + SPARE)
        if len(added):
            found = self._flat.look(queries, k + SPARE, added, hits.floors)
            hits = hits.merge(found, k + SPARE)
        is_open = np.flatnonzero(~hits.are_settled(min(k, len(self.vectors))))
        if len(is_open):
            hits.replace(is_open, self.find(queries[is_open], k))
        return hits, len(is_open)

    def _asks_for_cells(self, queries: int) -> bool:
        if self._kind == "ivf":
            return queries > SAMPLE  # fewer are searched exactly for less
        # making the cells costs what a search of all vectors for one query per cell costs
        pays = queries > 2 * count_cells(len(self.vectors)) + SAMPLE
        is_large = len(self.vectors) > self._exact_vectors
        return self._kind == "auto" and is_large and pays and self._flat.searcher.device == "CPU"

    def _tell(self, k: int) -> str:
        if self._probing is None:
            return "all"
        return (
            f"{self.facts['probed']} of {self.facts['cells']} cells (recall@{k} "
            f"{self.facts['recall']:.4f}, measured on {SAMPLE} queries)"
        )
