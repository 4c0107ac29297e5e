"""Memory given back to the system."""

import ctypes
import gc
import sys


def release_memory() -> None:
    """Give freed memory back to the system, where the C library can.

    glibc keeps what tensors of ever other sizes freed: after a few minutes of training on a CPU
    that is gigabytes, held while nothing uses them.
    """
    gc.collect()
    if sys.platform == "linux":
        library = ctypes.CDLL(None)
        if hasattr(library, "malloc_trim"):  # not in musl
            library.malloc_trim(0)


def release_gpus() -> None:
    """Give back what this process keeps of GPUs' memory and does not use."""
    import torch

    gc.collect()
    if torch.cuda.is_initialized():  # type: ignore[no-untyped-call]
        torch.cuda.empty_cache()
