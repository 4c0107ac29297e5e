"""Rows are found by key in the parts that are whole, and read where they lie."""

from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest

from tasks.parts import Parts

SCHEMA = pa.schema([("key", pa.string()), ("value", pa.int64())])


def open_parts(root: Path, **settings: object) -> Parts:
    return Parts(root, "numbers", settings, SCHEMA)


def table(**values: int) -> pa.Table:
    return pa.table({"key": list(values), "value": list(values.values())}, schema=SCHEMA)


def read(parts: Parts, rows: np.ndarray) -> list[int]:
    found = [0] * len(rows)
    for visit in parts.visit(rows):
        for asked, row in zip(visit.asked, visit.rows, strict=True):
            found[asked] = visit.table.column("value")[row].as_py()
    return found


def test_rows_are_read_in_any_order_and_repeated(tmp_path: Path) -> None:
    open_parts(tmp_path).append(table(a=1, b=2))
    open_parts(tmp_path).append(table(c=3))
    parts = open_parts(tmp_path)
    late = parts.append(table(d=4))
    rows = parts.find(pa.array(["c", "a", "z", "c"]))
    assert rows[2] == -1
    assert read(parts, np.concatenate([rows[[0, 1, 3]], late])) == [3, 1, 3, 4]


def test_a_part_is_visited_once_and_none_in_vain(tmp_path: Path) -> None:
    parts = open_parts(tmp_path)
    rows = [parts.append(table(**{name: ord(name)})) for name in "abc"]
    visits = list(parts.visit(np.concatenate([rows[2], rows[0], rows[2]])))
    assert [visit.asked.tolist() for visit in visits] == [[1], [0, 2]]


@pytest.mark.parametrize("content", [b"", b"ARROW1\0\0", b"x" * 5000])
def test_a_damaged_part_is_told_and_made_again(
    content: bytes, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    parts = open_parts(tmp_path)
    parts.append(table(a=1))
    (parts.folder / "f.arrow").write_bytes(content)
    again = open_parts(tmp_path)
    assert again.find(pa.array(["a", "b"])).tolist()[1] == -1
    assert "f.arrow" in caplog.text
    assert read(again, again.find(pa.array(["a"]))) == [1]


def test_another_schema_is_refused(tmp_path: Path) -> None:
    with pytest.raises((ValueError, KeyError)):
        open_parts(tmp_path).append(pa.table({"key": ["a"], "other": [1]}))
