"""Files that were found and not yet read, here or anywhere."""

import os
import posixpath
import stat
from dataclasses import dataclass
from io import BufferedReader
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from .inventory import Inventory

COMPRESSED = ".gz"


class File(Protocol):
    """A file that was found. Its `document_id` and `place` can be printed.

    `kind` is its suffix in small letters; `size` is its bytes, where they are told.
    """

    @property
    def document_id(self) -> str: ...  # noqa: D102 - attributes
    @property
    def place(self) -> str: ...  # noqa: D102
    @property
    def kind(self) -> str: ...  # noqa: D102
    @property
    def size(self) -> int | None: ...  # noqa: D102

    def identify(self, inventory: "Inventory") -> str:
        """Return what changes when the content does; reads no more than it must."""

    def read(self, most: int) -> bytes:
        """Return its first `most` bytes.

        Raises:
            OSError: it cannot be read.
            BurnishError: the storage that holds it does not answer.
        """

    def nearby(self, inventory: "Inventory") -> "LocalFile":
        """Return it, or a copy of it on this machine that stays for later runs.

        Raises:
            OSError: it cannot be read.
            BurnishError: the storage that holds it does not answer.
        """


@dataclass(frozen=True)
class LocalFile:
    """A file on this machine."""

    document_id: str
    place: str
    kind: str
    path: Path
    size: int

    def identify(self, inventory: "Inventory") -> str:
        """Return the hash of its content."""
        return inventory.hash(self.path)

    def open(self) -> BufferedReader:
        """Open it if it is a regular file still."""
        return open_regular(self.path)

    def read(self, most: int) -> bytes:
        """Return its first `most` bytes."""
        with self.open() as stream:
            return stream.read(most)

    def nearby(self, inventory: "Inventory") -> "LocalFile":
        """Return it."""
        return self


@dataclass(frozen=True)
class Page:
    """A file to parse, and what changes when its content does."""

    file: File
    identity: str


def open_regular(path: Path) -> BufferedReader:
    """Open a file, but never wait for a pipe or a device that took its place.

    Raises:
        OSError: it cannot be read, or is no regular file.
    """
    flags = os.O_RDONLY | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_BINARY", 0)
    stream = os.fdopen(os.open(path, flags), "rb")
    if not stat.S_ISREG(os.fstat(stream.fileno()).st_mode):
        stream.close()
        raise OSError(0, "not a regular file", str(path))
    return stream


def suffix(name: str) -> str:
    """Return the suffix that tells a file's kind.

    >>> suffix("Guide.MD"), suffix("corpus.jsonl.gz"), suffix("Makefile")
    ('.md', '.jsonl.gz', '')
    """
    stem, found = posixpath.splitext(name.lower())
    return posixpath.splitext(stem)[1] + found if found == COMPRESSED else found


def title_of(document_id: str) -> str:
    """Make a title of a file's name, for a page that names none.

    >>> title_of("guide/set-up_linux.md")
    'set up linux'
    """
    stem = PurePosixPath(document_id).stem
    return " ".join(stem.replace("_", " ").replace("-", " ").split())


def load(file: File, most: int) -> bytes:
    """Return a file's content.

    Raises:
        OSError: it cannot be read.
        ValueError: it is longer than `most` bytes; the message is the reason to set it aside.
    """
    if file.size is not None and file.size > most:
        raise ValueError(too_large(file.size, most))
    content = file.read(most + 1)  # it may have grown, or never told its size
    if len(content) > most:
        raise ValueError(too_large(len(content), most))
    return content


def too_large(size: int, most: int) -> str:
    """Say that a file is too large to be read."""
    return f"too large: {size:,} bytes, over the {most:,} that are read"


def why_unreadable(error: OSError) -> str:
    """Return the reason to set aside what this error was met with."""
    return f"unreadable: {error.strerror or error}"
