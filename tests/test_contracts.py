"""Nouns: whole or not there, refused where a column is wrong, named by their content."""

import errno
import subprocess
import sys
from pathlib import Path

import pyarrow as pa
import pytest

from tasks.contracts import BurnishError, Triplets, writable

ROWS = [
    {
        "query_id": "a",
        "passage_id": "p",
        "negative_ids": ["n"],
        "unknown_ids": [],
        "score": 0.75,
        "negative_scores": [0.5],
    },
    {
        "query_id": "b",
        "passage_id": "q",
        "negative_ids": [],
        "unknown_ids": ["u"],
        "score": 0.5,
        "negative_scores": [],
    },
]


def test_reads_what_was_written_and_what_was_set_aside(tmp_path: Path) -> None:
    rejects = [{"item": "c", "source": "here", "reason": "too short"}]
    noun = Triplets.write(tmp_path, ROWS, facts={"kept": 2}, rejects=rejects)
    assert noun.read().to_pylist() == ROWS
    assert noun.read_rejects().to_pylist() == rejects
    assert noun.facts == {"rows": 2, "kept": 2}
    assert Triplets.open(noun.path) == noun


def test_same_content_has_the_same_name_and_other_content_another(tmp_path: Path) -> None:
    first = Triplets.write(tmp_path / "a", ROWS)
    assert Triplets.write(tmp_path / "b", ROWS).fingerprint == first.fingerprint
    assert Triplets.write(tmp_path / "a", ROWS[:1]).fingerprint != first.fingerprint
    assert len(list((tmp_path / "a" / "triplets").iterdir())) == 2


def test_a_missing_column_and_a_null_are_refused_by_name(tmp_path: Path) -> None:
    with pytest.raises(BurnishError, match=r"Triplets lacks the columns \['unknown_ids'\]"):
        Triplets.write(tmp_path, pa.Table.from_pylist(ROWS).drop_columns("unknown_ids"))
    with pytest.raises(BurnishError, match="Triplets.passage_id is null in row 1"):
        Triplets.write(tmp_path, [ROWS[0], ROWS[1] | {"passage_id": None}])
    assert not (tmp_path / "triplets").exists()


def test_no_rows_are_a_table_too(tmp_path: Path) -> None:
    assert Triplets.write(tmp_path, []).read().num_rows == 0


def test_a_crash_while_writing_leaves_nothing_that_can_be_read(tmp_path: Path) -> None:
    code = (
        "import os, pathlib; from tasks.contracts import Triplets\n"
        "def write(folder):\n"
        "    (folder / 'part-00000.parquet').write_text('half'); os.kill(os.getpid(), 9)\n"
        f"Triplets.commit(pathlib.Path({str(tmp_path)!r}), write, {{}})"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == -9
    assert not (tmp_path / "triplets").exists()
    assert Triplets.write(tmp_path, ROWS).read().num_rows == 2


def test_an_unsigned_leftover_is_replaced(tmp_path: Path) -> None:
    noun = Triplets.write(tmp_path, ROWS)
    (noun.path / "manifest.json").unlink()
    (noun.path / "part-00000.parquet").write_text("half")
    assert Triplets.write(tmp_path, ROWS).read().to_pylist() == ROWS


def test_a_noun_that_is_gone_says_how_to_make_it_again(tmp_path: Path) -> None:
    noun = Triplets.write(tmp_path, ROWS)
    (noun.path / "manifest.json").unlink()
    with pytest.raises(BurnishError, match=r"is gone from .* PREFECT_TASKS_REFRESH_CACHE=true"):
        noun.read()


@pytest.mark.parametrize(
    ("number", "told"),
    [(errno.ENOSPC, "The disk is full"), (errno.EROFS, "Make the folder writable")],
)
def test_errors_of_the_disk_say_what_to_do(tmp_path: Path, number: int, told: str) -> None:
    with pytest.raises(BurnishError, match=told), writable(tmp_path):
        raise OSError(number, "as the system says it")


def test_a_root_that_is_a_file_is_refused(tmp_path: Path) -> None:
    (tmp_path / "root").write_text("")
    with pytest.raises(BurnishError, match="Cannot write below"):
        Triplets.write(tmp_path / "root", ROWS)
