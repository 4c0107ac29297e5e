"""reStructuredText as text, read the light way.

Most of it is written for Sphinx, whose roles and directives docutils does not know: it would turn
them into error messages. What titles are is docutils' rule, and is tested against it.
"""

import re
import unicodedata
from collections.abc import Iterator

from .outline import CODE_INDENT, Outline, Parsed

ADORNMENT = re.compile(r"([!-/:-@\[-`{-~])\1*\s*")
DIRECTIVE = re.compile(r"(?:\|[^|]+\|\s*)?([A-Za-z][\w:.+-]*)\s*::(?:\s+(.*))?$")
BORDER = re.compile(r"\s*[=+-]{2}[=+| -]*")
BULLET = re.compile(r"^\s*(?:[*+-]|[\w#]{1,3}[.)])\s+")
CODE = {"code", "code-block", "sourcecode", "doctest", "testcode", "parsed-literal", "prompt"}
DROPPED = set(  # what they show is elsewhere, or is no text
    """
    autoclass autofunction automodule autosummary contents csv-table currentmodule default-domain
    figure highlight image include index literalinclude meta module plot raw replace role
    sectnum tabularcolumns testsetup toctree unicode
    """.split()  # noqa: SIM905 - as a list it would take twenty lines
)


def parse_restructured(text: str) -> Parsed:
    """Parse headings by docutils' rule; of the rest keep the words and drop the marks."""
    outline = Outline()
    styles: list[tuple[str, bool]] = []
    lines = [line.expandtabs(8).rstrip() for line in text.split("\n")]
    begin = 0
    for start, end, title, style in _titles(lines):
        _add_body(outline, lines, begin, start)
        if style not in styles:
            styles.append(style)
        outline.open(styles.index(style) + 1, _inline(title))
        begin = end
    _add_body(outline, lines, begin, len(lines))
    return outline.finish()


def _titles(lines: list[str]) -> Iterator[tuple[int, int, str, tuple[str, bool]]]:
    """Yield first line, end, text, and style (character, with overline or not) of each title."""
    number = 0
    while number < len(lines) - 1:
        above, line, below = (*lines[number : number + 2], *lines[number + 2 : number + 3], "")[:3]
        after_blank = number == 0 or not lines[number - 1]
        if after_blank and _adorns(above, line) and below and below == above:
            yield number, number + 3, line.strip(), (above[0], True)
            number += 3
        elif after_blank and above and not above[0].isspace() and _adorns(line, above):
            yield number, number + 2, above, (line[0], False)
            number += 2
        else:
            number += 1


def _adorns(line: str, title: str) -> bool:
    """Tell whether a line of punctuation under or over `title` makes it a heading."""
    if not line or not title.strip() or not ADORNMENT.fullmatch(line) or ADORNMENT.fullmatch(title):
        return False
    width = sum(2 if unicodedata.east_asian_width(c) in "WF" else 1 for c in title)
    return len(line) >= min(width, 4)


def _add_body(outline: Outline, lines: list[str], begin: int, stop: int) -> None:
    """Add the lines from `begin` to before `stop`, a paragraph at a time."""
    number = begin
    while number < stop:
        if not lines[number]:
            number += 1
        elif match := re.match(r"\s*\.\.(?:\s+(.*))?$", lines[number]):
            end = _block_end(lines, number, stop, _indent(lines[number]))
            if match[1]:
                _explicit(outline, lines, number, end, match[1])
            elif number + 1 < stop and not lines[number + 1]:
                end = number + 1  # an empty comment: what is below it is text
            number = end
        else:
            end = next((n for n in range(number, stop) if not lines[n]), stop)
            outline.add(_inline("\n".join(map(_row, lines[number:end]))), number)
            number, last = end, lines[end - 1]
            if last.endswith("::"):
                number = _block_end(lines, end - 1, stop, _indent(BULLET.sub(_blank, last)))
                _add_code(outline, lines[end:number], end)


def _add_code(outline: Outline, lines: list[str], begin: int) -> None:
    outline.add("\n".join(CODE_INDENT + line if line else "" for line in lines), begin)


def _row(line: str) -> str:
    """Drop a table's borders, and the second colon that announces code."""
    return "" if BORDER.fullmatch(line) else re.sub(r"\s?::$", ":", line)


def _blank(marker: re.Match[str]) -> str:
    return " " * len(marker[0])


def _explicit(outline: Outline, lines: list[str], start: int, end: int, content: str) -> None:
    """Add what is text of a directive or a footnote; drop comments and targets."""
    directive = DIRECTIVE.match(content)
    if directive:
        name = directive[1].lower()
        if name in DROPPED:
            return
        is_code = name in CODE
        outline.add("" if is_code else _inline(directive[2] or ""), start)
        first = start + 1
        while first < end and re.match(r"\s+:[\w-]+:", lines[first]):
            first += 1
        if is_code:
            _add_code(outline, lines[first:end], first)
        else:
            _add_body(outline, lines, first, end)
    elif footnote := re.match(r"\[([^\]]+)\]\s+(.*)", content):
        outline.add(_inline(f"[{footnote[1]}] {footnote[2]}"), start)
        _add_body(outline, lines, start + 1, end)


def _block_end(lines: list[str], start: int, stop: int, indent: int) -> int:
    """Return the line after the indented block below line `start`."""
    end = number = start + 1
    while number < stop and (not lines[number] or _indent(lines[number]) > indent):
        number += 1
        if lines[number - 1]:
            end = number
    return end


def _indent(line: str) -> int:
    return len(line) - len(line.lstrip())


_MARKS = [
    (re.compile(r"``(.+?)``"), r"\1"),
    (re.compile(r":[\w.+-]+(?::[\w.+-]+)*:`[~!]?([^`<]+?)(?:\s*<[^`>]*>)?`"), r"\1"),
    (re.compile(r"`([^`<]+?)\s*<[^`>]*>`__?"), r"\1"),
    (re.compile(r"`([^`]+)`__?"), r"\1"),
    (re.compile(r"\*\*(\S(?:[^*]*\S)?)\*\*"), r"\1"),
]


def _inline(line: str) -> str:
    """Drop the marks around words: literals, roles, links, strong."""
    for pattern, replacement in _MARKS:
        line = pattern.sub(replacement, line)
    return line
