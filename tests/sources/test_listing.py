"""The listing: sources are checked at once, and any change behind them changes its fingerprint."""

from pathlib import Path

import pytest

from tasks.contracts import BurnishError
from tasks.core.text import Page, Reject
from tasks.sources import list_sources, read_sources


def source(folder: Path, **texts: str) -> str:
    folder.mkdir(exist_ok=True)
    for name, text in texts.items():
        (folder / f"{name}.md").write_text(text)
    return folder.as_posix()


def with_judgments(folder: Path) -> str:
    (folder / "qrels").mkdir(parents=True)
    (folder / "queries.jsonl").write_text('{"_id": "1", "text": "what?"}\n')
    (folder / "qrels" / "test.tsv").write_text("1\ta.md\t1\n")
    return folder.as_posix()


def test_the_fingerprint_does_not_depend_on_order(tmp_path: Path) -> None:
    one, two = source(tmp_path / "1", a="a", b="b"), source(tmp_path / "2", b="c", a="d")
    forth, back = list_sources([one, two]), list_sources([two, one, two])
    assert forth.fingerprint == back.fingerprint
    assert back.sources == (two, one)


def test_any_change_changes_the_fingerprint(tmp_path: Path) -> None:
    one = source(tmp_path / "1", a="a")
    seen = [list_sources([one]).fingerprint]
    source(tmp_path / "1", b="b")
    seen.append(list_sources([one]).fingerprint)
    with_judgments(tmp_path / "1")
    seen.append(list_sources([one]).fingerprint)
    (tmp_path / "1" / "qrels" / "test.tsv").write_text("1\tb.md\t1\n")
    seen.append(list_sources([one]).fingerprint)
    seen.append(list_sources([one, "pydoc:json"]).fingerprint)
    assert len(set(seen)) == 5


def test_every_folder_with_judgments_is_named(tmp_path: Path) -> None:
    plain, judged = source(tmp_path / "1", a="a"), with_judgments(tmp_path / "2")
    source(tmp_path / "2", a="a")
    extra = with_judgments(tmp_path / "3")
    assert list_sources([plain]).judged == ()
    assert list_sources([plain, judged], extra).judged == (judged, extra)
    assert list_sources([judged], judged).judged == (judged,)
    assert list_sources(["pydoc:"], "builtin:python").judged == ("builtin:python",)


def test_beir_is_told_by_its_corpus(tmp_path: Path) -> None:
    folder = tmp_path / "beir"
    name = with_judgments(folder)
    source(folder, a="not a document of the corpus")
    assert [i.document_id for i in read_sources([name])] == ["a.md"]
    (folder / "corpus.jsonl").write_text('{"_id": "x", "text": "document"}\n')
    assert [i.document_id for i in read_sources([name])] == ["x"]


def test_taken_ids_and_blank_documents_are_set_aside(tmp_path: Path) -> None:
    one, two = source(tmp_path / "1", a="first", b=" \n"), source(tmp_path / "2", a="second")
    items = list(read_sources([one, two]))
    assert [i.text for i in items if isinstance(i, Page)] == ["first"]
    assert [(i.document_id, i.reason) for i in items if isinstance(i, Reject)] == [
        ("b.md", "no text"),
        ("a.md", f"id taken: by {one}/a.md"),
    ]


def test_an_id_twice_in_a_corpus_is_named_by_its_lines(tmp_path: Path) -> None:
    (tmp_path / "corpus.jsonl").write_text('{"_id": "x", "text": "a"}\n{"_id": "x", "text": "b"}\n')
    place = f"{tmp_path.as_posix()}/corpus.jsonl"
    _, reject = read_sources([tmp_path.as_posix()])
    assert reject == Reject("x", f"{place}:2", f"id taken: by {place}:1")


@pytest.mark.parametrize(
    ("sources", "message"),
    [
        ([], "There is no source of documents. Name at least one"),
        ([" "], "There is no source of documents"),
        (["s3://bucket/docs"], "s3://bucket/docs is of the unknown kind `s3:`.*copy what lies"),
        (["https://example.org"], "unknown kind `https:`"),
        (["pydoc:no_such_package"], "pydoc:no_such_package names no module .*Install it"),
        (["pydoc:os.no.such"], "names no module that can be imported here"),
        (["absent/folder"], "There is no file or folder absent/folder. Check the path"),
    ],
)
def test_what_cannot_be_read_is_refused(sources: list[str], message: str) -> None:
    with pytest.raises(BurnishError, match=message):
        list_sources(sources)


def test_questions_that_are_not_there_are_refused(tmp_path: Path) -> None:
    with pytest.raises(BurnishError, match="There are no questions in absent: .*builtin:python"):
        list_sources([source(tmp_path, a="a")], "absent")
