"""A page in HTML, one file that fetches nothing and runs nothing, for the registry."""

import base64
import html
from collections.abc import Iterable

from .blocks import (
    ANSWER,
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
    Share,
    tell,
)
from .legible import clean, shorten

MAX_ANSWER, MAX_NEGATIVE = 1200, 600  # characters shown of a passage

# Escaping is what keeps documents from adding markup; the policy is what holds if it ever fails.
_HEAD = """<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta http-equiv="Content-Security-Policy"
 content="default-src 'none'; img-src data:; style-src 'unsafe-inline'; form-action 'none'">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>{title}</title>
<style>
:root {{ color-scheme: light; --line: #d8dee4; --soft: #57606a; --accent: #1f6feb; }}
body {{ font: 15px/1.5 system-ui, sans-serif; color: #1f2328; background: #fff; margin: 0 auto;
 padding: 1.5rem; max-width: 60rem; overflow-wrap: break-word; }}
h1 {{ font-size: 1.6rem; margin: 0 0 1rem; }}
h2 {{ font-size: 1.2rem; margin: 2.2rem 0 .6rem; padding-top: .8rem;
 border-top: 1px solid var(--line); }}
.figures {{ display: flex; flex-wrap: wrap; gap: .6rem; }}
.figures div {{ border: 1px solid var(--line); border-radius: 6px; padding: .4rem .8rem; }}
.figures b {{ display: block; font-size: 1.3rem; font-variant-numeric: tabular-nums; }}
.figures span {{ color: var(--soft); font-size: .85rem; }}
.scroll {{ overflow-x: auto; }}
table {{ border-collapse: collapse; font-size: .92rem; margin: .6rem 0; }}
th, td {{ text-align: left; vertical-align: top; padding: .25rem .7rem .25rem 0;
 border-bottom: 1px solid var(--line); }}
td:last-child {{ overflow-wrap: anywhere; }}
th {{ color: var(--soft); font-weight: 600; }}
.number {{ text-align: right; white-space: nowrap; font-variant-numeric: tabular-nums; }}
meter {{ width: 5rem; margin-left: .5rem; vertical-align: middle; }}
figure {{ margin: .8rem 0; }}
figure img {{ max-width: 100%; }}
details {{ border: 1px solid var(--line); border-radius: 6px; margin: .5rem 0;
 padding: .5rem .8rem; }}
summary {{ cursor: pointer; }}
summary b {{ font-weight: 600; }}
small {{ color: var(--soft); }}
.passage {{ border-left: 3px solid var(--line); margin: .7rem 0; padding-left: .8rem; }}
.answer {{ border-color: var(--accent); }}
.passage p {{ margin: .1rem 0; white-space: pre-line; }}
mark {{ background: #fff3b8; }}
pre {{ overflow-x: auto; font-size: .85rem; }}
</style>
</head>
<body>
"""


def escape(text: str) -> str:
    """Put a text so that HTML shows it as it is, in an element or in an attribute's quotes.

    >>> escape('<img src=x onerror="alert(1)">')
    '&lt;img src=x onerror=&quot;alert(1)&quot;&gt;'
    """
    return html.escape(clean(text))


def render_html(title: str, sections: Iterable[Section]) -> str:
    """Render sections as one HTML document: styles and pictures inside, no script, no address."""
    parts = [_HEAD.format(title=escape(title)), f"<h1>{escape(title)}</h1>"]
    for section in sections:
        parts.append(f"<h2>{escape(section.title)}</h2>")
        parts += [_render(block) for block in section.blocks]
    return "\n".join([*parts, "</body>", "</html>", ""])


def _render(block: Block) -> str:
    match block:
        case Paragraph(text):
            return f"<p>{escape(text)}</p>"
        case Notes(texts):
            return f"<ul>{''.join(f'<li>{escape(text)}</li>' for text in texts)}</ul>"
        case Figures(values):
            tiles = (
                f"<div><b>{escape(tell(cell))}</b><span>{escape(name)}</span></div>"
                for cell, name in values
            )
            return f'<div class="figures">{"".join(tiles)}</div>'
        case Grid():
            return _render_grid(block)
        case Picture(caption, svg):
            source = f"data:image/svg+xml;base64,{base64.b64encode(svg).decode()}"
            return f'<figure><img alt="{escape(caption)}" src="{source}"></figure>'
        case Record(title, text):
            return f"<details><summary>{escape(title)}</summary><pre>{escape(text)}</pre></details>"
        case Sample():
            return _render_sample(block)


def _render_grid(grid: Grid) -> str:
    first = grid.rows[0] if grid.rows else grid.header
    kinds = ["" if isinstance(cell, str) else ' class="number"' for cell in first]
    head = (f"<th{kind}>{escape(n)}</th>" for n, kind in zip(grid.header, kinds, strict=True))
    rows = (
        "<tr>"
        + "".join(f"<td{kind}>{_render_cell(c)}</td>" for c, kind in zip(row, kinds, strict=True))
        + "</tr>"
        for row in grid.rows
    )
    return (
        f'<div class="scroll"><table><thead><tr>{"".join(head)}</tr></thead>\n'
        + "\n".join(rows)
        + "</table></div>"
    )


def _render_cell(cell: Cell) -> str:
    told = escape(tell(cell))
    if isinstance(cell, Share):
        return f'{told}<meter max="100" value="{cell.percent:.1f}"></meter>'
    return f'<span dir="auto">{told}</span>' if isinstance(cell, str) else told


def _render_sample(sample: Sample) -> str:
    passages = "\n".join(map(_render_excerpt, sample.passages))
    return (
        f'<details open><summary><b dir="auto">{escape(sample.query)}</b> '
        f"<small>{escape(sample.origin)}</small></summary>\n{passages}</details>"
    )


def _render_excerpt(excerpt: Excerpt) -> str:
    is_answer = excerpt.role == ANSWER
    most = MAX_ANSWER if is_answer else MAX_NEGATIVE
    shown = shorten(excerpt.text, most, excerpt.marked)
    before, marked, after = shown.partition(excerpt.marked) if excerpt.marked else (shown, "", "")
    text = escape(before) + (f"<mark>{escape(marked)}</mark>" if marked else "") + escape(after)
    score = "" if excerpt.score is None else f" {tell(excerpt.score)}"
    return (
        f'<div class="passage{" answer" if is_answer else ""}">'
        f"<small>{escape(excerpt.role)}{score}</small> "
        f'<b dir="auto">{escape(excerpt.heading)}</b> <small>{escape(excerpt.place)}</small>'
        f'<p dir="auto">{text}</p></div>'
    )
