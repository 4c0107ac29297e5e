"""The listing: sources are checked at once, and any change behind them changes its fingerprint."""

from pathlib import Path

import pytest

from tasks.contracts import BurnishError
from tasks.sources import Listing, list_sources

from .conftest import Read


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


def test_beir_is_told_by_its_corpus(tmp_path: Path, read: Read) -> None:
    folder = tmp_path / "beir"
    name = with_judgments(folder)
    source(folder, a="not a document of the corpus")
    assert list(read(name)[0]) == ["a.md"]
    (folder / "corpus.jsonl").write_text('{"_id": "x", "text": "document"}\n')
    assert list(read(name)[0]) == ["x"]
    assert list(read(f"{name}#id=_id")[0]) == ["a.md", "x"]  # columns named: a folder like others


@pytest.mark.parametrize(
    ("sources", "message"),
    [
        ([], "There is no source of documents. Name at least one"),
        ([" "], "There is no source of documents"),
        (["x:docs"], "There is no file or folder x:docs"),
        (["xy:docs"], "The source xy:docs is of the unknown kind `xy:`. Known are folders, globs"),
        (["gs://bucket/docs"], "gs://bucket/docs needs a driver that is not installed: .*gcsfs"),
        (["a\udcff.md"], r"The name 'a\\\\xff.md' holds what cannot be printed. Rename it"),
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


def test_a_listing_travels_as_json_and_does_not_tell_how_it_was_made(tmp_path: Path) -> None:
    name = source(tmp_path / "1", a="a")
    listing = list_sources([name])
    assert Listing.model_validate_json(listing.model_dump_json()) == listing
    assert list_sources([name], root=tmp_path / "root") == listing
    assert list_sources([name], root=tmp_path / "root") == listing


def test_a_folder_by_two_names_asks_its_questions_once(tmp_path: Path) -> None:
    name = with_judgments(tmp_path / "1")
    source(tmp_path / "1", a="a")
    listing = list_sources([name], f"{name}/../1")
    assert len(listing.judged) == 1


def test_a_corpus_that_is_a_link_out_of_its_folder_is_not_followed(
    tmp_path: Path, read: Read
) -> None:
    (tmp_path / "secret.jsonl").write_text('{"_id": "s", "text": "secret"}\n')
    name = source(tmp_path / "docs", a="a")
    (tmp_path / "docs" / "corpus.jsonl").symlink_to(tmp_path / "secret.jsonl")
    documents, rejects = read(name)
    assert list(documents) == ["a.md"]
    assert rejects == {"corpus.jsonl": "link out of the folder"}
    (tmp_path / "docs" / "corpus.jsonl").unlink()
    (tmp_path / "docs" / "real.jsonl").write_text('{"_id": "x", "text": "document"}\n')
    (tmp_path / "docs" / "corpus.jsonl").symlink_to("real.jsonl")
    (tmp_path / "link").symlink_to(name)
    assert list(read(name)[0]) == ["x"]  # a link that stays in its folder
    assert list(read((tmp_path / "link").as_posix())[0]) == ["x"]  # or is the folder itself


def test_judgments_that_are_links_out_of_their_folder_are_not_followed(tmp_path: Path) -> None:
    with_judgments(tmp_path / "secret")
    name = source(tmp_path / "docs", a="a")
    (tmp_path / "docs" / "qrels").symlink_to(tmp_path / "secret" / "qrels")
    (tmp_path / "docs" / "queries.jsonl").symlink_to(tmp_path / "secret" / "queries.jsonl")
    assert list_sources([name]).judged == ()
    with pytest.raises(BurnishError, match="There are no questions in"):
        list_sources([name], name)
