"""Memory of a map is given up, and nothing that was written is lost."""

import re
import sys
from pathlib import Path

import numpy as np
import pytest

from tasks.core.mapped import release

NUMBERS = 2**23


def mapped_mebibytes() -> int:
    """Return how much of the files that this process mapped is in its memory."""
    status = Path("/proc/self/status").read_text()
    found = re.search(r"RssFile:\s+(\d+) kB", status)
    assert found is not None
    return int(found[1]) // 1024


@pytest.mark.skipif(sys.platform != "linux", reason="the system tells it on Linux alone")
def test_pages_that_were_read_are_given_up(tmp_path: Path) -> None:
    vectors = np.memmap(tmp_path / "vectors", np.float32, "w+", shape=(2, NUMBERS // 8, 4))
    vectors[:] = 1
    before = mapped_mebibytes()
    release(vectors.swapaxes(0, 1)[:, 1])  # a view of a view
    assert before - mapped_mebibytes() >= 4 * NUMBERS // 2**20 - 1
    assert (vectors == 1).all()


def test_private_changes_are_not_lost(tmp_path: Path) -> None:
    np.zeros(4096, np.float32).tofile(tmp_path / "vectors")
    vectors = np.memmap(tmp_path / "vectors", np.float32, "c")
    vectors[:] = 1
    release(vectors)
    assert (vectors == 1).all()


def test_an_array_in_memory_is_left_alone() -> None:
    vectors = np.ones((4, 4), np.float32)
    release(vectors[1:])
    assert (vectors == 1).all()
