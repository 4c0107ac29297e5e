"""Vectors come back as they were computed, in a map whose layers lie in one piece."""

import re
import sys
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest

from tasks import vectors as vectors_module
from tasks.contracts import BurnishError
from tasks.kept_vectors import text_keys
from tasks.vectors import VectorMemo, map_new


def open_memo(root: Path) -> VectorMemo:
    return VectorMemo(root, "embeddings", {"model": "a"}, [1, 3], 8)


def keys(*numbers: int) -> pa.Array:
    return text_keys(str(number) for number in numbers)


def compute(*numbers: int) -> np.ndarray:
    """Make up (items, 2 layers, 8) out of the numbers."""
    shape = np.arange(16, dtype=np.float32).reshape(2, 8)
    return np.array(numbers, dtype=np.float32)[:, None, None] + 100 * shape


def fill(memo: VectorMemo, *numbers: int, part_items: int = 3) -> np.ndarray:
    return memo.fill(
        keys(*numbers), lambda some: compute(*np.array(numbers)[some]), part_items=part_items
    )


def test_what_was_computed_comes_back_in_the_order_asked(tmp_path: Path) -> None:
    fill(open_memo(tmp_path), *range(8))
    memo = open_memo(tmp_path)
    rows = fill(memo, 9, 5, 0, 7)
    found = memo.gather(rows[[3, 0, 1, 1, 2]], [3, 1])
    assert memo.computed == 1
    assert np.array_equal(found, compute(7, 9, 5, 5, 0)[:, [1, 0]])


def test_a_layer_is_one_piece_of_a_map_that_leaves_no_file(tmp_path: Path) -> None:
    memo = open_memo(tmp_path)
    found = memo.gather(fill(memo, *range(8)), [1, 3])
    assert isinstance(found, np.memmap)
    assert found[:, 1].flags.c_contiguous
    assert list((tmp_path / "unfinished").iterdir()) == []


def test_nothing_asked_is_nothing_gathered(tmp_path: Path) -> None:
    memo = open_memo(tmp_path)
    assert memo.gather(fill(memo), [1, 3]).shape == (0, 2, 8)


def test_a_full_disk_is_an_error_and_not_a_signal(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(vectors_module.os, "posix_fallocate", refuse)
    with pytest.raises(BurnishError, match="disk is full"):
        map_new(tmp_path, (4, 4))


@pytest.mark.skipif(sys.platform != "linux", reason="the system tells it on Linux alone")
def test_memory_is_that_of_a_part(tmp_path: Path) -> None:
    memo = VectorMemo(tmp_path, "embeddings", {}, [1], 512)
    count = 65536  # 128 MiB of vectors

    def mebibytes() -> int:
        found = re.findall(r"Rss(?:Anon|File):\s+(\d+) kB", Path("/proc/self/status").read_text())
        return sum(map(int, found)) // 1024

    before = mebibytes()
    most = 0

    def compute(some: np.ndarray) -> np.ndarray:
        nonlocal most
        most = max(most, mebibytes())
        return np.broadcast_to(some[:, None, None].astype(np.float32), (len(some), 1, 512))

    rows = memo.fill(keys(*range(count)), compute, part_items=2048)
    found = memo.gather(rows, [1])
    assert max(most, mebibytes()) - before < 64
    assert np.array_equal(found[:, 0, 7], np.arange(count))
