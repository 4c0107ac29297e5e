"""The hits of many queries among one set of passages, on disk."""

import contextlib
import json
import shutil
import uuid
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pyarrow as pa
import pyarrow.compute as pc

from .contracts import fingerprint, writable
from .parts import Parts, to_column, to_rows
from .vectors import KEY

if TYPE_CHECKING:
    import numpy as np

    from .core.hits import Hits

PASSAGES = "passages.keys"
FACTS = "facts.json"
KEPT = 3  # the last corpus's hits, and those of two others that something may be reading
# Where more of the passages are new, to search them all afresh costs hardly more.
MOST_ADDED = 0.25


class CorpusHits:
    """Hits among the passages of one corpus; beside it lie those of the corpora before it.

    Attributes:
        passages: Keys of the passages, in the order of their rows.
    """

    def __init__(self, root: Path, settings: dict[str, Any], passages: pa.Array) -> None:
        """Open the hits that are there.

        Args:
            root: Folder of all nouns.
            settings: All that decides the hits of a query but the passages; `k` is in it.
            passages: Keys of the passages, of type `vectors.KEY`.
        """
        from .core.flat import SPARE

        length = settings["k"] + SPARE
        lists = pa.binary(4 * length)
        columns = {"key": KEY, "rows": lists, "scores": lists, "floor": pa.float32()}
        self.passages = passages
        self._root = root
        self._settings = settings
        self._length = length
        self._schema = pa.schema(list(columns.items()))
        self._parts = Parts(
            root,
            f"hits/{fingerprint(settings)}",
            {**settings, "among": _fingerprint(passages)},
            self._schema,
        )

    def find_last(self) -> "CorpusHits | None":
        """Return those of the last corpus that was searched, if most passages are the same."""
        keys = next(filter(None, map(_read, self._list())), None)
        if keys is None:
            return None
        count = len(keys) // KEY.byte_width
        passages = pa.Array.from_buffers(KEY, count, [None, pa.py_buffer(keys)])
        known = pc.sum(pc.is_in(self.passages, value_set=passages)).as_py() or 0
        if known < (1 - MOST_ADDED) * len(self.passages):
            return None
        return CorpusHits(self._root, self._settings, passages)

    def find(self, keys: pa.Array) -> "np.ndarray":
        """Return where the hits of each query are, for `read`; -1 where there are none."""
        return self._parts.find(keys)

    def append(self, keys: pa.Array, some: "np.ndarray", hits: "Hits") -> "np.ndarray":
        """Keep the hits of some of the queries; return where they are."""
        columns = [
            keys.take(pa.array(some)),
            to_column(hits.rows, "<i4"),
            to_column(hits.scores, "<f4"),
            pa.array(hits.floors, pa.float32()),
        ]
        return self._parts.append(pa.Table.from_arrays(columns, schema=self._schema))

    def read(self, places: "np.ndarray", length: int | None = None) -> "Hits":
        """Read the hits that are at some places, or the first `length` of each list."""
        from .core.hits import no_hits

        length = length or self._length
        hits = no_hits(len(places), length)
        for visit in self._parts.visit(places):
            rows = to_rows(visit.table.column("rows"), "<i4", self._length)
            scores = to_rows(visit.table.column("scores"), "<f4", self._length)
            hits.rows[visit.asked] = rows[visit.rows, :length]
            hits.scores[visit.asked] = scores[visit.rows, :length]
            hits.floors[visit.asked] = visit.table.column("floor").to_numpy()[visit.rows]
        return hits

    def compare(self, other: "CorpusHits") -> "tuple[np.ndarray, np.ndarray]":
        """Tell what became of the passages.

        Returns:
            (passages,) the row of each in the other corpus, -1 if it is not there; and the
            rows of those that are there alone, ascending. Of passages with one text the first is
            the same, the others are other ones.
        """
        import numpy as np

        found = pc.index_in(self.passages, value_set=other.passages)
        rows = pc.fill_null(found, -1).to_numpy(zero_copy_only=False).astype(np.int64)
        numbers = self.passages.dictionary_encode().indices.to_numpy()
        is_first = np.zeros(len(rows), dtype=bool)
        is_first[np.unique(numbers, return_index=True)[1]] = True
        rows[~is_first] = -1
        is_new = np.ones(len(other.passages), dtype=bool)
        is_new[rows[rows >= 0]] = False
        return rows, np.flatnonzero(is_new)

    def finish(
        self, facts: dict[str, object] | None, before: "CorpusHits | None"
    ) -> dict[str, object]:
        """Make this the last one, and remove those that are long past.

        Args:
            facts: How hits were searched; None if none was searched in full.
            before: Those that were updated, if any were.

        Returns:
            How these hits, or those they came of, were searched.
        """
        folder = self._parts.folder
        told = facts or self._read_facts() or (before._read_facts() if before else {})
        with writable(self._root):
            folder.mkdir(parents=True, exist_ok=True)
            _replace(folder / FACTS, json.dumps(told).encode())
            _replace(folder / PASSAGES, self.passages.buffers()[1] or b"")
        for past in self._list()[KEPT:]:
            shutil.rmtree(past.parent, ignore_errors=True)
        return told

    def _list(self) -> list[Path]:
        """Return the keys of all corpora, the last first; another run may remove some meanwhile."""
        found = []
        for file in self._parts.folder.parent.glob(f"*/{PASSAGES}"):
            with contextlib.suppress(FileNotFoundError):
                found.append((-file.stat().st_mtime, file))
        return [file for _, file in sorted(found)]

    def _read_facts(self) -> dict[str, object]:
        file = self._parts.folder / FACTS
        facts: dict[str, object] = json.loads(file.read_text()) if file.exists() else {}
        return facts


def _read(file: Path) -> bytes:
    with contextlib.suppress(FileNotFoundError):
        return file.read_bytes()
    return b""


def _replace(file: Path, content: bytes) -> None:
    unfinished = file.with_name(f"{uuid.uuid4().hex}.unfinished")
    unfinished.write_bytes(content)
    unfinished.replace(file)


def _fingerprint(keys: pa.Array) -> str:
    import hashlib

    return hashlib.sha256(keys.buffers()[1] or b"").hexdigest()[:16]
