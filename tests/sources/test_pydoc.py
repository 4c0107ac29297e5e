"""Python's documentation: the same in every run, under names a reader would import."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tasks.core.text import Document
from tasks.sources.pydoc import Pydoc, read_pydoc


@pytest.fixture(scope="module")
def entries() -> dict[str, Document]:
    return {item.document_id: item for item in read_pydoc() if isinstance(item, Document)}


def test_names_are_those_of_the_documentation(entries: dict[str, Document]) -> None:
    wanted = {"json.dumps", "os.path.join", "str.split", "pathlib.Path.glob", "topic:with"}
    assert wanted <= set(entries)
    assert len(entries) > 3000


def test_reading_twice_gives_the_same(entries: dict[str, Document]) -> None:
    again = [item for item in read_pydoc() if isinstance(item, Document)]
    assert again == list(entries.values())


def test_another_process_reads_the_same() -> None:
    code = "from tasks.sources.pydoc import read_pydoc; print(list(read_pydoc('email')))"
    runs = {
        subprocess.run(
            [sys.executable, "-c", code],
            capture_output=True,
            check=True,
            env={**os.environ, "PYTHONHASHSEED": seed},
        ).stdout
        for seed in "12"
    }
    assert len(runs) == 1


def test_one_package_alone() -> None:
    names = [item.document_id for item in Pydoc("json").read() if isinstance(item, Document)]
    assert "json.dumps" in names
    assert all(name.startswith("json") for name in names)


def test_a_package_that_changes_has_another_fingerprint(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path / "burnish_sample"
    folder.mkdir()
    (folder / "__init__.py").write_text('"""One."""')
    monkeypatch.syspath_prepend(folder.parent)
    before = Pydoc("burnish_sample").fingerprint()
    assert Pydoc("burnish_sample").fingerprint() == before
    (folder / "__init__.py").write_text('"""Two."""')
    assert Pydoc("burnish_sample").fingerprint() != before
