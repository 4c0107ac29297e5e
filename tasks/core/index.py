"""Exact search by inner product, on a GPU where there is one."""

import logging
from collections.abc import Callable
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


class Index:
    """All vectors, searched exhaustively: no training, no approximation, no parameters.

    FAISS finds the hits; their scores are then computed once more, each from its two vectors
    alone. So neither scores nor the order of equal ones depend on how queries were grouped, on
    the number of threads, or on where the search ran.
    """

    def __init__(self, vectors: Vectors) -> None:
        """Index vectors; a vector's row is its place in `vectors`.

        Args:
            vectors: (passages, dimension) float32, kept and not copied.

        Raises:
            ValueError: FAISS is missing, or installed twice.
        """
        faiss = _import_faiss(installed_builds())
        self._vectors = np.ascontiguousarray(vectors, dtype=np.float32)
        self._longest = float(np.linalg.norm(self._vectors, axis=1).max(initial=0.0))
        self._resources, self._index = _build(faiss, self._vectors)

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
        if k < 1 or (self._resources is not None and k > GPU_HITS):
            raise ValueError(
                f"k must be 1 to {GPU_HITS} on a GPU and at least 1 on a CPU, not {k}."
            )
        queries = np.ascontiguousarray(queries, dtype=np.float32)
        rows = np.full((len(queries), k), EMPTY, dtype=np.int64)
        scores = np.full((len(queries), k), -np.inf, dtype=np.float32)
        size, dimension = self._vectors.shape
        most = GPU_HITS if self._resources is not None else size
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
        return inner_products(queries, self._vectors[rows])

    def _search(self, queries: Vectors, k: int, fetched: int) -> tuple[Rows, Values]:
        """Search one block exactly: (queries, fetched) rows and scores, best first."""
        _, found = self._index.search(queries, fetched)
        rows, scores = best_first(found, self.score(queries, found))
        if k >= fetched == len(self._vectors):
            return rows, scores
        reach = NEAR * self._longest * np.linalg.norm(queries, axis=1)
        is_open = scores[:, min(k, fetched) - 1] - scores[:, -1] <= reach
        if fetched < len(self._vectors):
            for number in np.flatnonzero(is_open):  # many near-ties, as of duplicates: look at all
                whole = self._scan(queries[number])
                order = np.lexsort((np.arange(len(whole)), -whole))[:fetched]
                rows[number], scores[number] = order, whole[order]
        return rows, scores

    def _scan(self, query: Vectors) -> Values:
        step = max(1, BLOCK_CELLS // max(1, len(query)))
        return np.concatenate(
            [
                inner_products(query[None], self._vectors[None, start : start + step])[0]
                for start in range(0, len(self._vectors), step)
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
    return np.einsum("qd,qkd->qk", queries, vectors, dtype=np.float64).astype(np.float32)


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


def _import_faiss(builds: list[str]) -> Any:  # noqa: ANN401 - FAISS has no types
    if len(builds) > 1:
        raise ValueError(
            f"Both {' and '.join(builds)} are installed and overwrite each other's files. Remove "
            "both and install one: `pip uninstall -y faiss-cpu faiss-gpu`, then "
            "`pip install faiss-cpu`, or `pip install faiss-gpu` for a CUDA GPU on Linux."
        )
    try:
        import faiss
    except ImportError as error:
        raise ValueError(
            f"FAISS cannot be imported ({error}). Install one build of it: `pip install faiss-cpu`, "
            "or `pip install faiss-gpu` for a CUDA GPU on Linux."
        ) from error
    return faiss


def _build(faiss: Any, vectors: Vectors) -> tuple[Any, Any]:  # noqa: ANN401 - FAISS has no types
    """Return the GPU's resources, None without one, and the index that holds `vectors`."""
    index = faiss.IndexFlatIP(vectors.shape[1])
    # faiss-cpu has get_num_gpus and index_cpu_to_gpu too; only this name tells the builds apart.
    if not hasattr(faiss, "StandardGpuResources"):
        logger.info("searching on the CPU: this build of FAISS has no GPU support")
        index.add(vectors)
        return None, index
    if faiss.get_num_gpus() == 0:
        logger.info("searching on the CPU: FAISS finds no GPU")
        index.add(vectors)
        return None, index
    resources = faiss.StandardGpuResources()  # must live as long as the index
    try:
        on_gpu = faiss.index_cpu_to_gpu(resources, 0, index)
        on_gpu.add(vectors)
    except RuntimeError as error:  # FAISS's only type: mostly out of memory
        logger.warning("searching on the CPU, the GPU does not take the index: %s", error)
        index.add(vectors)
        return None, index
    logger.info("searching on the GPU")
    return resources, on_gpu
