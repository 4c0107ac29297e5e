"""Exact search by inner product, on a GPU where there is one."""

import logging
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from importlib import metadata
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .ranking import EMPTY, Rows, Values, best_first

logger = logging.getLogger(__name__)

Vectors = NDArray[np.float32]

BLOCK_CELLS = 2**25  # numbers gathered at once to score hits again: 128 MiB
SPARE = 64  # hits fetched beyond k, so that near-ties at the end are settled exactly
GPU_HITS = 2048  # the most that FAISS returns per query on a GPU
# Two scores this close, as a fraction of the largest possible one, may come in either order from
# FAISS: float32 sums of thousands of products differ by the order of addition.
NEAR = 2e-5
# faiss-gpu and faiss-cpu install the same package `faiss`; the last one installed wins.
BUILDS = ("faiss-cpu", "faiss-gpu")


def build_index(vectors: Vectors) -> "Index":
    """Index vectors for `Index.search`, on the first GPU where FAISS finds one.

    Args:
        vectors: (passages, dimension) float32, kept and not copied if contiguous.

    Raises:
        ValueError: FAISS is missing, or installed twice.
    """
    faiss = import_faiss()
    vectors = np.ascontiguousarray(vectors, dtype=np.float32)
    longest = float(np.linalg.norm(vectors, axis=1).max(initial=0.0))
    flat = faiss.IndexFlatIP(vectors.shape[1])
    if _finds_gpu(faiss):
        try:
            resources = faiss.StandardGpuResources()
            on_gpu = faiss.index_cpu_to_gpu(resources, 0, flat)
            on_gpu.add(vectors)
        except RuntimeError as error:  # FAISS's only type: mostly out of memory
            logger.warning("searching on the CPU, the GPU does not take the index: %s", error)
        else:
            return Index(vectors, longest, on_gpu, resources)
    flat.add(vectors)
    return Index(vectors, longest, flat, None)


@dataclass(frozen=True, eq=False)
class Index:
    """All vectors, searched exhaustively: no training, no approximation, no parameters.

    FAISS finds the hits; their scores are then computed once more, each from its two vectors
    alone. So neither scores nor the order of equal ones depend on how queries were grouped, on
    the number of threads, or on where the search ran.

    Attributes:
        vectors: (passages, dimension) float32; a vector's row is its name.
        longest: The length of the longest one.
        flat: FAISS's index of them.
        resources: FAISS's handle of the GPU, which must live as long as `flat`; None on the CPU.
    """

    vectors: Vectors
    longest: float
    flat: Any
    resources: Any

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
        if k < 1 or (self.resources is not None and k > GPU_HITS):
            raise ValueError(
                f"k must be 1 to {GPU_HITS} on a GPU and at least 1 on a CPU, not {k}."
            )
        queries = np.ascontiguousarray(queries, dtype=np.float32)
        rows = np.full((len(queries), k), EMPTY, dtype=np.int64)
        scores = np.full((len(queries), k), -np.inf, dtype=np.float32)
        size, dimension = self.vectors.shape
        most = GPU_HITS if self.resources is not None else size
        fetched = min(k + SPARE, most, size)
        block = max(1, BLOCK_CELLS // max(1, fetched * dimension))
        for start in range(0, len(queries) if size else 0, block):
            part = slice(start, start + block)
            found, found_scores = self._search(queries[part], k, fetched)
            kept = min(k, found.shape[1])
            rows[part, :kept], scores[part, :kept] = found[:, :kept], found_scores[:, :kept]
            advance(len(queries[part]))
        return rows, scores

    def score(self, queries: Vectors, rows: Rows) -> Values:
        """Return the inner products of each query with some of the vectors.

        Args:
            queries: (queries, dimension) float32.
            rows: (queries, k) vectors to score.

        Returns:
            (queries, k) the same scores that `search` gives.
        """
        return inner_products(queries, self.vectors[rows])

    def _search(self, queries: Vectors, k: int, fetched: int) -> tuple[Rows, Values]:
        """Search one block exactly: (queries, fetched) rows and scores, best first."""
        _, found = self.flat.search(queries, fetched)
        rows, scores = best_first(found, self.score(queries, found))
        if fetched == len(self.vectors):
            return rows, scores
        reach = NEAR * self.longest * np.linalg.norm(queries, axis=1)
        is_open = scores[:, k - 1] - scores[:, -1] <= reach
        for number in np.flatnonzero(is_open):  # many near-ties, as of duplicates: look at all
            whole = self._scan(queries[number])
            order = np.lexsort((np.arange(len(whole)), -whole))[:fetched]
            rows[number], scores[number] = order, whole[order]
        return rows, scores

    def _scan(self, query: Vectors) -> Values:
        step = max(1, BLOCK_CELLS // max(1, len(query)))
        return np.concatenate(
            [
                inner_products(query[None], self.vectors[None, start : start + step])[0]
                for start in range(0, len(self.vectors), step)
            ]
        )


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
    products: NDArray[np.float64] = np.einsum("qd,qkd->qk", queries, vectors, dtype=np.float64)
    return products.astype(np.float32)


def installed_builds() -> list[str]:
    """Name the distributions of FAISS that are installed here."""
    builds = []
    for name in BUILDS:
        try:
            metadata.version(name)
        except metadata.PackageNotFoundError:
            continue
        builds.append(name)
    return builds


def import_faiss() -> Any:  # noqa: ANN401 - FAISS has no types
    """Import FAISS, or say how to install it.

    Raises:
        ValueError: it is missing, or two builds of it overwrite each other.
    """
    builds = installed_builds()
    if len(builds) > 1:
        raise ValueError(
            f"Both {' and '.join(builds)} are installed and overwrite each other's files. Remove "
            "both and install one: `pip uninstall -y faiss-cpu faiss-gpu`, then "
            "`pip install faiss-cpu`, or `pip install faiss-gpu` for a CUDA GPU on Linux."
        )
    logging.getLogger("faiss.loader").setLevel(logging.WARNING)  # six lines at every start
    try:
        import faiss
    except ImportError as error:
        raise ValueError(
            f"FAISS cannot be imported ({error}). Install one build of it: "
            "`pip install faiss-cpu`, or `pip install faiss-gpu` for a CUDA GPU on Linux."
        ) from error
    return faiss


@cache  # the answer cannot change, and is logged once, not once per layer
def _finds_gpu(faiss: Any) -> bool:  # noqa: ANN401 - FAISS has no types
    # faiss-cpu has get_num_gpus and index_cpu_to_gpu too; only this name tells the builds apart.
    has_gpu = hasattr(faiss, "StandardGpuResources") and faiss.get_num_gpus() > 0
    build = "with" if hasattr(faiss, "StandardGpuResources") else "without"
    logger.info(
        "searching on the %s (FAISS %s, built %s GPU support)",
        "GPU" if has_gpu else "CPU",
        faiss.__version__,
        build,
    )
    return has_gpu
