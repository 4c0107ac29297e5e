"""Notebooks: Markdown and code, cell by cell; what the code printed is left out.

A form feed in a section's text is where a cell ends, so that a passage keeps its cell.
"""

import io
from contextlib import redirect_stderr
from typing import Any

import nbformat

from .markdown import add_markdown
from .outline import CODE_INDENT, Outline, Parsed
from .reasons import damage
from .titles import read_title


def parse_notebook(text: str) -> Parsed:
    """Parse a notebook of any version; headings in its Markdown are the sections.

    Raises:
        Unreadable: it is no notebook.
    """
    with damage("notebook"), redirect_stderr(io.StringIO()):
        faults: dict[str, Any] = {}  # minor ones are told here, and borne
        book = nbformat.reads(text, as_version=4, capture_validation_error=faults)
        cells = [(str(cell["cell_type"]), _source(cell)) for cell in book["cells"]]
        title = read_title(str(book["metadata"].get("title", "")))
    outline = Outline(title, "cell 1")
    line = 0
    for number, (kind, source) in enumerate(cells, start=1):
        outline.at(f"cell {number}")
        if number > 1:
            outline.add("\f", line)
            line += 1
        if kind == "markdown":
            add_markdown(source, outline, line)
        elif source.strip():
            indent = CODE_INDENT if kind == "code" else ""
            outline.add("\n".join(indent + row for row in source.split("\n")), line)
        line += source.count("\n") + 2
    return outline.finish()


def _source(cell: dict[str, Any]) -> str:
    source = cell["source"]
    return source if isinstance(source, str) else "".join(map(str, source))
