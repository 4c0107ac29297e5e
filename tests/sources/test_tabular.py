"""Tables: rows are documents, columns are named, and a broken row costs itself alone."""

import gzip
import json
import random
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from tasks.contracts import BurnishError
from tasks.sources import list_sources, read_documents, rows

from .conftest import Fill, Read

ROWS = [
    {"key": "a", "heading": "A", "body": "Text one."},
    {"key": "b", "heading": "", "body": "Two"},
]


def lines(*values: object) -> str:
    return "".join(v if isinstance(v, str) else json.dumps(v) + "\n" for v in values)


def parquet(rows: list[dict[str, object]]) -> bytes:
    sink = pa.BufferOutputStream()
    pq.write_table(pa.Table.from_pylist(rows), sink)
    return sink.getvalue().to_pybytes()


FILES: dict[str, bytes] = {
    "rows.jsonl": lines(*ROWS).encode(),
    "rows.ndjson": lines(*ROWS).encode(),
    "rows.jsonl.gz": gzip.compress(lines(*ROWS).encode()),
    "rows.csv": b"key,heading,body\r\na,A,Text one.\r\nb,,Two\r\n",
    "semicolons.csv": b"key;heading;body\na;A;Text one.\nb;;Two\n",
    "rows.tsv": b"\xef\xbb\xbfkey\theading\tbody\na\tA\tText one.\nb\t\tTwo\n",
    "wide.tsv": "key\theading\tbody\na\tA\tText one.\nb\t\tTwo\n".encode("utf-16"),
    "rows.csv.gz": gzip.compress(b"key,heading,body\na,A,Text one.\nb,,Two\n"),
    "rows.parquet": parquet(ROWS),
}


@pytest.mark.parametrize("name", FILES)
def test_named_columns_in_every_kind_of_file(name: str, fill: Fill, read: Read) -> None:
    folder = fill({name: FILES[name]})
    documents, rejects = read(f"{folder}/{name}#id=key&title=heading&text=body")
    assert not rejects
    assert [(d.document_id, d.title, d.sections[0].text) for d in documents.values()] == [
        ("a", "A", "Text one."),
        ("b", "", "Two"),
    ]
    assert documents["a"].source == f"{folder}/{name}"
    assert documents["a"].sections[0].position in {"line 1", "line 2", "row 1"}


def test_usual_columns_need_no_name(fill: Fill, read: Read) -> None:
    name = fill(
        {
            "a.csv": "id,title,text\nx,T,one\n",
            "b.jsonl": lines({"_id": 7, "contents": "two"}, {"title": "title alone"}),
            "c.parquet": parquet([{"body": "three"}]),
        }
    )
    documents, rejects = read(name)
    assert not rejects
    texts = {key: document.sections[0].text for key, document in documents.items()}
    assert texts["a.csv:x"] == "one"
    assert texts["b.jsonl:7"] == "two"
    assert sorted(texts.values()) == ["one", "three", "title alone", "two"]


def test_a_row_without_id_keeps_its_name_when_rows_come_before_it(fill: Fill, read: Read) -> None:
    name = fill({"a.csv": "text\nold\n"})
    (old,) = read(name)[0]
    fill({"a.csv": "text\nnew\nold\n"})
    documents, _ = read(name)
    assert len(documents) == 2
    assert documents[old].sections[0].text == "old"
    assert documents[old].sections[0].position == "line 3"


@pytest.mark.parametrize("name", ["a.csv", "a.parquet", "a.jsonl"])
@pytest.mark.parametrize(
    ("fragment", "message"),
    [
        ("#text=story", r"a\.\w+ has no column story: there are name, boddy. Name the columns so"),
        ("#id=key&text=boddy", "has no column key: there are name, boddy"),
        ("", "has no column of text: there are name, boddy; name one by `#text=<column>`"),
    ],
)
def test_a_missing_column_is_told_with_those_there_are(
    name: str, fragment: str, message: str, fill: Fill
) -> None:
    rows = [{"name": "n", "boddy": "b"}]
    content = {
        "csv": b"name,boddy\nn,b\n",
        "jsonl": lines(*rows).encode(),
        "parquet": parquet(rows),
    }
    folder = fill({name: content[name.partition(".")[2]]})
    with pytest.raises(BurnishError, match=message):
        list_sources([f"{folder}/{name}{fragment}"])


def test_among_other_files_a_table_without_text_is_set_aside(fill: Fill, read: Read) -> None:
    name = fill({"a.md": "a", "log.csv": "when,what\n1,2\n", "good.csv": "story\nonce\n"})
    documents, rejects = read(name)
    assert list(documents) == ["a.md"]
    assert rejects["log.csv"].startswith("no column of text: there are when, what; name one")
    documents, rejects = read(f"{name}#text=story")
    assert len(documents) == 2
    assert rejects == {"log.csv": "no column story: there are when, what"}
    with pytest.raises(BurnishError, match="has no column tale"):
        list_sources([f"{name}#text=tale"])


@pytest.mark.parametrize(
    ("fragment", "message"),
    [
        ("#txt=a", "The option `txt=a` .* is unknown. After `#` it takes `id=`, `text=`, `title=`"),
        ("#text=a&text=b", "`text=b` .* is twice"),
        ("#text=", "`text=` .* is blank"),
    ],
)
def test_a_wrong_option_is_refused(fragment: str, message: str, fill: Fill) -> None:
    folder = fill({"a.csv": "a\n1\n", "b.md": "b"})
    with pytest.raises(BurnishError, match=message):
        list_sources([f"{folder}/a.csv{fragment}"])
    with pytest.raises(BurnishError, match="There is no table to take the columns `#text=a` from"):
        list_sources([f"{folder}/b.md#text=a"])


def test_broken_json_lines_cost_themselves_alone(fill: Fill, read: Read) -> None:
    broken = [
        b'{"text": "good", "id": "g"}',
        b'{"text": "cut',
        b"[1]",
        b'{"text": ""}',
        b'{"text": ["no"]}',
        b'{"text": "caf\xe9"}',
        b"[" * 100_000,
        b'{"text": "half \\ud800 pair", "id": "h\\u0000"}',
        b'{"n": ' + b"1" * 5000 + b"}",
        b'{"text": "' + b"x" * 200_000 + b'"}',
        b'{"text": "last", "id": "l"}',
    ]
    name = fill({"a.jsonl": b"\n".join(broken)})
    documents, rejects = read(name, most=150_000)
    assert list(documents) == ["a.jsonl:g", "a.jsonl:h\\x00", "a.jsonl:l"]
    assert documents["a.jsonl:h\\x00"].sections[0].text == "half \ufffd pair"
    byte = sum(len(line) + 1 for line in broken[:5]) + broken[5].index(b"\xe9")
    assert rejects.pop("a.jsonl:7").startswith("not JSON: ")
    assert rejects.pop("a.jsonl:9").startswith("not JSON: ")
    blank = "no text: `text`, `contents`, `content`, `body`"
    assert rejects == {
        "a.jsonl:2": "not JSON: Unterminated string starting at (column 10)",
        "a.jsonl:3": "not an object: list",
        "a.jsonl:4": blank,
        "a.jsonl:5": blank,
        "a.jsonl:6": f"not UTF-8: byte {byte}; save it as UTF-8",
        "a.jsonl:10": "too large: a line of 200,013",
    }


def test_a_forgotten_quotation_mark_costs_its_row_alone(fill: Fill, read: Read) -> None:
    text = (
        'id,text\na,"one, ""two"""\nb,"forgotten\nc,three\nd,"two\nlines"\ne\nf,"six"x\ng,seven\n'
    )
    documents, rejects = read(fill({"a.csv": text}) + "/a.csv#id=id")
    assert {key: d.sections[0].text for key, d in documents.items()} == {
        "a": 'one, "two"',
        "c": "three",
        "d": "two\nlines",
        "g": "seven",
    }
    assert documents["d"].sections[0].position == "line 5"
    assert documents["g"].sections[0].position == "line 9"
    assert set(rejects) == {"a.csv:3", "a.csv:7", "a.csv:8"}
    assert rejects["a.csv:7"] == "not a row: columns are 1 where 2 are wanted"


def test_tsv_whose_writer_does_not_quote(fill: Fill, read: Read) -> None:
    text = 'id\ttext\na\t"one" and two\nb\tthree "four"\nc\t"five\n'
    documents, rejects = read(fill({"a.tsv": text}) + "/a.tsv#id=id")
    assert [d.sections[0].text for d in documents.values()] == [
        '"one" and two',
        'three "four"',
        '"five',
    ]
    assert not rejects


def test_a_spreadsheet_in_windows_encoding_is_read_and_said_so(
    fill: Fill, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("INFO")
    text = "id;text\n" + "".join(
        f"{n};Die Übung fällt aus, weil der Prüfer für Bücher 5 € verlangt.\n" for n in range(9)
    )
    name = fill({"a.csv": text.encode("cp1252")}) + "/a.csv#id=id"
    documents, rejects, work = read_documents(list_sources([name]), tmp_path / "root")
    assert documents[0].sections[0].text.startswith("Die Übung fällt aus")
    assert (len(documents), rejects, work["guessed"]) == (9, [], 1)
    assert "a.csv is not UTF-8; read as cp1252" in caplog.text


def test_damaged_files_end_where_they_are_damaged(fill: Fill, read: Read) -> None:
    many = [{"text": f"row {number} " + "x" * 50, "id": str(number)} for number in range(5000)]
    packed, columns = gzip.compress(lines(*many).encode()), parquet(many)
    name = fill(
        {
            "cut.jsonl.gz": packed[: len(packed) // 2],
            "no.jsonl.gz": b"no gzip",
            "cut.parquet": columns[:-100],
            "bytes.parquet": columns[:60] + bytes(200) + columns[260:],
            "empty.csv": b"",
            "head.csv": b"id,text\n",
            "good.md": b"good",
        }
    )
    documents, rejects = read(name)
    assert "good.md" in documents
    assert len(documents) > 100  # what came before the end of the packed file
    told = {key.partition(":")[0]: reason.partition(":")[0] for key, reason in rejects.items()}
    assert told == {
        "cut.jsonl.gz": "damaged",
        "no.jsonl.gz": "damaged",
        "cut.parquet": "damaged",
        "bytes.parquet": "damaged",
        "empty.csv": "no rows",
        "head.csv": "no rows",
    }


@pytest.mark.parametrize(
    "name", ["rows.jsonl", "rows.csv", "rows.tsv", "rows.jsonl.gz", "rows.parquet"]
)
def test_mutated_tables_never_end_the_run(name: str, fill: Fill, read: Read) -> None:
    random.seed(0)
    original = FILES[name] if name != "rows.parquet" else parquet(ROWS * 50)
    for _ in range(40):
        content = bytearray(original)
        for _ in range(random.randint(1, 8)):
            content[random.randrange(len(content))] = random.randrange(256)
        del content[random.randrange(len(content) // 2, len(content) + 1) :]
        documents, rejects = read(fill({"good.md": "good", name: bytes(content)}))
        assert len(documents) + len(rejects) >= 2


def saved(**columns: pa.Array) -> bytes:
    sink = pa.BufferOutputStream()
    pq.write_table(pa.table(columns), sink, compression="zstd")
    return sink.getvalue().to_pybytes()


def test_parquet_text_that_is_no_utf8_costs_its_row_alone(fill: Fill, read: Read) -> None:
    offsets, texts = pa.array([0, 3, 6, 9], pa.int32()).buffers()[1], b"one\xff\xfe.two"
    broken = pa.StringArray.from_buffers(3, offsets, pa.py_buffer(texts))
    name = fill({"a.parquet": saved(id=pa.array(["a", "b", "c"]), text=broken), "b.md": "good"})
    documents, rejects = read(name)
    assert set(documents) == {"a.parquet:a", "a.parquet:c", "b.md"}
    assert list(rejects) == ["a.parquet:2"]
    assert rejects["a.parquet:2"].startswith("damaged: 'utf-8' codec can't decode")


@pytest.mark.parametrize(
    "kind",
    [pa.string(), pa.large_string(), pa.string_view(), pa.dictionary(pa.int8(), pa.string())],
)
def test_parquet_text_of_any_kind_beside_what_python_cannot_hold(
    kind: pa.DataType, fill: Fill, read: Read
) -> None:
    year_10000 = pa.array([2_932_897, 0], pa.int32()).cast(pa.date32())
    times = pa.array([1 << 62, 0], pa.int64()).cast(pa.timestamp("ms"))
    text = pa.array(["one", "two"]).cast(kind)
    content = saved(id=pa.array([1, 2]), text=text, day=year_10000, time=times)
    documents, rejects = read(fill({"a.parquet": content}))
    assert [d.sections[0].text for d in documents.values()] == ["one", "two"]
    assert set(documents) == {"a.parquet:1", "a.parquet:2"}
    assert not rejects


@pytest.mark.parametrize(
    "texts", [["x" * 1000] * 5000, [f"{n:05}{'x' * 995}" for n in range(5000)]]
)
def test_a_parquet_bomb_costs_its_table(
    texts: list[str], fill: Fill, read: Read, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(rows, "MAX_EXPANSION", 10)
    content = saved(id=pa.array(range(5000)), text=pa.array(texts))
    documents, rejects = read(fill({"a.parquet": content, "b.md": "b"}), 2000)
    assert "b.md" in documents
    assert len(documents) < 2500
    (reason,) = rejects.values()
    assert reason.startswith("zip bomb: expands beyond reason")


def test_a_long_row_of_parquet_costs_itself_alone(fill: Fill, read: Read) -> None:
    content = saved(id=pa.array([1, 2]), text=pa.array(["x" * 2000, "short"]))
    documents, rejects = read(fill({"a.parquet": content}), 1000)
    assert list(documents) == ["a.parquet:2"]
    assert rejects == {"a.parquet:1": "too large: a row of 2,000"}


@pytest.mark.parametrize("line", [b"x", b'{"text": "one"}\n'])
def test_a_packed_file_that_expands_beyond_reason_ends_there(
    line: bytes, fill: Fill, read: Read
) -> None:
    packed = gzip.compress(b'{"text": "good"}\n' + line * (4_000_000 // len(line)))
    documents, rejects = read(fill({"a.jsonl.gz": packed}), 1000)
    assert "good" in {document.sections[0].text for document in documents.values()}
    last = list(rejects.values())[-1]
    assert last.startswith("damaged: zip bomb: expands beyond ")
    assert len(rejects) < 2_000_000 // len(line)  # most of it was not read


def test_rows_behind_a_quotation_that_ends_in_another_row_come_back(fill: Fill, read: Read) -> None:
    text = 'id,text\na,"forgotten\nb,two\nc,five",six\nd,"two\nlines"\n'
    documents, rejects = read(fill({"a.csv": text}) + "/a.csv#id=id")
    assert {key: d.sections[0].text for key, d in documents.items()} == {
        "b": "two",
        "d": "two\nlines",
    }
    assert rejects == {
        "a.csv:2": "not a row: columns are 3 where 2 are wanted",
        "a.csv:4": "not a row: columns are 3 where 2 are wanted",
    }
