"""Documents: only what is new is read and parsed, whatever becomes of the files meanwhile."""

import os
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from tasks.core.text import Document, Reject
from tasks.sources import documents as module
from tasks.sources import list_sources, parsed, read_documents
from tasks.sources.files import LocalFile
from tasks.sources.parse import Passing

from .conftest import Fill


def run(
    name: str, root: Path, *, known: bool = True
) -> tuple[list[Document], list[Reject], dict[str, int]]:
    return read_documents(list_sources([name], root=root if known else None), root)


def test_work_follows_what_changed(fill: Fill, tmp_path: Path) -> None:
    name = fill({f"{n // 100}/{n:04}.md": f"# Page {n}\n\nText {n}.\n" for n in range(2000)})
    root, folder = tmp_path / "root", Path(name)
    documents, _, work = run(name, root)
    assert (len(documents), work["listed"], work["parsed"], work["known"]) == (2000, 2000, 2000, 0)
    for number in range(3):
        (folder / f"new{number}.md").write_text(f"New {number}.")
    for number in (7, 1234):
        (folder / f"{number // 100}/{number:04}.md").write_text("Changed.")
        (folder / f"{number // 100}/{number:04}.md").write_text(f"Changed {number}.")
    (folder / "0/0042.md").unlink()
    changed, _, work = run(name, root)
    assert (work["listed"], work["parsed"], work["known"]) == (2002, 5, 1997)
    fresh, _, _ = run(name, tmp_path / "other")
    assert changed == fresh
    ids = {document.document_id for document in changed}
    assert "0/0042.md" not in ids
    assert len(ids) == 2002
    (folder / "0/0001.md").rename(folder / "renamed.md")
    _, _, work = run(name, root)
    assert work["parsed"] == 0  # the same content under another name


def test_what_is_known_is_not_opened(
    fill: Fill, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    name = fill({f"{n}.md": f"Text {n}." for n in range(5)})
    time.sleep(0.1)  # older than the clock's tick
    root = tmp_path / "root"
    first = run(name, root)
    opened: list[str] = []
    monkeypatch.setattr(os, "open", lambda path, *_: opened.append(path))
    again = run(name, root)
    monkeypatch.undo()
    assert [path for path in opened if str(path).endswith(".md")] == []
    assert again[:2] == first[:2]
    assert (again[2]["parsed"], again[2]["known"], again[2]["hashed"]) == (0, 5, 0)


def test_the_same_content_is_parsed_once(fill: Fill, tmp_path: Path) -> None:
    name = fill({"a.md": "Same.", "b.md": "Same.", "c.txt": "Same."})
    documents, _, work = run(name, tmp_path / "root")
    assert [(d.document_id, d.title) for d in documents] == [
        ("a.md", "a"),
        ("b.md", "b"),
        ("c.txt", "c"),
    ]
    assert (work["parsed"], work["known"]) == (2, 1)  # by Markdown's rules, and by text's


def test_a_file_that_goes_or_changes_while_it_is_read(
    fill: Fill, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    name = fill({"gone.md": "gone", "changed.md": "before", "pipe.md": "pipe", "stays.md": "stays"})
    read, folder = module.parse_pages, Path(name)

    def meddle(*arguments: object) -> object:
        (folder / "gone.md").unlink()
        (folder / "changed.md").write_text("after")
        (folder / "pipe.md").unlink()
        os.mkfifo(folder / "pipe.md")
        return read(*arguments)  # type: ignore[arg-type]

    monkeypatch.setattr(module, "parse_pages", meddle)
    documents, rejects, _ = run(name, tmp_path / "root")
    assert {d.document_id: d.sections[0].text for d in documents} == {
        "changed.md": "after",
        "stays.md": "stays",
    }
    assert {r.document_id: r.reason for r in rejects} == {
        "gone.md": "unreadable: No such file or directory",
        "pipe.md": "unreadable: not a regular file",
    }
    monkeypatch.undo()
    (folder / "pipe.md").unlink()
    fill({"gone.md": "gone", "changed.md": "before", "pipe.md": "pipe"})
    documents, rejects, _ = run(name, tmp_path / "root")  # none of it was kept as a fault
    assert [d.sections[0].text for d in documents] == ["before", "gone", "pipe", "stays"]
    assert not rejects


def test_a_taken_id_and_a_blank_document_are_set_aside(tmp_path: Path) -> None:
    for folder, text in (("1", "first"), ("2", "second")):
        (tmp_path / folder).mkdir()
        (tmp_path / folder / "a.md").write_text(text)
    (tmp_path / "1" / "b.md").write_text(" \n")
    one, two = (tmp_path / "1").as_posix(), (tmp_path / "2").as_posix()
    documents, rejects, _ = read_documents(list_sources([one, two]), tmp_path / "root")
    assert [document.sections[0].text for document in documents] == ["first"]
    assert sorted((r.document_id, r.reason) for r in rejects) == [
        ("a.md", f"id taken: by {one}/a.md"),
        ("b.md", "no text"),
    ]


def test_an_id_twice_in_a_corpus_is_named_by_its_lines(tmp_path: Path) -> None:
    (tmp_path / "corpus.jsonl").write_text('{"_id": "x", "text": "a"}\n{"_id": "x", "text": "b"}\n')
    place = f"{tmp_path.as_posix()}/corpus.jsonl"
    _, rejects, _ = run(tmp_path.as_posix(), tmp_path / "root")
    assert rejects == [Reject("x", f"{place}:2", f"id taken: by {place}:1")]


def test_few_bytes_are_held_at_once(
    fill: Fill, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(parsed, "AHEAD_BYTES", 3000)
    held, most = 0, 0
    read, parse = LocalFile.read, parsed.parse.parse_page

    def reading(self: LocalFile, limit: int) -> bytes:
        nonlocal held, most
        held += self.size
        most = max(most, held)
        return read(self, limit)

    def parsing(kind: str, content: bytes, title: str) -> object:
        nonlocal held
        time.sleep(0.01)
        found = parse(kind, content, title)
        held -= len(content)
        return found

    monkeypatch.setattr(LocalFile, "read", reading)
    monkeypatch.setattr(parsed.parse, "parse_page", parsing)
    name = fill({f"{n:02}.md": f"{n:02}" + "x" * 998 for n in range(12)} | {"big.md": "y" * 9000})
    documents, _, _ = run(name, tmp_path / "root")
    assert len(documents) == 13
    assert 1000 < most <= 9000


def test_a_fault_that_may_pass_is_met_again_in_each_run_until_it_has(
    fill: Fill, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    name, root = fill({"a.md": "a", "b.md": "b"}), tmp_path / "root"
    with monkeypatch.context() as patch:
        patch.setattr(parsed.parse, "parse_page", fail_at_b(parsed.parse.parse_page))
        seen = [list_sources([name], root=root).fingerprint]
        for number in range(3):
            documents, rejects, work = run(name, root)
            assert [document.document_id for document in documents] == ["a.md"]
            assert {r.document_id: r.reason for r in rejects} == {"b.md": "took too long"}
            if number:
                assert (work["parsed"], work["known"]) == (1, 1)
            seen.append(list_sources([name], root=root).fingerprint)
    assert len(set(seen)) == 4  # so that no stage takes what it made for what it would make
    documents, rejects, work = run(name, root)
    assert [document.document_id for document in documents] == ["a.md", "b.md"]
    assert (rejects, work["parsed"], work["known"]) == ([], 1, 1)
    assert run(name, root)[2]["parsed"] == 0  # now it is kept
    assert list_sources([name], root=root).fingerprint == seen[-1]


def fail_at_b(parse: Callable[..., object]) -> Callable[..., object]:
    def parsing(kind: str, content: bytes, title: str) -> object:
        if content == b"b":
            raise Passing("took too long")
        return parse(kind, content, title)

    return parsing
