"""Memory given back to the system."""

import ctypes
import ctypes.util
import gc
import sys


def release_memory() -> None:
    """Give freed memory back to the system, where the C library can.

    glibc keeps what tensors of ever other sizes freed: after a few minutes of training on a CPU
    that is gigabytes, held while nothing uses them.
    """
    gc.collect()
    if sys.platform == "linux":
        library = ctypes.CDLL(ctypes.util.find_library("c"))
        if hasattr(library, "malloc_trim"):  # not in musl
            library.malloc_trim(0)
