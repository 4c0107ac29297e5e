"""Rows kept by key in a folder of Arrow files, appended to and read where they lie."""

import json
import logging
import os
import uuid
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pyarrow as pa
import pyarrow.compute as pc

from .contracts import fingerprint, writable

if TYPE_CHECKING:
    import numpy as np

logger = logging.getLogger(__name__)

SUFFIX = ".arrow"


@dataclass(frozen=True)
class Visit:
    """The rows that one part holds of those asked for.

    Attributes:
        asked: (rows,) which of the asked rows they are.
        rows: (rows,) where they are in `table`.
        table: The part, mapped into memory: only what is touched of it is read.
    """

    asked: "np.ndarray"
    rows: "np.ndarray"
    table: pa.Table


class Parts:
    """Append-only parts, each one Arrow file, uncompressed so that it can be mapped into memory.

    The folder is named by what decides the rows besides their keys (settings, weights, code), so
    a change of any of them starts an empty folder beside the old one. A part is written elsewhere
    and renamed: it is whole or not there.
    """

    def __init__(self, root: Path, name: str, settings: dict[str, Any], schema: pa.Schema) -> None:
        """Open the parts that are there.

        Args:
            root: Folder of all nouns.
            name: What is kept: `passages`, `embeddings`, `answers`.
            settings: Everything but the key that decides a row; anything JSON can hold.
            schema: Columns of the parts; the first is `key`.
        """
        self.folder = root / "memo" / name / fingerprint(name, settings)
        self._root = root
        self._settings = settings
        self._schema = schema
        self._files: list[Path] = []
        self._ends = [0]  # where each part's rows end, numbered through all parts
        keys: list[pa.Array] = []
        for file in sorted(self.folder.glob(f"*{SUFFIX}")):
            found = self._read_keys(file)
            if found is not None:
                self._add(file, len(found))
                keys.append(found)
        self._keys = pa.chunked_array(keys, schema.field("key").type)

    def find(self, keys: pa.Array) -> "np.ndarray":
        """Return the row of each key that was there when the parts were opened; -1 for none."""
        found = pc.index_in(keys, value_set=self._keys)
        rows: np.ndarray = pc.fill_null(found, -1).to_numpy(zero_copy_only=False).astype("int64")
        return rows

    def append(self, table: pa.Table) -> "np.ndarray":
        """Keep rows; return their numbers."""
        import numpy as np

        with writable(self._root):
            self.folder.mkdir(parents=True, exist_ok=True)
            settings = self.folder / "settings.json"
            if not settings.exists():
                settings.write_text(json.dumps(self._settings, indent=2, sort_keys=True))
            name = uuid.uuid4().hex
            unfinished = self.folder / f"{name}.unfinished"
            with unfinished.open("wb") as stream:
                with pa.ipc.new_file(stream, self._schema) as writer:
                    writer.write_table(table.cast(self._schema).combine_chunks())
                stream.flush()
                os.fsync(stream.fileno())  # or a power cut could leave a name without content
            file = unfinished.rename(self.folder / f"{name}{SUFFIX}")
        self._add(file, table.num_rows)
        return np.arange(self._ends[-2], self._ends[-1])

    def visit(self, rows: "np.ndarray") -> Iterator[Visit]:
        """Yield, part by part, the rows asked for; a part is let go of when the next is asked.

        Args:
            rows: (asked,) rows as `find` and `append` number them, in any order, repeated or not.
        """
        import numpy as np

        order = np.argsort(rows, kind="stable")
        ends = np.searchsorted(rows[order], self._ends)
        for number, file in enumerate(self._files):
            asked = order[ends[number] : ends[number + 1]]
            if len(asked):
                with pa.memory_map(str(file)) as source:
                    table = pa.ipc.open_file(source).read_all()
                yield Visit(asked, rows[asked] - self._ends[number], table)

    def _add(self, file: Path, rows: int) -> None:
        self._files.append(file)
        self._ends.append(self._ends[-1] + rows)

    def _read_keys(self, file: Path) -> pa.Array | None:
        """Read the keys of a part into memory; None if it is not what `append` writes."""
        try:
            with pa.memory_map(str(file)) as source:
                keys = pa.ipc.open_file(source).read_all().column("key")
                # copied, or every part would stay mapped: the system limits how many can be
                return pa.concat_arrays([*keys.chunks, pa.array([], keys.type)])
        except (pa.ArrowInvalid, OSError, KeyError) as error:
            logger.warning("%s cannot be read and is made again: %s", file, error)
            return None


def to_column(numbers: "np.ndarray", kind: str) -> pa.Array:
    """Hold rows of numbers of four bytes as binary values of one length.

    Args:
        numbers: (rows, length).
        kind: Their type, `<f4` or `<i4`.
    """
    import numpy as np

    rows = np.ascontiguousarray(numbers, dtype=kind)
    width = pa.binary(4 * rows.shape[1])
    return pa.Array.from_buffers(width, len(rows), [None, pa.py_buffer(rows)])


def to_rows(column: pa.ChunkedArray, kind: str, length: int) -> "np.ndarray":
    """Read a column that `to_column` made, (rows, length), without a copy."""
    import numpy as np

    (chunk,) = column.chunks
    rows = np.frombuffer(chunk.buffers()[1], dtype=kind).reshape(-1, length)
    found: np.ndarray = rows[chunk.offset : chunk.offset + len(chunk)]
    return found
