"""FAISS: which build there is, and the best vectors of one block, on the GPU or on the CPU."""

import logging
from dataclasses import dataclass
from functools import cache
from importlib import metadata
from typing import Any

import numpy as np

from .hits import Vectors
from .ranking import Rows, Values

logger = logging.getLogger(__name__)

# faiss-gpu and faiss-cpu install the same package `faiss`; the last one installed wins.
BUILDS = ("faiss-cpu", "faiss-gpu")
GPU_HITS = 2048  # the most that FAISS returns per query on a GPU


@dataclass
class Searcher:
    """Finds the best vectors of a block that is in the process's own memory, or mapped into it.

    Attributes:
        faiss: The library.
        resources: FAISS's handle of the GPU; None on the CPU.
    """

    faiss: Any
    resources: Any

    @property
    def device(self) -> str:
        """Where it searches: `GPU` or `CPU`."""
        return "CPU" if self.resources is None else "GPU"

    @property
    def most(self) -> int | None:
        """The most hits it gives per query; None if there is no limit."""
        return None if self.resources is None else GPU_HITS

    def best(self, queries: Vectors, block: Vectors, k: int) -> tuple[Rows, Values]:
        """Return the k largest inner products of each query with the vectors of a block.

        Args:
            queries: (queries, dimension), contiguous.
            block: (vectors, dimension), contiguous; at least k.
            k: Vectors wanted.

        Returns:
            Rows in the block and approximate scores, (queries, k): their last bits depend on the
            device, the number of threads, and the grouping.
        """
        inner = self.faiss.METRIC_INNER_PRODUCT
        if self.resources is not None:
            try:
                found = self.faiss.knn_gpu(self.resources, queries, block, k, metric=inner)
            except RuntimeError as error:  # FAISS's only type: mostly out of memory
                logger.warning("searching on the CPU, the GPU does not take a block: %s", error)
                self.resources = None
            else:
                return found[1], found[0]
        scores, rows = self.faiss.knn(queries, block, k, metric=inner)
        return rows, scores


def find_searcher() -> Searcher:
    """Return what searches blocks: the first GPU where FAISS finds one, else the CPU.

    Raises:
        ValueError: FAISS is missing, or installed twice.
    """
    faiss = import_faiss()
    return Searcher(faiss, faiss.StandardGpuResources() if _finds_gpu(faiss) else None)


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
    # faiss-cpu has get_num_gpus and knn_gpu too; only this name tells the builds apart.
    is_built = hasattr(faiss, "StandardGpuResources")
    has_gpu = is_built and faiss.get_num_gpus() > 0
    logger.info(
        "searching on the %s (FAISS %s, built %s GPU support)",
        "GPU" if has_gpu else "CPU", faiss.__version__, "with" if is_built else "without",
    )  # fmt: skip
    return has_gpu


def as_contiguous(vectors: Vectors) -> Vectors:
    """Return float32 numbers in one piece, a copy only where they are not."""
    return np.ascontiguousarray(vectors, dtype=np.float32)
