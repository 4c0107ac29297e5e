"""Markdown as text: marks go, code, tables, and lists stay, and lines stay where they are."""

import re
from collections.abc import Iterator, Sequence

from markdown_it import MarkdownIt
from markdown_it.token import Token

from .html import text_of
from .outline import CODE_INDENT, Outline, Parsed


def parse_markdown(text: str) -> Parsed:
    """Parse CommonMark with tables; the title is the front matter's or the first `#`."""
    title, text = _front_matter(text)
    outline = Outline(title)
    add_markdown(text, outline)
    return outline.finish()


def add_markdown(text: str, outline: Outline, first_line: int = 0) -> None:
    """Add a text to an outline; its first line is the line `first_line` of the source, from 0."""
    tokens = MarkdownIt("commonmark").enable("table").parse(text)
    _Renderer(outline, first_line).render(tokens)


def _front_matter(text: str) -> tuple[str, str]:
    """Take the title out of front matter, and blank its lines."""
    match = re.match(r"---[ \t]*\n(.*?\n)?(---|\.\.\.)[ \t]*(\n|$)", text, re.DOTALL)
    if not match or not re.search(r"^[\w-]+:", match[0], re.MULTILINE):
        return "", text
    title = re.search(r"^title:[ \t]*(.+?)[ \t]*$", match[0], re.MULTILINE)
    return title[1].strip("\"'") if title else "", "\n" * match[0].count("\n") + text[match.end() :]


class _Renderer:
    def __init__(self, outline: Outline, first_line: int) -> None:
        self._outline = outline
        self._first_line = first_line
        self._lists = 0
        self._marker = ""  # of the item that has just begun
        self._cells: list[str] = []
        self._heading: Token | None = None
        self._row: int | None = None

    def render(self, tokens: Sequence[Token]) -> None:
        for token in tokens:
            line = self._first_line + (token.map[0] if token.map else 0)
            if token.type in {"fence", "code_block"}:
                self._code(token, line)
            elif token.type == "html_block":
                self._outline.add(text_of(token.content), line)
            elif token.type == "inline":
                self._inline(token, line)
            else:
                self._structure(token, line)

    def _structure(self, token: Token, line: int) -> None:
        if token.type == "heading_open":
            self._heading = token
        elif token.type == "list_item_open":
            self._lists += 1
            self._marker = f"{token.info}{token.markup} "
        elif token.type == "list_item_close":
            self._lists -= 1
            self._marker = ""
        elif token.type == "tr_open":
            self._row, self._cells = line, []
        elif token.type == "tr_close":
            self._outline.add(" | ".join(self._cells), self._row or 0)
            self._row = None

    def _inline(self, token: Token, line: int) -> None:
        plain = "".join(_plain(token.children or []))
        if self._heading is not None:
            self._outline.open(int(self._heading.tag[1]), plain)
            self._heading = None
        elif self._row is not None:
            self._cells.append(plain)
        else:
            self._outline.add(self._indented(plain), line)

    def _code(self, token: Token, line: int) -> None:
        indent = "  " * self._lists + CODE_INDENT
        code = "\n".join(indent + row for row in token.content.rstrip("\n").split("\n"))
        self._marker = ""
        self._outline.add(code, line + (token.type == "fence"))

    def _indented(self, plain: str) -> str:
        indent = "  " * self._lists
        begin = "  " * (self._lists - 1) + self._marker if self._marker else indent
        self._marker = ""
        return begin + plain.replace("\n", "\n" + indent)


def _plain(tokens: Sequence[Token]) -> Iterator[str]:
    for token in tokens:
        if token.type in {"text", "code_inline", "image"}:
            yield token.content
        elif token.type in {"softbreak", "hardbreak"}:
            yield "\n"
        elif token.type == "html_inline" and token.content.lower().startswith("<br"):
            yield " "
