"""Python's documentation: the same in every run, under names a reader would import."""

import subprocess
import textwrap
from pathlib import Path

import pytest

from tasks.contracts import BurnishError
from tasks.core.text import Document
from tasks.sources.inventory import Inventory
from tasks.sources.pydoc import Pydoc


def read(package: str = "", root: Path | None = None) -> list[Document]:
    items = Pydoc(package).read(Inventory(root))
    return [item for item in items if isinstance(item, Document)]


@pytest.fixture(scope="module")
def entries() -> dict[str, Document]:
    return {item.document_id: item for item in read()}


def test_names_are_those_of_the_documentation(entries: dict[str, Document]) -> None:
    wanted = {"json.dumps", "os.path.join", "str.split", "pathlib.Path.glob", "topic:with"}
    assert wanted <= set(entries)
    assert len(entries) > 3000


def test_what_this_process_imported_and_replaced_does_not_matter(
    entries: dict[str, Document], monkeypatch: pytest.MonkeyPatch
) -> None:
    def shorten() -> None:
        """Another docstring, of quite another function, in the place of the library's own."""

    monkeypatch.setattr(textwrap, "shorten", shorten)  # as torch replaces inspect.getfile
    assert read() == list(entries.values())


def test_a_library_that_is_the_same_is_walked_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = read("json", tmp_path)
    monkeypatch.setattr(subprocess, "run", None)
    assert read("json", tmp_path) == first


def test_one_package_alone() -> None:
    names = [document.document_id for document in read("json")]
    assert "json.dumps" in names
    assert all(name.startswith("json") for name in names)


def test_a_package_that_changes_has_another_fingerprint(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path / "burnish_sample"
    folder.mkdir()
    (folder / "__init__.py").write_text('"""One."""')
    monkeypatch.syspath_prepend(folder.parent)
    before = Pydoc("burnish_sample").fingerprint(Inventory(None))
    assert Pydoc("burnish_sample").fingerprint(Inventory(None)) == before
    (folder / "__init__.py").write_text('"""Two."""')
    assert Pydoc("burnish_sample").fingerprint(Inventory(None)) != before


@pytest.mark.parametrize(
    ("source", "message"),
    [
        ("raise RuntimeError('broken')", None),  # set aside with its reason
        ("import os; os._exit(3)", "Reading pydoc:burnish_ends failed with status 3"),
        ("print('noise'); import atexit; atexit.register(print, 'farewell')", None),
    ],
)
def test_a_package_that_misbehaves(
    source: str, message: str | None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "burnish_ends.py").write_text(
        f'"""A module that does what it must not."""\n{source}'
    )
    monkeypatch.syspath_prepend(tmp_path)
    if message:
        with pytest.raises(BurnishError, match=message):
            read("burnish_ends")
    else:
        items = list(Pydoc("burnish_ends").read(Inventory(None)))
        assert len(items) == 1
