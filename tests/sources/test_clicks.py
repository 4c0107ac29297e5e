"""Click logs: every row counts or is set aside, whatever form the log has."""

import json
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from tasks.contracts import BurnishError
from tasks.core.text import Reject
from tasks.sources import Click, list_sources, read_clicks
from tasks.sources.clicks import fingerprint_clicks

from .conftest import Fill


def test_every_form_gives_the_same(fill: Fill) -> None:
    rows = [
        {"query": " set  up ", "document": "a.md", "times": 3, "split": "train"},
        {"query": "ports", "document": "b.md", "times": 1, "split": "validation"},
    ]
    text = "query,document,times,split\n set  up ,a.md,3.0,train\nports,b.md,1,validation\n"
    name = fill(
        {
            "a.csv": text,
            "a.tsv": text.replace(",", "\t"),
            "a.jsonl": "".join(json.dumps(row) + "\n" for row in rows),
        }
    )
    pq.write_table(pa.Table.from_pylist(rows), Path(name) / "a.parquet")
    for kind in ("csv", "tsv", "jsonl", "parquet"):
        assert list(read_clicks(f"{name}/a.{kind}")) == [
            Click("set up", "a.md", 3, "train"),
            Click("ports", "b.md", 1, "dev"),
        ]


def test_columns_are_renamed_and_times_may_be_missing(fill: Fill) -> None:
    name = fill({"log.csv": "q,url,n\nports,b.md,2\n", "plain.csv": "query,document\nports,b.md\n"})
    named = f"{name}/log.csv#query=q&document=url"
    assert list(read_clicks(f"{named}&times=n")) == [Click("ports", "b.md", 2)]
    assert list(read_clicks(named)) == [Click("ports", "b.md", 1)]
    assert list(read_clicks(f"{name}/plain.csv")) == [Click("ports", "b.md", 1)]
    assert fingerprint_clicks(named) != fingerprint_clicks(f"{named}&times=n")


def test_broken_rows_are_named_by_line(fill: Fill) -> None:
    rows = ["q,a,2", ",a,2", "q,,2", "q,a,often", "q,a,0", "q,a,-1", "q,a,1.5", "q,a,nan", "q,a"]
    name = fill({"log.csv": "query,document,times\n" + "\n".join(rows)}) + "/log.csv"
    items = list(read_clicks(name))
    assert [item for item in items if isinstance(item, Click)] == [Click("q", "a", 2)]
    reasons = {i.source.rpartition(":")[2]: i.reason for i in items if isinstance(i, Reject)}
    assert reasons == {
        "3": "no query: it is blank",
        "4": "no document: it is blank",
        **{str(n): f"not a number of times: {rows[n - 2][4:]}" for n in range(5, 10)},
        "10": "not a row: columns are 2 where 3 are wanted",
    }


def test_an_unknown_split_is_set_aside(fill: Fill) -> None:
    name = fill({"a.csv": "query,document,split\nq,a,later\nq,a,\n"}) + "/a.csv"
    reject, click = read_clicks(name)
    assert isinstance(reject, Reject)
    assert reject.reason == "unknown split: later"
    assert click == Click("q", "a", 1)


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("absent.csv", "The click log .*absent.csv is not there. Name a file of"),
        ("a.md", "The click log .*a.md is of a kind that is not read"),
        ("a.csv", "has no column for document; there are query, url. Name them: `#query="),
        ("a.csv#document=page", "has no column for document; there are query, url"),
        ("a.csv#text=url", "The option `text=url` .* is unknown"),
    ],
)
def test_what_cannot_be_read_is_refused(name: str, message: str, fill: Fill) -> None:
    folder = fill({"a.csv": "query,url\nq,a\n", "a.md": "a"})
    with pytest.raises(BurnishError, match=message):
        next(iter(read_clicks(f"{folder}/{name}")))
    with pytest.raises(BurnishError, match=message):
        list_sources([f"{folder}/a.md"], clicks=[f"{folder}/{name}"])


def test_a_listing_changes_with_its_clicks(fill: Fill) -> None:
    name = fill({"a.md": "a", "log/a.csv": "query,document\nq,a.md\n"})
    plain, log = list_sources([f"{name}/a.md"]), f"{name}/log/a.csv"
    listing = list_sources([f"{name}/a.md"], clicks=[log, log])
    assert listing.clicks == (log,)
    assert listing.fingerprint != plain.fingerprint
    fill({"log/a.csv": "query,document\nq,b.md\n"})
    assert list_sources([f"{name}/a.md"], clicks=[log]).fingerprint != listing.fingerprint
