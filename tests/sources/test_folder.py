"""Folders: every file is read, or set aside with a reason that says what to do."""

import os
from pathlib import Path

import pytest

from tasks.contracts import BurnishError
from tasks.sources import list_sources

from .conftest import Fill, Read


def test_every_kind_is_read_with_its_id_title_and_place(fill: Fill, read: Read) -> None:
    name = fill(
        {
            "a/set-up.md": "# Set up\n\nText.",
            "b.TXT": "\n\nPlain text.",
            "c.html": "<title>Page</title><p>Text.</p>",
            "d.rst": "Title\n=====\n\nText.",
            "no_heading-here.md": "Text.",
            "e.jsonl": '{"text": "One", "title": "T", "id": "x"}\n',
        }
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
    }
    assert documents["a/set-up.md"].source == f"{name}/a/set-up.md"
    assert documents["b.TXT"].sections[0].position == "line 1"


def test_a_glob_and_one_file(fill: Fill, read: Read) -> None:
    name = fill({"docs/a/x.md": "x", "docs/y.md": "y", "docs/z.txt": "z", "w.md": "w"})
    assert list(read(f"{name}/docs/**/*.md")[0]) == ["a/x.md", "y.md"]
    assert list(read(f"{name}/docs/**")[0]) == ["a/x.md", "y.md", "z.txt"]
    assert list(read(f"{name}/*/y.md")[0]) == ["docs/y.md"]
    assert list(read(f"{name}/*/[!y].*")[0]) == ["docs/z.txt"]
    for one in (f"{name}/docs/y.md", f"file://{name}/docs/y.md"):
        documents, _ = read(one)
        assert [(d.document_id, d.source) for d in documents.values()] == [
            ("y.md", f"{name}/docs/y.md")
        ]


def test_a_folder_whose_name_looks_like_something_else(fill: Fill, read: Read) -> None:
    name = fill({"notes [old]/a.md": "a", "C#/b.md": "b", "x#text=y/c.md": "c", "s3:/d.md": "d"})
    assert list(read(f"{name}/notes [old]")[0]) == ["a.md"]
    assert list(read(f"{name}/C#")[0]) == ["b.md"]
    assert list(read(f"{name}/C#/*.md")[0]) == ["b.md"]
    assert list(read(f"{name}/x#text=y")[0]) == ["c.md"]
    assert list(read(f"{name}/s3:")[0]) == ["d.md"]


def test_what_is_not_text_is_set_aside_by_name(fill: Fill, read: Read) -> None:
    name = fill(
        {
            "good.md": "Text.",
            "mark.md": b"\xef\xbb\xbf# Title\r\n\r\nText.\r\n",
            "utf16.md": "# Wide\n\nT\u00e9xt.".encode("utf-16"),
            "latin.md": "caf\xe9".encode("latin-1"),
            "marked_latin.md": b"\xef\xbb\xbfcaf\xe9",
            "zeros.txt": bytes(100),
            "picture.png": b"\x89PNG",
            "Makefile": "all:",
            "blank.md": " \n",
        }
    )
    documents, rejects = read(name)
    assert {key: value.title for key, value in documents.items()} == {
        "good.md": "good",
        "mark.md": "Title",
        "utf16.md": "Wide",
    }
    assert documents["mark.md"].sections[0].text == "Text."
    assert documents["utf16.md"].sections[0].text == "T\u00e9xt."
    assert rejects == {
        "Makefile": "kind not read: no suffix",
        "latin.md": "not UTF-8: byte 3; save it as UTF-8",
        "marked_latin.md": "not UTF-8: byte 6; save it as UTF-8",
        "picture.png": "kind not read: .png",
        "zeros.txt": "not text: it holds zero bytes",
        "blank.md": "no text",
    }


def test_links_that_lead_out_are_set_aside(tmp_path: Path, fill: Fill, read: Read) -> None:
    name = fill({"../out/secret.md": "secret", "a.md": "a", "sub/b.md": "b"})
    inside = Path(name)
    (inside / "out.md").symlink_to(tmp_path / "out" / "secret.md")
    (inside / "outer").symlink_to(tmp_path / "out")
    (inside / "gone.md").symlink_to(tmp_path / "gone.md")
    (inside / "again.md").symlink_to(inside / "a.md")
    (inside / "loop").symlink_to(inside)
    (inside / "ring.md").symlink_to("ring.md")
    for source in (name, f"{name}/**"):
        documents, rejects = read(source)
        assert list(documents) == ["a.md", "again.md", "sub/b.md"]
        assert rejects == {
            "gone.md": "broken link",
            "ring.md": "broken link",
            "loop": "link to a folder",
            "out.md": "link out of the folder",
            "outer": "link out of the folder",
        }


def test_a_glob_does_not_go_round_in_links(fill: Fill, read: Read) -> None:
    name = fill({"a.md": "a"})
    for number in range(2):  # Python's own glob would yield 2 ** 40 paths
        (Path(name) / f"loop{number}").symlink_to(".")
    assert list(read(f"{name}/**/*.md")[0]) == ["a.md"]


def test_hidden_files_and_pipes_are_not_opened(fill: Fill, read: Read) -> None:
    name = fill({"a.md": "a", ".git/b.md": "b", ".c.md": "c", "node_modules/d.md": "d"})
    os.mkfifo(Path(name) / "pipe.md")
    documents, rejects = read(name)
    assert list(documents) == ["a.md"]
    assert rejects == {"pipe.md": "not a regular file"}


def test_names_that_cannot_be_printed_are_escaped(fill: Fill, read: Read) -> None:
    name = fill({"a\nb\x1b[2J.md": "one", "\u202egnp.md": "two", "日本.md": "three"})
    broken = os.fsencode(name) + b"/caf\xe9.md"
    Path(os.fsdecode(broken)).write_text("four")
    documents, rejects = read(name)
    assert set(documents) == {"a\\x0ab\\x1b[2J.md", "\\u202egnp.md", "日本.md", "caf\\xe9.md"}
    assert all(document.source.isprintable() for document in documents.values())
    assert not rejects


def test_what_is_too_large_is_never_read(fill: Fill, read: Read) -> None:
    name = fill({"a.md": "a" * 100, "b.md": "b" * 101, "rows.jsonl": '{"text": "row"}\n' * 20})
    with (Path(name) / "sparse.md").open("wb") as stream:
        stream.truncate(1 << 40)  # a tebibyte of zeros would take hours to hash
    documents, rejects = read(name, most=100)
    assert {"a.md", "rows.jsonl"} == {name.partition(":")[0] for name in documents}
    assert rejects["b.md"] == "too large: 101 bytes, over the 100 that are read"
    assert rejects["sparse.md"].startswith("too large: 1,099,511,627,776 bytes")


def test_what_may_not_be_read_is_set_aside(fill: Fill, read: Read) -> None:
    name = fill({"a.md": "a", "b.md": "b", "c/d.md": "d"})
    (Path(name) / "b.md").chmod(0)
    (Path(name) / "c").chmod(0)
    if os.access(Path(name) / "b.md", os.R_OK):
        pytest.skip("root may read everything")
    documents, rejects = read(name)
    (Path(name) / "c").chmod(0o700)
    assert list(documents) == ["a.md"]
    assert rejects == {
        "b.md": "unreadable: Permission denied",
        "c": "unreadable: folder cannot be entered",
    }


def test_folders_below_folders_without_end(fill: Fill, read: Read) -> None:
    name = fill({"/".join(["d"] * 900) + "/deep.md": "deep", "top.md": "top"})
    documents, _ = read(name)
    assert len(documents) == 2


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("absent", "There is no file or folder .*absent. Check the path"),
        ("empty", "The folder .*empty holds no file that is read .*Files that are read: .*.md, "),
        ("pictures", "The folder .*pictures holds no file that is read as documents"),
        ("pictures/a.png", "The file .*a.png is of a kind that is not read"),
        ("*.md", r"No file that is read matches .*\*.md"),
        ("a**b/*.md", "The pattern .* cannot be read"),
    ],
)
def test_a_source_without_documents_is_refused(fill: Fill, name: str, message: str) -> None:
    folder = Path(fill({"pictures/a.png": "png"}))
    (folder / "empty").mkdir()
    with pytest.raises(BurnishError, match=message):
        list_sources([(folder / name).as_posix()])


def test_judgments_beside_documents_are_no_documents(fill: Fill, read: Read) -> None:
    name = fill(
        {"a.md": "a", "queries.jsonl": '{"_id": "1", "text": "q"}', "qrels/test.tsv": "1\ta.md\t1"}
    )
    documents, rejects = read(name)
    assert list(documents) == ["a.md"]
    assert not rejects


def test_the_fingerprint_covers_what_is_read_and_nothing_else(fill: Fill) -> None:
    name = fill({"a.md": "a", "b/c.md": "c"})
    before = list_sources([name]).fingerprint
    fill({"picture.png": "png"})
    assert list_sources([name]).fingerprint == before
    fill({"a.md": "b"})
    changed = list_sources([name]).fingerprint
    assert changed != before
    (Path(name) / "a.md").rename(Path(name) / "d.md")
    assert list_sources([name]).fingerprint not in {before, changed}


def test_a_state_alone_does_not_make_a_saved_dataset(fill: Fill, read: Read) -> None:
    documents, rejects = read(fill({"a.md": "a", "state.json": "{}"}))
    assert list(documents) == ["a.md"]
    assert rejects == {"state.json": "kind not read: .json"}
