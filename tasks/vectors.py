"""Vectors on disk: kept by key, layer by layer, and gathered into a memory map."""

import os
import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pyarrow as pa

from .contracts import writable
from .parts import Parts, to_column, to_rows

if TYPE_CHECKING:
    import numpy as np

KEY = pa.binary(16)  # half a SHA-256: no two texts of any corpus have it in common
RELEASED_BYTES = 2**24  # written to a map between two releases of its memory
SHORTENED_ROWS = 8192  # vectors shortened at once


class VectorMemo:
    """The vectors of items at some layers, computed once; memory is that of one part.

    A layer is a column of its own, so reading one layer reads nothing of the others.
    """

    def __init__(
        self,
        root: Path,
        name: str,
        settings: dict[str, Any],
        layers: Sequence[int],
        dimension: int,
    ) -> None:
        """Open the memo `name` for these settings.

        Args:
            root: Folder of all nouns.
            name: What is memoised: `embeddings`.
            settings: Everything but the item that decides a vector; anything JSON can hold.
            layers: Layers that are kept of each item.
            dimension: Numbers of a vector.
        """
        kind = pa.binary(4 * dimension)
        columns = [("key", KEY), *((_column(layer), kind) for layer in layers)]
        self._root = root
        self._layers = list(layers)
        self._dimension = dimension
        self._schema = pa.schema(columns)
        self._parts = Parts(root, name, settings, self._schema)
        self.computed = 0

    def find(self, keys: pa.Array) -> "np.ndarray":
        """Return the row of each key that was there at the start, (keys,); -1 for none."""
        return self._parts.find(keys)

    def fill(
        self,
        keys: pa.Array,
        compute: "Callable[[np.ndarray], np.ndarray]",
        *,
        part_items: int,
        advance: Callable[[int], object] = lambda count: None,
    ) -> "np.ndarray":
        """Compute the vectors that are not there.

        Args:
            keys: Key of each item, of type `KEY`, none twice.
            compute: Given numbers of items, (items,), returns (items, layers, dimension) float32;
                called with at most `part_items`.
            part_items: Items between two writes, hence the most a kill can lose.
            advance: Told the number of items found.

        Returns:
            (items,) the row of each, for `gather`; `computed` tells how many were computed.
        """
        import numpy as np

        rows = self._parts.find(keys)
        missing = np.flatnonzero(rows < 0)
        advance(len(rows) - len(missing))
        for start in range(0, len(missing), part_items):
            numbers = missing[start : start + part_items]
            vectors = compute(numbers)
            columns = [to_column(vectors[:, place], "<f4") for place in range(len(self._layers))]
            asked = keys.take(pa.array(numbers))
            rows[numbers] = self._parts.append(
                pa.Table.from_arrays([asked, *columns], schema=self._schema)
            )
            self.computed += len(numbers)
        return rows

    def gather(self, rows: "np.ndarray", layers: Sequence[int]) -> "np.ndarray":
        """Return vectors in the order of `rows`, in a memory map of a file that has no name.

        Args:
            rows: (items,) what `fill` returned, in any order, repeated or not.
            layers: Layers wanted, in any order.

        Returns:
            (items, layers, dimension) float32; each layer lies in one piece.
        """
        from .core.mapped import release

        vectors = map_new(self._root, (len(layers), len(rows), self._dimension))
        written = 0
        for visit in self._parts.visit(rows):
            for place, layer in enumerate(layers):
                column = to_rows(visit.table.column(_column(layer)), "<f4", self._dimension)
                vectors[place, visit.asked] = column[visit.rows]
            written += 4 * len(visit.asked) * len(layers) * self._dimension
            if written >= RELEASED_BYTES:
                release(vectors)
                written = 0
        release(vectors)
        return vectors.swapaxes(0, 1)


def map_new(root: Path, shape: tuple[int, ...]) -> "np.ndarray":
    """Map a new file, which goes with the array: nothing is left of it after a kill.

    Args:
        root: Folder of all nouns, on whose disk the file is.
        shape: Shape of the array of float32, full of zeros.

    Raises:
        BurnishError: the disk is full or `root` cannot be written.
    """
    import math

    import numpy as np

    size = 4 * math.prod(shape)
    if not size:  # nothing can be mapped
        return np.zeros(shape, dtype=np.float32)
    with writable(root):
        folder = root / "unfinished"
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=folder) as file:
            if hasattr(os, "posix_fallocate"):  # else a full disk would be a signal that kills
                os.posix_fallocate(file.fileno(), 0, size)
            else:
                file.truncate(size)
            return np.memmap(file, dtype=np.float32, mode="r+", shape=shape)


def shorten_vectors(
    root: Path, vectors: "np.ndarray", dimension: int, *, normalize: bool
) -> "np.ndarray":
    """Keep the first numbers of vectors, in a memory map of their own.

    Args:
        root: Folder of all nouns, on whose disk the map is.
        vectors: (vectors, whole dimension).
        dimension: Numbers kept of each.
        normalize: Whether what is kept is scaled to length 1 again.

    Returns:
        (vectors, dimension) float32; `vectors` themselves if nothing goes.
    """
    if dimension == vectors.shape[1]:
        return vectors
    import numpy as np
    import torch

    from .core.mapped import release
    from .core.pooling import shorten

    kept = map_new(root, (len(vectors), dimension))
    for start in range(0, len(vectors), SHORTENED_ROWS):
        rows = slice(start, start + SHORTENED_ROWS)
        block = torch.from_numpy(np.array(vectors[rows, :dimension]))
        kept[rows] = shorten(block, dimension, normalize=normalize).numpy()
        release(vectors)
        release(kept)
    return kept


def _column(layer: int) -> str:
    return f"layer_{layer}"
