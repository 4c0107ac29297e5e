"""Chunks: stretches of one section that an encoder reads whole."""

import re
import textwrap
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace

from .packing import pack
from .text import Document, Section, compose

Locate = Callable[[list[str]], list[list[int]]]


@dataclass(frozen=True)
class Chunk:
    """A stretch of one section; `compose(title, section, text)` is what the encoder reads."""

    title: str
    section: str
    text: str
    position: str


@dataclass(frozen=True)
class _Part:
    """A section of the document `number`, and the tokens it has room for beside its headings."""

    number: int
    title: str
    section: Section
    room: int


def split(
    documents: Sequence[Document], locate: Locate, *, max_tokens: int, special_tokens: int
) -> list[list[Chunk]]:
    """Split documents into chunks of whole sentences, none longer than `max_tokens`.

    A chunk never crosses a heading. A sentence that is too long by itself is split at lines, then
    at words, then anywhere; code at lines. No character but white space is lost. The chunks of a
    section are made about equally long, so that none is a mere tail of the one before.

    Args:
        documents: Documents; what becomes of one does not depend on the others.
        locate: Where the tokens of each of many texts begin, special tokens excluded, rising. It
            is called with many texts at a time.
        max_tokens: Bound on the tokens of a composed chunk, special tokens included.
        special_tokens: Tokens that the encoder adds to every text.

    Returns:
        Per document its chunks in order; none for a document without text.

    Raises:
        ValueError: `max_tokens` leaves no room for text.
    """
    room = max_tokens - special_tokens
    if room < 8:
        raise ValueError(f"max_tokens = {max_tokens} leaves no room; use {special_tokens + 8}.")
    parts = _make_room(documents, locate, room)
    chunks: list[list[Chunk]] = [[] for _ in parts]
    starts = locate([part.section.text for part in parts])
    waiting = list(range(len(parts)))
    while waiting:
        for index in waiting:
            chunks[index] = list(_chunks(parts[index], starts[index]))
        waiting = _tighten(parts, chunks, waiting, locate, room)
    result: list[list[Chunk]] = [[] for _ in documents]
    for part, chunked in zip(parts, chunks, strict=True):
        result[part.number] += chunked
    return result


def _tighten(
    parts: list[_Part], chunks: list[list[Chunk]], done: list[int], locate: Locate, room: int
) -> list[int]:
    """Take room from the parts with a chunk that is too long, and name them.

    A stretch may have more tokens alone than within its section, where a token can begin in the
    white space before it.
    """
    sizes = iter(
        locate([compose(c.title, c.section, c.text) for index in done for c in chunks[index]])
    )
    again = []
    for index in done:
        excess = max((len(next(sizes)) for _ in chunks[index]), default=0) - room
        less = parts[index].room - max(excess, room // 32)  # a step that ends soon
        if excess > 0 and parts[index].room > 1:
            parts[index] = replace(parts[index], room=max(1, less))
            again.append(index)
    return again


def _make_room(documents: Sequence[Document], locate: Locate, room: int) -> list[_Part]:
    """Measure title and heading of each section; shorten those that take over half the room."""
    found = [
        (number, document.title, section)
        for number, document in enumerate(documents)
        for section in document.sections
        if section.text.strip()
    ]
    heads = list(dict.fromkeys((title, section.heading) for _, title, section in found))
    sizes = map(len, locate([compose(*head, "") for head in heads]))
    known = {
        head: (head, size) if size <= room // 2 else _shorten(*head, locate, room // 2)
        for head, size in zip(heads, sizes, strict=True)
    }
    parts = []
    for number, title, section in found:
        (short, heading), size = known[title, section.heading]
        parts.append(_Part(number, short, replace(section, heading=heading), room - size))
    return parts


def _shorten(title: str, heading: str, locate: Locate, limit: int) -> tuple[tuple[str, str], int]:
    """Drop the outermost headings, then the last words of title and heading."""

    def size() -> int:
        return len(locate([compose(title, heading, "")])[0])

    while " > " in heading and size() > limit:
        heading = heading.partition(" > ")[2]
    characters = 4 * limit
    while size() > limit and characters:
        title, heading = _clip(title, characters), _clip(heading, characters)
        characters //= 2
    if size() > limit:
        title = heading = ""
    return (title, heading), size()


def _clip(text: str, characters: int) -> str:
    if len(text) <= characters:
        return text
    return textwrap.shorten(text, characters, placeholder="") or text[:characters]


def _chunks(part: _Part, starts: list[int]) -> Iterator[Chunk]:
    """Split one section, given where its tokens begin."""
    mark = "\n" if part.section.position.startswith("line ") else "\f"
    passed = 0
    for start, end in pack(part.section.text, starts, part.room):
        lines = part.section.text[start:end]
        if lines.strip():
            blank = lines[: len(lines) - len(lines.lstrip())].count(mark)
            position = _move(part.section.position, passed + blank)
            yield Chunk(part.title, part.section.heading, _tidy(lines), position)
        passed += lines.count(mark)


def _tidy(lines: str) -> str:
    """Drop outer blank lines, common indentation, form feeds, and all but one blank line."""
    lines = lines.replace("\f", "")
    lines = re.sub(r"^\s*\n", "", lines.rstrip())
    return re.sub(r"\n{3,}", "\n\n", textwrap.dedent(lines)).strip()


def _move(position: str, count: int) -> str:
    """Say where a stretch is that begins some lines, or pages, further down the section.

    >>> _move("line 12", 3), _move("page 2", 1), _move("#install", 3)
    ('line 15', 'page 3', '#install')
    """
    first = re.fullmatch(r"(line|page|cell|paragraph) (\d+)", position)
    return f"{first[1]} {int(first[2]) + count}" if first else position
