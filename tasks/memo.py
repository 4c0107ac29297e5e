"""Results per item (document, passage, query), kept across runs and keyed by content."""

import json
import uuid
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from .contracts import fingerprint, writable


class Memo:
    """An append-only Parquet store: what was computed for an item once is never computed again.

    The folder is named by everything but the item that decides a result (settings, weights,
    code), so a change of any of them starts an empty memo beside the old one. A part is written
    elsewhere and renamed, so a killed process loses at most the items since the last part.
    """

    def __init__(self, root: Path, name: str, settings: dict[str, Any], kind: pa.DataType) -> None:
        """Open the memo `name` for these settings.

        Args:
            root: Folder of all nouns.
            name: What is memoised: `passages`, `embeddings`, `answers`.
            settings: Everything but the item that decides a result; anything JSON can hold.
            kind: Arrow type of one result.
        """
        self._root = root
        self._folder = root / "memo" / name / fingerprint(name, settings)
        self._settings = settings
        self._schema = pa.schema([("key", pa.string()), ("value", kind)])
        self.computed = 0

    def fill(
        self,
        items: dict[str, Any],
        compute: Callable[[list[Any]], Iterator[Any] | Sequence[Any]],
        *,
        part_items: int = 1024,
        advance: Callable[[int], object] = lambda count: None,
    ) -> pa.ChunkedArray:
        """Return one result per item, computing only those that are not there.

        Args:
            items: Item by key; a key is a hash of all of the item that matters.
            compute: Results of a list of items, in order; called with at most `part_items`.
            part_items: Items between two writes, hence the most a kill can lose.
            advance: Told the number of items done, those found included.

        Returns:
            The results in the order of `items`; `computed` tells how many were computed.
        """
        known = self._read(set(items))
        missing = [key for key in items if key not in known]
        advance(len(items) - len(missing))
        parts = [pa.table({"key": [], "value": []}, schema=self._schema)]
        for start in range(0, len(missing), part_items):
            keys = missing[start : start + part_items]
            values = pa.array(list(compute([items[key] for key in keys])), self._schema[1].type)
            parts.append(pa.table({"key": keys, "value": values}, schema=self._schema))
            self._append(parts[-1])
            self.computed += len(keys)
            advance(len(keys))
        return self._ordered(list(items), known, parts)

    def _ordered(
        self, keys: list[str], known: dict[str, tuple[int, int]], parts: list[pa.Table]
    ) -> pa.ChunkedArray:
        tables = [*self._tables, *parts]
        offsets, total = [], 0
        for table in tables:
            offsets.append(total)
            total += table.num_rows
        places = {key: offsets[part] + row for key, (part, row) in known.items()}
        for part, table in enumerate(parts, start=len(self._tables)):
            for row, key in enumerate(table.column("key").to_pylist()):
                places[key] = offsets[part] + row
        return (
            pa.concat_tables(tables)
            .column("value")
            .take(pa.array([places[key] for key in keys], pa.int64()))
        )

    def _read(self, wanted: set[str]) -> dict[str, tuple[int, int]]:
        self._tables: list[pa.Table] = []
        known: dict[str, tuple[int, int]] = {}
        for file in sorted(self._folder.glob("*.parquet")):
            table = pq.read_table(file, schema=self._schema, memory_map=True)
            for row, key in enumerate(table.column("key").to_pylist()):
                if key in wanted:
                    known[key] = (len(self._tables), row)
            self._tables.append(table)
        return known

    def _append(self, table: pa.Table) -> None:
        with writable(self._root):
            self._folder.mkdir(parents=True, exist_ok=True)
            settings = self._folder / "settings.json"
            if not settings.exists():
                settings.write_text(json.dumps(self._settings, indent=2, sort_keys=True))
            name = uuid.uuid4().hex
            pq.write_table(table, self._folder / f"{name}.unfinished")
            (self._folder / f"{name}.unfinished").rename(self._folder / f"{name}.parquet")
