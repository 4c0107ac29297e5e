"""Folders: every file is read, or set aside with a reason that says what to do."""

import os
from pathlib import Path

import pytest

from tasks.contracts import BurnishError
from tasks.core.text import Document, Page, Reject
from tasks.sources.folder import Folder
from tasks.sources.parse import parse_page


def fill(folder: Path, files: dict[str, str | bytes]) -> str:
    for name, content in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return folder.as_posix()


def parsed(page: Page) -> Document:
    title, sections = parse_page(page)
    return Document(page.document_id, title or page.title, sections, page.source)


def read(name: str) -> tuple[dict[str, Document], dict[str, str]]:
    items = [parsed(item) if isinstance(item, Page) else item for item in Folder(name).read()]
    documents = {item.document_id: item for item in items if isinstance(item, Document)}
    return documents, {i.document_id: i.reason for i in items if isinstance(i, Reject)}


def test_every_kind_is_read_with_its_id_title_and_place(tmp_path: Path) -> None:
    name = fill(
        tmp_path,
        {
            "a/set-up.md": "# Set up\n\nText.",
            "b.TXT": "\n\nPlain text.",
            "c.html": "<title>Page</title><p>Text.</p>",
            "d.rst": "Title\n=====\n\nText.",
            "no_heading-here.md": "Text.",
            "e.jsonl": '{"text": "One", "title": "T", "id": "x"}\n\n{"body": "Two"}\n',
        },
    )
    documents, rejects = read(name)
    assert not rejects
    assert {key: value.title for key, value in documents.items()} == {
        "a/set-up.md": "Set up",
        "b.TXT": "b",
        "c.html": "Page",
        "d.rst": "Title",
        "no_heading-here.md": "no heading here",
        "e.jsonl:x": "T",
        "e.jsonl:3": "",
    }
    assert documents["a/set-up.md"].source == f"{name}/a/set-up.md"
    assert documents["b.TXT"].sections[0].position == "line 1"
    assert documents["e.jsonl:3"].sections[0].position == "line 3"


def test_a_glob_and_one_file(tmp_path: Path) -> None:
    name = fill(tmp_path, {"docs/a/x.md": "x", "docs/y.md": "y", "docs/z.txt": "z", "w.md": "w"})
    assert list(read(f"{name}/docs/**/*.md")[0]) == ["a/x.md", "y.md"]
    assert list(read(f"{name}/*/y.md")[0]) == ["docs/y.md"]
    documents, _ = read(f"{name}/docs/y.md")
    assert [(d.document_id, d.source) for d in documents.values()] == [
        ("y.md", f"{name}/docs/y.md")
    ]


def test_a_folder_whose_name_looks_like_a_pattern(tmp_path: Path) -> None:
    assert list(read(fill(tmp_path / "notes [old]", {"a.md": "a"}))[0]) == ["a.md"]


def test_what_is_not_text_is_set_aside_by_name(tmp_path: Path) -> None:
    name = fill(
        tmp_path,
        {
            "good.md": "Text.",
            "mark.md": b"\xef\xbb\xbf# Title\r\n\r\nText.\r\n",
            "latin.md": "caf\xe9".encode("latin-1"),
            "marked_latin.md": b"\xef\xbb\xbfcaf\xe9",
            "utf16.txt": "text".encode("utf-16"),
            "paper.pdf": b"%PDF",
            "Makefile": "all:",
        },
    )
    documents, rejects = read(name)
    assert list(documents) == ["good.md", "mark.md"]
    assert documents["mark.md"].title == "Title"
    assert documents["mark.md"].sections[0].text == "Text."
    assert rejects == {
        "Makefile": "kind not read: no suffix",
        "latin.md": "not UTF-8: byte 3; save it as UTF-8",
        "marked_latin.md": "not UTF-8: byte 6; save it as UTF-8",
        "paper.pdf": "kind not read: .pdf",
        "utf16.txt": "not UTF-8: byte 0; save it as UTF-8",
    }


def test_broken_lines_cost_themselves_alone(tmp_path: Path) -> None:
    lines = [
        b'{"text": "good"}',
        b'{"text": "cut',
        b"[1]",
        b'{"text": ""}',
        b'{"text": ["no"]}',
        b'{"text": "caf\xe9"}',
        b"[" * 100_000,
        b'{"text": "half \\ud800 pair", "id": 7}',
        b'{"n": ' + b"1" * 5000 + b"}",
    ]
    name = fill(tmp_path, {"a.jsonl": b"\n".join(lines)})
    documents, rejects = read(name)
    assert list(documents) == ["a.jsonl:1", "a.jsonl:7"]
    assert documents["a.jsonl:7"].sections[0].text == "half \ufffd pair"
    assert rejects["a.jsonl:2"] == "not JSON: Unterminated string starting at (column 10)"
    assert rejects["a.jsonl:3"] == "not an object: list"
    assert rejects["a.jsonl:4"] == "no text: `text`, `contents`, `body` are blank"
    assert rejects["a.jsonl:5"] == "no text: `text`, `contents`, `body` are blank"
    byte = sum(len(line) + 1 for line in lines[:5]) + lines[5].index(b"\xe9")
    assert rejects["a.jsonl:6"] == f"not UTF-8: byte {byte}; save it as UTF-8"
    assert rejects["a.jsonl:7"].startswith("not JSON: ")
    assert rejects["a.jsonl:9"].startswith("not JSON: ")
    assert {item.source for item in Folder(name).read() if isinstance(item, Reject)} == {
        f"{name}/a.jsonl:{n}" for n in (2, 3, 4, 5, 6, 7, 9)
    }


def test_links_that_lead_out_are_set_aside(tmp_path: Path) -> None:
    fill(tmp_path, {"out/secret.md": "secret", "in/a.md": "a", "in/sub/b.md": "b"})
    inside = tmp_path / "in"
    (inside / "out.md").symlink_to(tmp_path / "out" / "secret.md")
    (inside / "outer").symlink_to(tmp_path / "out")
    (inside / "gone.md").symlink_to(tmp_path / "gone.md")
    (inside / "again.md").symlink_to(inside / "a.md")
    (inside / "loop").symlink_to(inside)
    documents, rejects = read(inside.as_posix())
    assert list(documents) == ["a.md", "again.md", "sub/b.md"]
    assert rejects == {
        "gone.md": "broken link",
        "loop": "link to a folder",
        "out.md": "link out of the folder",
        "outer": "link out of the folder",
    }


def test_hidden_files_and_pipes_are_not_opened(tmp_path: Path) -> None:
    name = fill(tmp_path, {"a.md": "a", ".git/b.md": "b", ".c.md": "c", "node_modules/d.md": "d"})
    os.mkfifo(tmp_path / "pipe.md")
    documents, rejects = read(name)
    assert list(documents) == ["a.md"]
    assert rejects == {"pipe.md": "not a regular file"}


def test_what_may_not_be_read_is_set_aside(tmp_path: Path) -> None:
    name = fill(tmp_path, {"a.md": "a", "b.md": "b", "c/d.md": "d"})
    (tmp_path / "b.md").chmod(0)
    (tmp_path / "c").chmod(0)
    if os.access(tmp_path / "b.md", os.R_OK):
        pytest.skip("root may read everything")
    documents, rejects = read(name)
    (tmp_path / "c").chmod(0o700)
    assert list(documents) == ["a.md"]
    assert rejects == {
        "b.md": "unreadable: Permission denied",
        "c": "unreadable: folder cannot be entered",
    }


def test_a_file_that_vanishes_is_set_aside(tmp_path: Path) -> None:
    name = fill(tmp_path, {"a.md": "a", "b.md": "b"})
    items = Folder(name).read()
    first = next(items)
    (tmp_path / "b.md").unlink()
    second = next(items)
    assert isinstance(first, Page)
    assert isinstance(second, Reject)
    assert second.reason in {"unreadable: No such file or directory", "not a regular file"}


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("absent", "There is no file or folder .*absent. Check the path"),
        ("empty", "The folder .*empty holds no file that is read .*Files that are read: .md, "),
        ("code", "The folder .*code holds no file that is read as documents"),
        ("code/a.py", "The file .*a.py is of a kind that is not read"),
        ("*.md", r"No file that is read matches .*\*.md"),
    ],
)
def test_a_source_without_documents_is_refused(tmp_path: Path, name: str, message: str) -> None:
    fill(tmp_path, {"code/a.py": "pass"})
    (tmp_path / "empty").mkdir()
    with pytest.raises(BurnishError, match=message):
        Folder((tmp_path / name).as_posix())


def test_judgments_beside_documents_are_no_documents(tmp_path: Path) -> None:
    name = fill(
        tmp_path,
        {"a.md": "a", "queries.jsonl": '{"_id": "1", "text": "q"}', "qrels/test.tsv": "1\ta.md\t1"},
    )
    assert read(name) == ({"a.md": read(name)[0]["a.md"]}, {})


def test_the_fingerprint_covers_what_is_read_and_nothing_else(tmp_path: Path) -> None:
    name = fill(tmp_path, {"a.md": "a", "b/c.md": "c"})
    before = Folder(name).fingerprint()
    fill(tmp_path, {"code.py": "pass"})
    assert Folder(name).fingerprint() == before
    fill(tmp_path, {"a.md": "b"})
    changed = Folder(name).fingerprint()
    assert changed != before
    (tmp_path / "a.md").rename(tmp_path / "d.md")
    assert Folder(name).fingerprint() not in {before, changed}


def test_a_page_no_parser_takes_is_a_reason_not_a_crash(monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(text: str) -> None:
        raise RecursionError("too deep")

    monkeypatch.setattr("tasks.sources.markdown.parse_markdown", fail)
    with pytest.raises(ValueError, match="cannot be parsed: RecursionError: too deep"):
        parse_page(Page("a.md", "a", ".md", "text", "a.md"))
