"""The inventory: what is known of files from earlier runs, so that they need not be read again."""

import hashlib
import os
import tempfile
import time
import uuid
from collections.abc import Callable
from functools import cached_property
from pathlib import Path
from types import TracebackType
from typing import Self

import pyarrow as pa
import pyarrow.parquet as pq

from ..contracts import fingerprint, writable
from .files import open_regular

MAX_FILE_BYTES = 100_000_000
SAVE_FILES = 5_000  # hashed between two writes, hence the most a kill can lose

_COLUMNS = pa.schema(
    [
        ("path", pa.binary()),
        *((name, pa.int64()) for name in ("size", "modified", "changed", "inode")),
        ("hash", pa.string()),
    ]
)
_Stamp = tuple[int, int, int, int]


class Inventory:
    """Hashes of a source's files by what the file system tells without reading them.

    Like Git's index: a file whose size, times of modification and change, and inode are as they
    were has the content it had. A file that was written to within the resolution of its times
    before it was hashed could change again unseen; so it is not entered, and hashed anew.
    """

    def __init__(
        self, root: Path | None, source: str = "", max_file_bytes: int = MAX_FILE_BYTES
    ) -> None:
        """Open the inventory of a source.

        Args:
            root: Folder of all nouns; without it nothing is kept.
            source: Name of the source; each has its own inventory, so that what left a source
                leaves its inventory.
            max_file_bytes: Longest file, and longest row of a table, that is read.
        """
        self.max_file_bytes = max_file_bytes
        self.hashed = 0
        """Files that had to be read to know them."""
        self.recalled = 0
        """Files that were known by their looks."""
        self.guessed: dict[str, str] = {}
        """Encoding by place, where it had to be guessed."""
        self._root = root
        self._file = root and root / "memo" / "inventories" / f"{fingerprint(source)}.parquet"
        self._known = _read(self._file) if self._file else {}
        self._seen: dict[bytes, tuple[_Stamp, str]] = {}

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: object, trace: TracebackType | None
    ) -> None:
        # an error half-way has not seen all: what was known stays known
        self._save(self._seen if kind is None else self._known | self._seen)

    def hash(self, path: Path) -> str:
        """Return the hash of a file's content, read only if it is not known.

        Raises:
            OSError: it cannot be read.
        """
        key = os.fsencode(path.absolute())
        stamp = _stamp(path.stat())
        known = self._known.get(key)
        if known and known[0] == stamp:
            self._seen[key] = known
            self.recalled += 1
            return known[1]
        started = time.time_ns()
        with open_regular(path) as stream:
            content = hashlib.file_digest(stream, "sha256").hexdigest()
            after = _stamp(os.fstat(stream.fileno()))
        self.hashed += 1
        if after == stamp and not _is_young(stamp, started):
            self._seen[key] = (stamp, content)
            if self.hashed % SAVE_FILES == 0:
                self._save(self._known | self._seen)
        return content

    def keep(self, name: str, key: str, version: str, write: Callable[[Path], None]) -> Path:
        """Return a file that `write` makes once per version; the last version replaces others.

        Without a root it stays as long as this inventory.
        """
        root = self._root or self._passing
        folder = root / "memo" / name / fingerprint(key)
        file = folder / fingerprint(version)
        if not file.exists():
            with writable(root):
                folder.mkdir(parents=True, exist_ok=True)
                unfinished = folder / f"{uuid.uuid4().hex}.unfinished"
                try:
                    write(unfinished)
                    unfinished.replace(file)  # another run may have made the same
                finally:
                    unfinished.unlink(missing_ok=True)
                for past in folder.iterdir():
                    if past != file and past.suffix != ".unfinished":
                        past.unlink(missing_ok=True)
        return file

    @cached_property
    def _passing(self) -> Path:
        self._folder = tempfile.TemporaryDirectory(prefix="burnish-")  # removed with this object
        return Path(self._folder.name)

    def _save(self, entries: dict[bytes, tuple[_Stamp, str]]) -> None:
        if self._root is None or self._file is None or entries == self._known:
            return
        rows = [(path, *stamp, content) for path, (stamp, content) in entries.items()]
        columns = list(zip(*rows, strict=True)) if rows else [()] * len(_COLUMNS)
        with writable(self._root):
            self._file.parent.mkdir(parents=True, exist_ok=True)
            unfinished = self._file.with_suffix(f".{uuid.uuid4().hex}")
            pq.write_table(pa.table(list(map(list, columns)), schema=_COLUMNS), unfinished)
            unfinished.replace(self._file)
        self._known = dict(entries)


def _read(file: Path) -> dict[bytes, tuple[_Stamp, str]]:
    try:
        table = pq.read_table(file, schema=_COLUMNS)
    except (FileNotFoundError, pa.ArrowInvalid):
        return {}
    columns = (table.column(name).to_pylist() for name in _COLUMNS.names)
    return {row[0]: (row[1:5], row[5]) for row in zip(*columns, strict=True)}


def _stamp(status: os.stat_result) -> _Stamp:
    inode = status.st_ino - (1 << 64) if status.st_ino >= 1 << 63 else status.st_ino
    return status.st_size, status.st_mtime_ns, status.st_ctime_ns, inode


def _is_young(stamp: _Stamp, now_ns: int) -> bool:
    """Tell whether a file could be written to again without its times telling it.

    Linux's clock for files ticks at 4 to 10 ms; file systems of whole seconds tick at up to 2 s.
    """
    newest = max(stamp[1], stamp[2])
    tick_ns = 2_000_000_000 if newest % 1_000_000_000 == 0 else 50_000_000
    return newest > now_ns - tick_ns
