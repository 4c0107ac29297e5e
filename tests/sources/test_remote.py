"""Any URL of fsspec: what lies there is read like a folder, once per version."""

import http.server
import threading
import zipfile
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import fsspec
import pytest
from fsspec.implementations.memory import MemoryFileSystem

from tasks.contracts import BurnishError
from tasks.sources import list_sources, read_clicks, read_documents, storage
from tasks.sources.judgments import read_judgments
from tasks.sources.names import check_secrets

from .conftest import Fill, Read

FILES = {
    "docs/a.md": b"# A\n\nText.",
    "docs/sub/b.html": b"<title>B</title><p>Text.</p>",
    "docs/sub/.hidden.md": b"hidden",
    "docs/rows.csv": b"key,body\nx,one\ny,two\n",
    "docs/picture.png": b"png",
    "docs/bad.md": b"\xff",
    "beir/corpus.jsonl": b'{"_id": "d", "text": "document"}\n',
    "beir/queries.jsonl": b'{"_id": "q", "text": "query?"}\n',
    "beir/qrels/test.tsv": b"query-id\tcorpus-id\tscore\nq\td\t1\n",
    "clicks.csv": b"query,document\nq,a.md\n",
}


@pytest.fixture
def memory() -> Iterator[MemoryFileSystem]:
    held = fsspec.filesystem("memory")
    for name, content in FILES.items():
        held.pipe_file(f"/team/{name}", content)
    yield held
    held.rm("/team", recursive=True)


@pytest.fixture
def web(tmp_path: Path, fill: Fill) -> Iterator[str]:
    """Serve the same files on this machine alone, as any web server with listings would."""
    fill(dict(FILES))

    class Handler(http.server.SimpleHTTPRequestHandler):
        def log_message(self, *arguments: object) -> None:
            pass

    handler = partial(Handler, directory=str(tmp_path / "docs"))
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()


def test_a_folder(memory: MemoryFileSystem, read: Read) -> None:
    documents, rejects = read("memory://team/docs#id=key&text=body")
    assert list(documents) == ["a.md", "sub/b.html", "x", "y"]
    assert {key: value.title for key, value in documents.items()}["sub/b.html"] == "B"
    assert documents["a.md"].source == "memory://team/docs/a.md"
    assert rejects == {
        "picture.png": "kind not read: .png",
        "bad.md": "not UTF-8: byte 0; save it as UTF-8",
    }


def test_globs_and_single_files(memory: MemoryFileSystem, read: Read) -> None:
    assert list(read("memory://team/docs/*.md")[0]) == ["a.md"]
    assert list(read("memory://team/**/*.html")[0]) == ["docs/sub/b.html"]
    assert list(read("memory://team/docs/a.md")[0]) == ["a.md"]
    assert list(read("memory://team/docs/rows.csv#id=key&text=body")[0]) == ["x", "y"]


def test_the_web(web: str, read: Read) -> None:
    documents, rejects = read(f"{web}/docs/#id=key&text=body")
    assert list(documents) == ["a.md", "sub/b.html", "x", "y"]
    assert documents["a.md"].source == f"{web}/docs/a.md"
    assert "bad.md" in rejects
    assert list(read(f"{web}/docs/a.md")[0]) == ["a.md"]
    with pytest.raises(BurnishError, match="There is nothing to read at .*absent.md"):
        read(f"{web}/docs/absent.md")


def test_a_folder_in_an_archive(tmp_path: Path, read: Read) -> None:
    with zipfile.ZipFile(tmp_path / "all.zip", "w") as archive:
        archive.writestr("docs/a.md", "# A\n\nText.")
    documents, _ = read(f"zip://docs::{tmp_path}/all.zip")
    assert documents["a.md"].source == f"zip://docs/a.md::{tmp_path}/all.zip"


@pytest.mark.parametrize("where", ["memory://team", "web"])
def test_beir_and_clicks(where: str, memory: MemoryFileSystem, web: str, read: Read) -> None:
    root = web if where == "web" else where
    assert list(read(f"{root}/beir/")[0]) == ["d"]
    listing = list_sources([f"{root}/beir/"], clicks=[f"{root}/clicks.csv"])
    assert listing.judged == (f"{root}/beir/",)
    judged = read_judgments(listing.judged[0])
    assert judged.queries == {"q": "query?"}
    assert [judgment.document_id for judgment in judged.judgments] == ["d"]
    assert [click.document_id for click in read_clicks(listing.clicks[0])] == ["a.md"]


def test_what_did_not_change_is_not_fetched(
    memory: MemoryFileSystem, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    opened: list[str] = []
    fetch = MemoryFileSystem._open

    def count(self: MemoryFileSystem, path: str, mode: str = "rb", **options: object) -> object:
        opened.append(Path(path).name)
        return fetch(self, path, mode, **options)

    monkeypatch.setattr(MemoryFileSystem, "_open", count)

    def run() -> tuple[str, dict[str, int]]:
        opened.clear()
        listing = list_sources(["memory://team/docs#id=key&text=body"], root=tmp_path)
        return listing.fingerprint, read_documents(listing, tmp_path)[2]

    first, work = run()
    assert sorted(opened) == ["a.md", "b.html", "bad.md", "rows.csv"]
    assert (work["parsed"], work["known"], work["rows"]) == (3, 0, 2)
    again, work = run()
    assert again == first
    assert opened == []
    assert (work["parsed"], work["known"], work["rows"]) == (0, 3, 2)
    memory.pipe_file("/team/docs/a.md", b"# A\n\nMore.")
    memory.pipe_file("/team/docs/rows.csv", b"key,body\nx,one\n")
    changed, work = run()
    assert changed != first
    assert sorted(opened) == ["a.md", "rows.csv"]
    assert (work["parsed"], work["known"], work["rows"]) == (1, 2, 1)
    assert len(list((tmp_path / "memo" / "downloads").glob("*/*"))) == 1


def test_where_the_storage_tells_nothing_the_content_does(
    memory: MemoryFileSystem, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for names in ("_CHECKSUMS", "_VERSIONS", "_TIMES"):
        monkeypatch.setattr(storage, names, ())
    seen = list_sources(["memory://team/docs"]).fingerprint
    memory.pipe_file("/team/docs/a.md", FILES["docs/a.md"])
    assert list_sources(["memory://team/docs"]).fingerprint == seen
    memory.pipe_file("/team/docs/a.md", b"# A\n\nTexts")
    assert list_sources(["memory://team/docs"]).fingerprint != seen


def test_large_files_are_not_fetched(memory: MemoryFileSystem, read: Read) -> None:
    memory.pipe_file("/team/docs/large.md", b"x" * 2000)
    _, rejects = read("memory://team/docs", most=1000)
    assert rejects["large.md"] == "too large: 2,000 bytes, over the 1,000 that are read"


def test_a_lost_connection_is_tried_again_and_then_ends_the_run(
    memory: MemoryFileSystem, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(storage, "WAIT_SECONDS", 0)
    fetch, lost = MemoryFileSystem._open, [2]

    def lose(self: MemoryFileSystem, path: str, mode: str = "rb", **options: object) -> object:
        if path.endswith("a.md") and lost[0]:
            lost[0] -= 1
            raise ConnectionError("reset by peer")
        return fetch(self, path, mode, **options)

    monkeypatch.setattr(MemoryFileSystem, "_open", lose)
    listing = list_sources(["memory://team/docs"])
    documents, _, _ = read_documents(listing, tmp_path / "1")
    assert "a.md" in {document.document_id for document in documents}
    lost[0] = 3
    # to go on would make a corpus without it, and take it for the whole one
    with pytest.raises(BurnishError, match="a.md could not be read: ConnectionError: reset"):
        read_documents(listing, tmp_path / "2")


def test_a_file_that_is_gone_costs_itself_alone(
    memory: MemoryFileSystem, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    listing = list_sources(["memory://team/docs/*.*"])
    memory.rm("/team/docs/sub/b.html")
    fetch = MemoryFileSystem._open

    def open_gone(self: MemoryFileSystem, path: str, mode: str = "rb", **options: object) -> object:
        if path.endswith("a.md"):
            raise FileNotFoundError(2, "No such file", path)
        return fetch(self, path, mode, **options)

    monkeypatch.setattr(MemoryFileSystem, "_open", open_gone)
    documents, rejects, _ = read_documents(listing, tmp_path)
    assert "unreadable: No such file" in {reject.reason for reject in rejects}
    assert "a.md" not in {document.document_id for document in documents}


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("memory://team/absent", "There is nothing to read at memory://team/absent: unreadable"),
        ("memory://team/docs/*.rst", "There is no file that is read as documents at memory://"),
        ("memory://team/docs/a.md#text=x", "There is no table to take the columns"),
        ("s3x://bucket/docs", "s3x://bucket/docs cannot be opened: ValueError: Protocol not known"),
        ("https://me:secret@example.org/", "https*://…@example.org/ holds a password"),
    ],
)
def test_what_cannot_be_read_is_refused(memory: MemoryFileSystem, name: str, message: str) -> None:
    with pytest.raises(BurnishError, match=message) as raised:
        list_sources([name])
    assert "secret" not in str(raised.value)


@pytest.mark.parametrize("packing", [zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED, zipfile.ZIP_LZMA])
def test_a_damaged_file_in_an_archive_costs_itself_alone(
    packing: int, tmp_path: Path, read: Read
) -> None:
    path = tmp_path / "all.zip"
    with zipfile.ZipFile(path, "w", packing) as archive:
        for name in ("a.md", "bad.md", "bad.csv"):
            archive.writestr(f"docs/{name}", f"text\n{name} is told of here.\n" * 50)
        places = [archive.getinfo(f"docs/bad.{kind}").header_offset + 50 for kind in ("md", "csv")]
    content = bytearray(path.read_bytes())
    for place in places:
        content[place : place + 8] = b"\xff" * 8
    path.write_bytes(content)
    documents, rejects = read(f"zip://docs::{path}")
    assert list(documents) == ["a.md"]
    assert {key.partition(":")[0] for key in rejects} == {"bad.md", "bad.csv"}
    assert all("damaged in its archive: " in reason for reason in rejects.values())


def test_an_encrypted_file_in_an_archive_costs_itself_alone(tmp_path: Path, read: Read) -> None:
    path = tmp_path / "all.zip"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("docs/a.md", "a")
        archive.writestr("docs/b.md", "b")
    content = bytearray(path.read_bytes())
    for mark, flags in ((b"PK\x03\x04", 6), (b"PK\x01\x02", 8)):
        content[content.rindex(mark) + flags] |= 1
    path.write_bytes(content)
    documents, rejects = read(f"zip://docs::{path}")
    assert list(documents) == ["a.md"]
    assert list(rejects) == ["b.md"]
    assert rejects["b.md"].startswith("unreadable: encrypted in its archive: ")


def test_a_connection_that_ends_early_is_no_damage(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(storage, "WAIT_SECONDS", 0)

    def end() -> bytes:
        raise EOFError

    with pytest.raises(BurnishError, match="could not be read: EOFError"):
        storage.attempt(end, "sftp://host/a.md")
    with pytest.raises(PermissionError, match="damaged in its archive"):
        storage.attempt(end, "zip://a.md::/all.zip")


@pytest.mark.parametrize(
    "name",
    [
        "https://secret@example.org/docs/",
        "https://me:secret@example.org/docs/",
        "s3://me:secret@bucket/docs",
        "https://me:se@secret@example.org/docs/",
        "https://example.org/a.md?X-Amz-Signature=secret",
        "https://example.org/a.md?v=1&sig=secret",
        "https://example.org/a.md?X-Amz-Security-Token=secret&v=1",
        "https://example.org/a.md?api_key=secret#text=body",
        "zip://docs::https://example.org/all.zip?access_token=secret",
    ],
)
def test_a_name_that_holds_a_secret_is_refused_and_not_shown(name: str, fill: Fill) -> None:
    docs = fill({"a.md": "a"})
    for sources, questions, clicks in (
        ([name], None, []),
        ([docs], name, []),
        ([docs], None, [name]),
    ):
        with pytest.raises(BurnishError, match="holds a password") as raised:
            list_sources(sources, questions, clicks)
        assert "secret" not in str(raised.value)
        assert "…" in str(raised.value)


@pytest.mark.parametrize(
    "name",
    [
        "https://example.org/@team/docs/a.md",
        "https://example.org/a.md?page=2&signal=low",
        "docs/me@example.org/a.md",
        "https://example.org/a.md?sig=",
    ],
)
def test_a_name_without_a_secret_is_taken(name: str) -> None:
    check_secrets(name)
