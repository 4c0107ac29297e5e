"""Notebooks: cells in order, headings of Markdown, code as code, and no output."""

import json

import pytest

from tasks.parsers.notebook import parse_notebook
from tasks.parsers.reasons import Unreadable


def cell(kind: str, source: str) -> dict[str, object]:
    code = {"outputs": [{"output_type": "stream", "name": "stdout", "text": "printed"}]}
    extra = code | {"execution_count": None} if kind == "code" else {}
    return {"cell_type": kind, "metadata": {}, "source": source.splitlines(keepends=True)} | extra


def notebook(*cells: dict[str, object]) -> str:
    return json.dumps({"cells": cells, "metadata": {}, "nbformat": 4, "nbformat_minor": 4})


def test_cells_are_told_by_form_feeds() -> None:
    title, sections, _ = parse_notebook(
        notebook(
            cell("markdown", "# Guide\n\nIntro.\n\nMore."),
            cell("code", "import x\nx.run()"),
            cell("markdown", "After.\n\n## Part\n\nText."),
            cell("code", ""),
            cell("raw", "as it is"),
        )
    )
    assert title == "Guide"
    assert [(s.heading, s.position) for s in sections] == [("", "cell 1"), ("Part", "cell 3")]
    assert [part.strip("\n") for part in sections[0].text.split("\f")] == [
        "Intro.\n\nMore.",
        "    import x\n    x.run()",
        "After.",
    ]
    assert [part.strip() for part in sections[1].text.split("\f")] == ["Text.", "", "as it is"]


def test_old_versions_are_read() -> None:
    cells = [
        {"cell_type": "heading", "level": 1, "source": "Guide"},
        {"cell_type": "code", "input": "a = 1", "outputs": [], "language": "python"},
    ]
    old = {"metadata": {}, "nbformat": 3, "nbformat_minor": 0, "worksheets": [{"cells": cells}]}
    title, sections, _ = parse_notebook(json.dumps(old))
    assert (title, sections[0].text.strip()) == ("Guide", "a = 1")


def test_a_minor_fault_is_borne() -> None:
    book = json.loads(notebook(cell("markdown", "Text.")))
    book["cells"][0]["mark"] = 3
    assert parse_notebook(json.dumps(book))[1][0].text == "Text."


@pytest.mark.parametrize(
    "text", ["", "{}", "[]", "1", '{"cells": 3}', notebook(cell("code", "a"))[:-30], "[" * 100_000]
)
def test_what_is_no_notebook_says_why(text: str) -> None:
    with pytest.raises(Unreadable, match="^damaged notebook: "):
        parse_notebook(text)
