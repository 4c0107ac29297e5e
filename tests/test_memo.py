"""The memo: computed once, kept through kills, apart for other settings."""

from collections.abc import Iterator
from pathlib import Path

import pyarrow as pa
import pytest

from tasks import memo as memo_module
from tasks.memo import Memo


class Doubling:
    """A computation that remembers what it was asked."""

    def __init__(self, fails_at: int | None = None) -> None:
        self.asked: list[int] = []
        self.fails_at = fails_at

    def __call__(self, items: list[int]) -> Iterator[int]:
        for item in items:
            if item == self.fails_at:
                raise RuntimeError("killed")
            self.asked.append(item)
            yield 2 * item


def open_memo(root: Path, **settings: object) -> Memo:
    return Memo(root, "doubles", settings, pa.int64())


def items(*numbers: int) -> dict[str, int]:
    return {str(number): number for number in numbers}


def test_an_item_is_computed_once_and_the_order_is_the_askers(tmp_path: Path) -> None:
    compute = Doubling()
    assert open_memo(tmp_path).fill(items(1, 2, 3), compute).to_pylist() == [2, 4, 6]
    memo = open_memo(tmp_path)
    assert memo.fill(items(3, 4, 1), compute).to_pylist() == [6, 8, 2]
    assert compute.asked == [1, 2, 3, 4]
    assert memo.computed == 1


def test_what_was_done_before_a_failure_is_kept(tmp_path: Path) -> None:
    compute = Doubling(fails_at=5)
    with pytest.raises(RuntimeError):
        open_memo(tmp_path).fill(items(*range(8)), compute, part_items=2)
    again = Doubling()
    open_memo(tmp_path).fill(items(*range(8)), again, part_items=2)
    assert again.asked == [4, 5, 6, 7]


def test_other_settings_share_nothing(tmp_path: Path) -> None:
    open_memo(tmp_path, weights="a").fill(items(1), Doubling())
    compute = Doubling()
    open_memo(tmp_path, weights="b").fill(items(1), compute)
    assert compute.asked == [1]


def test_half_written_parts_are_not_read(tmp_path: Path) -> None:
    open_memo(tmp_path).fill(items(1), Doubling())
    folder = next((tmp_path / "memo" / "doubles").iterdir())
    (folder / "x.unfinished").write_text("half")
    assert open_memo(tmp_path).fill(items(1), Doubling()).to_pylist() == [2]


def test_progress_counts_found_and_computed(tmp_path: Path) -> None:
    told: list[int] = []
    open_memo(tmp_path).fill(items(1, 2), Doubling())
    open_memo(tmp_path).fill(items(1, 2, 3), Doubling(), advance=told.append)
    assert told == [2, 1]


def test_nothing_asked_is_nothing_answered(tmp_path: Path) -> None:
    assert open_memo(tmp_path).fill({}, Doubling()).to_pylist() == []


@pytest.mark.parametrize("most", [1, 100, 1000])
def test_bounds_of_bytes_change_no_result(
    most: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = items(*range(50))
    long = {key: "x" * (number % 7 * 30) + key for key, number in asked.items()}
    monkeypatch.setattr(memo_module, "BLOCK_BYTES", most)
    memo = Memo(tmp_path, "texts", {}, pa.list_(pa.string()))
    told: list[int] = []
    some = dict(list(long.items())[::3])
    memo.fill(some, lambda texts: [[text, text] for text in texts], part_items=8)
    found = memo.fill(
        long, lambda texts: ([text, text] for text in texts), part_items=8, advance=told.append
    )
    assert found.to_pylist() == [[text, text] for text in long.values()]
    assert memo.computed == sum(told) == 50
    assert all(block.nbytes <= most or len(block) == 1 for block in found.chunks)
    folder = next((tmp_path / "memo" / "texts").iterdir())
    sizes = []
    for file in folder.glob("*.arrow"):
        with pa.memory_map(str(file)) as source:
            sizes.append(pa.ipc.open_file(source).read_all().column("value"))
    assert all(values.nbytes <= most or len(values) == 1 for values in sizes)


def test_too_few_results_are_refused(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="1 results were computed where 2 are wanted"):
        open_memo(tmp_path).fill(items(1, 2), lambda numbers: numbers[:1])
