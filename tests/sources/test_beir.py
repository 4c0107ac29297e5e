"""BEIR's layout: documents, queries, and judgments; what is broken costs itself alone."""

import json
from pathlib import Path

import pytest

from tasks.contracts import BurnishError
from tasks.core.text import Document, Reject
from tasks.sources.beir import Beir
from tasks.sources.inventory import Inventory
from tasks.sources.judgments import fingerprint_judgments, read_judgments
from tasks.sources.qrels import Judgment


def lines(*values: object) -> str:
    return "".join(v if isinstance(v, str) else json.dumps(v) + "\n" for v in values)


def judged(folder: Path, qrels: dict[str, str], *queries: object) -> str:
    (folder / "qrels").mkdir(parents=True, exist_ok=True)
    default = [{"_id": "q1", "text": "one?"}, {"_id": 2, "text": "two?"}]
    (folder / "queries.jsonl").write_text(lines(*(queries or default)))
    for name, text in qrels.items():
        (folder / "qrels" / name).write_text(text)
    return folder.as_posix()


def test_documents(tmp_path: Path) -> None:
    (tmp_path / "corpus.jsonl").write_text(
        lines(
            {"_id": "a", "title": "T", "text": "text"},
            {"_id": 7, "text": "number"},
            {"_id": " ", "text": "blank"},
            '{"_id": "cut\n',
            {"_id": "title only", "title": "T"},
            {"_id": "nothing", "title": "", "text": ""},
        )
    )
    items = list(Beir(tmp_path.as_posix()).read(Inventory(None)))
    place = f"{tmp_path.as_posix()}/corpus.jsonl"
    assert [
        (d.document_id, d.title, d.sections[0].text, d.sections[0].position)
        for d in items
        if isinstance(d, Document)
    ] == [
        ("a", "T", "text", "line 1"),
        ("7", "", "number", "line 2"),
        ("title only", "T", "T", "line 5"),
    ]
    assert [(i.source, i.reason) for i in items if isinstance(i, Reject)] == [
        (f"{place}:3", "no id: `_id` is blank"),
        (f"{place}:4", "not JSON: Unterminated string starting at (column 9)"),
        (f"{place}:6", "no text: `text`, `contents`, `content`, `body`"),
    ]


def test_judgments_in_both_forms_with_and_without_header(tmp_path: Path) -> None:
    name = judged(
        tmp_path,
        {
            "test.tsv": "query-id\tcorpus-id\tscore\n"
            "q1\tdoc one\t2\n2\tb\t0\n2\tc\t-1\n2\td\t1.0\n",
            "train.tsv": "\ufeffq1 0 c 1\r\n\r\n",
            "validation.tsv": "2\t0\td\t3",
        },
    )
    found = read_judgments(name)
    assert found.queries == {"q1": "one?", "2": "two?"}
    assert found.judgments == (
        Judgment("q1", "doc one", 2, "test"),
        Judgment("2", "d", 1, "test"),
        Judgment("q1", "c", 1, "train"),
        Judgment("2", "d", 3, "dev"),
    )
    assert found.rejects == ()


def test_problems_are_named_by_line(tmp_path: Path) -> None:
    name = judged(
        tmp_path,
        {
            "test.tsv": "q1\ta\t1\nq1\tb\nq9\ta\t1\nq1\tc\thigh\nq1\td\t300\nq1\ta\t1\nq1\ta\t2\n",
            "extra.tsv": "q1\ta\t1\n",
        },
        {"_id": "q1", "text": "one?"},
        {"_id": "", "text": "two?"},
        {"_id": "q3", "text": " "},
        {"_id": "q1", "text": "again?"},
        "{broken\n",
    )
    found = read_judgments(name)
    assert found.judgments == (Judgment("q1", "a", 1, "test"),)
    assert {reject.source.removeprefix(f"{name}/"): reject.reason for reject in found.rejects} == {
        "queries.jsonl:2": "no id: `_id` is blank",
        "queries.jsonl:3": "no text",
        "queries.jsonl:4": "id taken: by an earlier query",
        "queries.jsonl:5": (
            "not JSON: Expecting property name enclosed in double quotes (column 2)"
        ),
        "qrels/extra.tsv": "unknown split: name the file train.tsv, dev.tsv, or test.tsv",
        "qrels/test.tsv:2": "not a judgment: 2 columns where 3 or 4 are wanted",
        "qrels/test.tsv:3": "unknown query: q9",
        "qrels/test.tsv:4": "not a relevance: high (a whole number up to 127)",
        "qrels/test.tsv:5": "not a relevance: 300 (a whole number up to 127)",
        "qrels/test.tsv:7": "judged twice: the first judgment holds",
    }


def test_a_folder_without_judgments_is_refused(tmp_path: Path) -> None:
    (tmp_path / "queries.jsonl").write_text("")
    with pytest.raises(BurnishError, match="There are no questions in .*queries.jsonl.*qrels/test"):
        read_judgments(tmp_path)


def test_the_questions_that_come_along_can_be_read() -> None:
    found = read_judgments("builtin:python")
    assert found.queries
    assert found.judgments
    assert found.rejects == ()


def test_the_fingerprint_covers_queries_and_judgments(tmp_path: Path) -> None:
    name = judged(tmp_path, {"test.tsv": "q1\ta\t1\n"})
    seen = {fingerprint_judgments(name)}
    judged(tmp_path, {"test.tsv": "q1\ta\t2\n"})
    seen.add(fingerprint_judgments(name))
    judged(tmp_path, {"dev.tsv": ""})
    seen.add(fingerprint_judgments(name))
    judged(tmp_path, {}, {"_id": "q1", "text": "changed?"})
    seen.add(fingerprint_judgments(name))
    assert len(seen) == 4


def test_what_lies_beside_the_corpus_is_set_aside_by_name(tmp_path: Path) -> None:
    name = judged(tmp_path / "beir", {"test.tsv": "q1\ta\t1\n"})
    files = {
        "corpus.jsonl": lines({"_id": "a", "text": "document"}),
        "more/page.md": "Text.",
        "rows.csv": "text\nrow\n",
        "picture.png": "png",
        ".hidden.md": "hidden",
    }
    for file, text in files.items():
        (tmp_path / "beir" / file).parent.mkdir(exist_ok=True)
        (tmp_path / "beir" / file).write_text(text)
    (tmp_path / "out.md").write_text("out")
    (tmp_path / "beir" / "out.md").symlink_to(tmp_path / "out.md")
    beside = "not read: beside corpus.jsonl"

    def read() -> dict[str, str]:
        document, *rejects = Beir(name).read(Inventory(None))
        assert isinstance(document, Document)
        assert all(isinstance(r, Reject) and r.source == f"{name}/{r.document_id}" for r in rejects)
        return {r.document_id: r.reason for r in rejects if isinstance(r, Reject)}

    others = {"more/page.md": beside, "rows.csv": beside, "picture.png": beside}
    assert read() == {**others, "out.md": "link out of the folder"}
    (tmp_path / "beir" / "qrels" / "test.tsv").unlink()  # queries that nothing judges
    (tmp_path / "out.md").rename(tmp_path / "gone.md")
    assert read() == {**others, "out.md": "broken link", "queries.jsonl": beside}
