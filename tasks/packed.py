"""Folders on their way to nodes that do not have them: packed as an array, unpacked where needed.

An array, because Ray keeps one in memory that all processes of a node share.
"""

import contextlib
import io
import tarfile
import tempfile
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from .contracts import SIGNATURE, BurnishError, fingerprint_folder

if TYPE_CHECKING:
    import numpy as np


def pack(folder: Path, files: Iterable[Path] | None = None) -> "np.ndarray":
    """Return files of a folder, all if none are named: (bytes,) uint8."""
    import numpy as np

    if files is None:
        files = (path for path in folder.rglob("*") if path.is_file())
    content = io.BytesIO()
    with tarfile.open(fileobj=content, mode="w", dereference=True) as archive:
        for file in sorted(files):
            archive.add(file, file.relative_to(folder).as_posix())
    return np.frombuffer(content.getbuffer(), np.uint8)


@contextlib.contextmanager
def at_hand(folder: Path, fingerprint: str, packed: "np.ndarray | None") -> Iterator[Path]:
    """Give a noun's folder: where it is, if this node sees it, else unpacked for this while.

    Raises:
        BurnishError: it is neither there nor packed, or did not arrive whole.
    """
    if folder.name == fingerprint and (folder / SIGNATURE).is_file():
        yield folder
        return
    if packed is None:
        raise BurnishError(f"{folder} is gone from under its process. Run once more.")
    with unpack(packed) as unpacked:
        if fingerprint_folder(unpacked) != fingerprint:
            raise BurnishError(f"{folder} did not arrive whole on a node. Run once more.")
        yield unpacked


@contextlib.contextmanager
def unpack(packed: "np.ndarray") -> Iterator[Path]:
    """Give a folder with the files that were packed, for this while."""
    with tempfile.TemporaryDirectory(prefix="burnish-") as name:
        with tarfile.open(fileobj=io.BytesIO(packed.data)) as archive:
            archive.extractall(name, filter="data")
        yield Path(name)
