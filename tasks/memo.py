"""Results per item (document, passage, query), kept across runs and keyed by content."""

from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pyarrow as pa

from .parts import Parts

if TYPE_CHECKING:
    import numpy as np

BLOCK_ITEMS = 65536  # results put in order at once
BLOCK_BYTES = 1 << 28  # of them, far below the 2 GiB that Arrow's texts can have


class Memo:
    """What was computed for an item once is never computed again.

    What decides a result besides the item (settings, weights, code) names the folder. A part is
    written whole or not at all, so a killed process loses at most the items since the last one.
    """

    def __init__(self, root: Path, name: str, settings: dict[str, Any], kind: pa.DataType) -> None:
        """Open the memo `name` for these settings.

        Args:
            root: Folder of all nouns.
            name: What is memoised: `passages`, `answers`.
            settings: Everything but the item that decides a result; anything JSON can hold.
            kind: Arrow type of one result.
        """
        self._schema = pa.schema([("key", pa.string()), ("value", kind)])
        self._where = root, name, settings
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
        import numpy as np

        parts = Parts(*self._where, self._schema)
        keys = list(items)
        rows = parts.find(pa.array(keys, pa.string()))
        missing = np.flatnonzero(rows < 0)
        advance(len(keys) - len(missing))
        for start in range(0, len(missing), part_items):
            numbers = missing[start : start + part_items]
            asked = [keys[number] for number in numbers]
            done = 0
            for values in self._bounded(compute([items[key] for key in asked])):
                some = slice(done, done + len(values))
                table = pa.table({"key": asked[some], "value": values}, schema=self._schema)
                rows[numbers[some]] = parts.append(table)
                done += len(values)
                self.computed += len(values)
                advance(len(values))
            if done != len(asked):
                raise ValueError(f"{done} results were computed where {len(asked)} are wanted")
        return self._read(parts, rows)

    def _bounded(self, results: "Iterator[Any] | Sequence[Any]") -> Iterator[pa.Array]:
        """Gather results into arrays of at most `BLOCK_BYTES`, or of a single one."""
        pieces: list[pa.Array] = []
        held = 0
        for result in results:
            piece = pa.array([result], self._schema[1].type)
            if pieces and held + piece.nbytes > BLOCK_BYTES:
                yield pa.concat_arrays(pieces)
                pieces, held = [], 0
            pieces.append(piece)
            held += piece.nbytes
        if pieces:
            yield pa.concat_arrays(pieces)

    def _read(self, parts: Parts, rows: "np.ndarray") -> pa.ChunkedArray:
        blocks: list[pa.Array] = []
        for start in range(0, len(rows), BLOCK_ITEMS):
            blocks += self._read_block(parts, rows[start : start + BLOCK_ITEMS])
        return pa.chunked_array(blocks, self._schema[1].type)

    def _read_block(self, parts: Parts, rows: "np.ndarray") -> list[pa.Array]:
        import numpy as np

        visits: list[tuple[np.ndarray, pa.ChunkedArray]] = []
        size = 0
        for visit in parts.visit(rows):
            values = visit.table.column("value").take(pa.array(visit.rows))
            size += values.nbytes
            if size > BLOCK_BYTES and len(rows) > 1:
                visits.clear()
                half = len(rows) // 2
                return [
                    *self._read_block(parts, rows[:half]),
                    *self._read_block(parts, rows[half:]),
                ]
            visits.append((visit.asked, values))
        order = np.argsort(np.concatenate([asked for asked, _ in visits]))
        pieces = [chunk for _, values in visits for chunk in values.chunks]
        return [pa.concat_arrays(pieces).take(pa.array(order))]
