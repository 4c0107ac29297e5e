"""The inventory: an unchanged file is not read again, and a changed one always is."""

import os
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from tasks.sources.inventory import Inventory, _is_young


def settle(*files: Path) -> None:
    """Wait until the files are old enough to be known by their looks."""
    while time.time_ns() - max(file.stat().st_ctime_ns for file in files) < 60_000_000:
        time.sleep(0.01)


def look(root: Path | None, *files: Path) -> tuple[list[str], int]:
    with Inventory(root, "source") as inventory:
        return [inventory.hash(file) for file in files], inventory.hashed


def test_a_file_is_read_once(tmp_path: Path) -> None:
    one, two = tmp_path / "1", tmp_path / "2"
    one.write_text("one")
    two.write_text("two")
    settle(one, two)
    first, hashed = look(tmp_path / "root", one, two)
    assert hashed == 2
    assert look(tmp_path / "root", one, two) == (first, 0)
    assert look(None, one, two) == (first, 2)


def test_every_way_to_change_a_file_is_seen(tmp_path: Path) -> None:
    file, other = tmp_path / "a", tmp_path / "b"
    file.write_text("old")
    settle(file)
    before, _ = look(tmp_path / "root", file)
    status = file.stat()
    file.write_text("new")  # as long, and its time of modification set back
    os.utime(file, ns=(status.st_atime_ns, status.st_mtime_ns))
    assert file.stat().st_mtime_ns == status.st_mtime_ns
    after, hashed = look(tmp_path / "root", file)
    assert hashed == 1
    assert after != before
    other.write_text("old")
    os.utime(other, ns=(status.st_atime_ns, status.st_mtime_ns))
    other.replace(file)  # another file took its place
    assert look(tmp_path / "root", file) == (before, 1)


def test_a_file_just_written_is_not_trusted(tmp_path: Path) -> None:
    file = tmp_path / "a"
    file.write_text("old")
    look(tmp_path / "root", file)
    _, hashed = look(tmp_path / "root", file)  # it could have changed within the clock's tick
    assert hashed == 1


def test_whole_seconds_are_coarse() -> None:
    second = 1_700_000_000_000_000_000
    stamp = (1, second, second, 1)
    assert _is_young(stamp, second + 1_900_000_000)
    assert not _is_young(stamp, second + 2_100_000_000)
    fine = (1, second + 1, second + 1, 1)
    assert _is_young(fine, second + 40_000_000)
    assert not _is_young(fine, second + 100_000_000)


def test_what_left_the_source_leaves_the_inventory(tmp_path: Path) -> None:
    one, two = tmp_path / "1", tmp_path / "2"
    one.write_text("one")
    two.write_text("two")
    settle(one, two)
    look(tmp_path / "root", one, two)
    look(tmp_path / "root", one)
    assert look(tmp_path / "root", one)[1] == 0
    assert look(tmp_path / "root", two)[1] == 1


def test_an_error_forgets_nothing(tmp_path: Path) -> None:
    one, two = tmp_path / "1", tmp_path / "2"
    one.write_text("one")
    two.write_text("two")
    settle(one, two)
    look(tmp_path / "root", one, two)
    with pytest.raises(RuntimeError), Inventory(tmp_path / "root", "source") as inventory:
        inventory.hash(one)
        raise RuntimeError
    assert look(tmp_path / "root", one, two)[1] == 0


def test_a_damaged_inventory_is_made_anew(tmp_path: Path) -> None:
    file = tmp_path / "a"
    file.write_text("a")
    settle(file)
    look(tmp_path / "root", file)
    (kept,) = (tmp_path / "root" / "memo" / "inventories").iterdir()
    kept.write_bytes(b"PAR1 cut")
    assert look(tmp_path / "root", file)[1] == 1
    assert look(tmp_path / "root", file)[1] == 0


def test_names_that_are_no_utf8_are_known_too(tmp_path: Path) -> None:
    file = Path(os.fsdecode(os.fsencode(tmp_path) + b"/\xff\n"))
    file.write_text("a")
    settle(file)
    look(tmp_path / "root", file)
    assert look(tmp_path / "root", file)[1] == 0


def test_the_last_version_of_a_copy_replaces_others(tmp_path: Path) -> None:
    made: list[str] = []

    def write(file: Path) -> None:
        made.append(file.name)
        file.write_text("x")

    inventory = Inventory(tmp_path, "source")
    one = inventory.keep("copies", "key", "1", write)
    assert inventory.keep("copies", "key", "1", write) == one
    two = inventory.keep("copies", "key", "2", write)
    assert (one.exists(), two.read_text(), len(made)) == (False, "x", 2)
    other = inventory.keep("copies", "other", "1", write)
    assert two.exists()
    assert other.exists()


def test_many_may_make_the_same_copy_at_once(tmp_path: Path) -> None:
    all_together = threading.Barrier(8, timeout=30)

    def write(file: Path) -> None:
        file.write_text("copy")
        all_together.wait()

    def keep(key: str) -> str:
        return Inventory(tmp_path, "source").keep("copies", key, "1", write).read_text()

    with ThreadPoolExecutor(8) as threads:
        for number in range(20):
            assert set(threads.map(keep, [str(number)] * 8)) == {"copy"}
    assert all(len(list(kept.iterdir())) == 1 for kept in (tmp_path / "memo/copies").iterdir())


def test_a_new_version_leaves_what_another_is_writing(tmp_path: Path) -> None:
    inventory = Inventory(tmp_path, "source")

    def write(file: Path) -> None:
        file.write_text("2")

    def write_slowly(file: Path) -> None:
        file.write_text("1")
        inventory.keep("copies", "key", "2", write)

    assert inventory.keep("copies", "key", "1", write_slowly).read_text() == "1"
