"""Memory maps that are read once from end to end."""

import mmap

import numpy as np
from numpy.typing import NDArray


def release(array: NDArray[np.float32]) -> None:
    """Give up the memory of the pages that were read of a memory map; a later read gets them back.

    Without it the resident memory of a process that reads a map in blocks grows to the whole map,
    and is told from memory that is really needed by nobody who looks at it.

    Args:
        array: Any array; nothing happens unless it lies in a file that is mapped and shared.
    """
    base: object = array
    while base is not None and not (isinstance(base, np.memmap) and _owns(base)):
        base = getattr(base, "base", None)
    if base is None or not hasattr(mmap, "MADV_DONTNEED"):
        return
    assert isinstance(base, np.memmap)
    # private changes ("c") would be lost, those of a shared map are the file's already
    if base.mode in {"r", "r+", "w+"} and isinstance(base.base, mmap.mmap):
        base.base.madvise(mmap.MADV_DONTNEED)


def _owns(array: "np.memmap[tuple[int, ...], np.dtype[np.float32]]") -> bool:
    return isinstance(array.base, mmap.mmap)
