"""A page in Markdown, for Prefect's artifacts."""

import base64
import html
import string
from collections.abc import Iterable

from .blocks import (
    Block,
    Cell,
    Excerpt,
    Figures,
    Grid,
    Notes,
    Paragraph,
    Picture,
    Record,
    Sample,
    Section,
    tell,
)
from .legible import clean, flatten, shorten

MAX_PASSAGE, MAX_CELL = 320, 160  # characters; the page for the registry shows more

_ESCAPES = {ord(mark): f"\\{mark}" for mark in string.punctuation if mark not in ",;%'"}


def escape(text: str) -> str:
    r"""Put a text so that Markdown shows it as it is, in one line.

    Not by references (`&#42;`): one of Prefect's two interfaces shows them unread.

    >>> escape("<b>*x*</b>")
    '\\<b\\>\\*x\\*\\<\\/b\\>'
    """
    return flatten(text).translate(_ESCAPES)


def render_markdown(title: str, sections: Iterable[Section]) -> str:
    """Render sections as GitHub's Markdown, pictures included.

    Every text is escaped, so that no document can add markup, a link, or a picture from elsewhere.
    """
    parts = [f"# {escape(title)}"]
    for section in sections:
        parts.append(f"## {escape(section.title)}")
        parts += [_render(block) for block in section.blocks]
    return "\n\n".join(parts) + "\n"


def _render(block: Block) -> str:
    match block:
        case Paragraph(text):
            return escape(text)
        case Notes(texts):
            return "\n".join(f"- {escape(text)}" for text in texts)
        case Figures(values):
            return " · ".join(f"**{escape(tell(cell))}** {escape(name)}" for cell, name in values)
        case Grid():
            return _render_grid(block)
        case Picture(caption, svg):
            encoded = base64.b64encode(svg).decode()
            return f"![{escape(caption)}](data:image/svg+xml;base64,{encoded})"
        case Record(title, text):
            # an empty line would end the block of HTML, and Markdown would read the rest
            lines = (html.escape(line) for line in clean(text).splitlines() if line.strip())
            return _fold(title, "<pre>" + "\n".join(lines) + "</pre>")
        case Sample():
            return _render_sample(block)


def _render_grid(grid: Grid) -> str:
    def line(cells: Iterable[str]) -> str:
        return f"| {' | '.join(cells)} |"

    first = grid.rows[0] if grid.rows else grid.header
    rules = (":---" if isinstance(cell, str) else "---:" for cell in first)
    rows = (line(map(_render_cell, row)) for row in grid.rows)
    return "\n".join([line(map(escape, grid.header)), line(rules), *rows])


def _render_cell(cell: Cell) -> str:
    return escape(shorten(tell(cell), MAX_CELL))


def _render_sample(sample: Sample) -> str:
    # a list, because one of Prefect's two interfaces does not break the lines of a table
    lines = []
    for excerpt in sample.passages:
        score = "" if excerpt.score is None else f" {tell(excerpt.score)}"
        lines.append(f"- {escape(excerpt.role + score)} {_render_excerpt(excerpt)}")
    return _fold(f"{shorten(sample.query, MAX_CELL)} ({sample.origin})", "\n".join(lines))


def _render_excerpt(excerpt: Excerpt) -> str:
    shown = shorten(excerpt.text, MAX_PASSAGE, excerpt.marked)
    before, marked, after = shown.partition(excerpt.marked) if excerpt.marked else (shown, "", "")
    # stars only work between a space and what they stand for
    parts = [_strong(excerpt.heading), escape(before), _strong(marked), escape(after)]
    return " ".join(part for part in [*parts, _strong(excerpt.place, "*")] if part)


def _strong(text: str, stars: str = "**") -> str:
    escaped = escape(text)
    return f"{stars}{escaped}{stars}" if escaped else ""


def _fold(title: str, content: str) -> str:
    return f"<details><summary>{html.escape(flatten(title))}</summary>\n\n{content}\n\n</details>"
