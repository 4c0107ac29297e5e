"""Chunks: stretches of one section that an encoder reads whole."""

import re
import textwrap
from bisect import bisect_left
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise

import sentencex

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
    waiting = list(range(len(parts)))
    while waiting:
        starts = locate([parts[index].section.text for index in waiting])
        for index, found in zip(waiting, starts, strict=True):
            chunks[index] = list(_chunks(parts[index], found))
        waiting = _tighten(parts, chunks, waiting, locate, room)
    result: list[list[Chunk]] = [[] for _ in documents]
    for part, found in zip(parts, chunks, strict=True):
        result[part.number] += found
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
        excess = max(len(next(sizes)) for _ in chunks[index]) - room
        if excess > 0 and parts[index].room > 1:
            parts[index] = replace(parts[index], room=max(1, parts[index].room - excess))
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
    text = part.section.text

    def size(start: int, end: int) -> int:
        return bisect_left(starts, end) - bisect_left(starts, start)

    bounds = [0, *_refine(text, _sentences(text), size, part.room)]
    sizes = [size(start, end) for start, end in pairwise(bounds)]
    for first, last in pairwise(_pack(sizes, part.room)):
        start, end = bounds[first], bounds[last]
        lines = text[start:end]
        yield Chunk(
            part.title, part.section.heading, _tidy(lines), _move(part.section, start, lines)
        )


def _sentences(text: str) -> list[int]:
    """Find where sentences and paragraphs end.

    >>> _sentences("Use json.JSONDecoder. It decodes.")
    [22, 33]
    """
    ends = {match.end() for match in re.finditer(r"\n[ \t]*\n\s*", text)} | {len(text)}
    end = 0
    for sentence in sentencex.segment("en", text):
        end += len(sentence)
        if end < len(text) and _is_end(text, end):
            ends.add(end)
    return sorted(ends)


def _is_end(text: str, end: int) -> bool:
    """Tell whether a sentence may end here: at white space or `。`, in code at a line's end."""
    line = text[text.rfind("\n", 0, end) + 1 : end]
    if re.match(r" {4}|\t|>>>|\.\.\. ", line):
        return False
    return not line or line[-1].isspace() or text[end].isspace() or not line[-1].isascii()


def _refine(
    text: str, ends: list[int], size: Callable[[int, int], int], room: int
) -> Iterator[int]:
    """Yield the ends of stretches that fit: of sentences, else of lines, words, characters."""
    start = 0
    for end in ends:
        yield from _fitting(text, start, end, size, room, 0)
        start = end


_FINER = (re.compile(r"\n\s*"), re.compile(r"\s+"))


def _fitting(
    text: str, start: int, end: int, size: Callable[[int, int], int], room: int, level: int
) -> Iterator[int]:
    if size(start, end) <= room or end - start == 1:
        yield end
        return
    if level < len(_FINER):
        found = {match.end() for match in _FINER[level].finditer(text, start, end)}
        ends = sorted(found - {start} | {end})
    else:
        ends = [(start + end) // 2, end]
    for stop in ends:
        yield from _fitting(text, start, stop, size, room, level + 1)
        start = stop


def _pack(sizes: list[int], room: int) -> list[int]:
    """Group neighbours into as few groups as fit, the largest as small as can be.

    Args:
        sizes: Tokens of each stretch.
        room: Most tokens of a group; a stretch over it is a group by itself.

    Returns:
        Where groups begin and end, from 0 to `len(sizes)`.

    >>> _pack([4, 4, 4, 1], room=8), _pack([5, 5, 5, 1, 1, 1], room=10)
    ([0, 2, 4], [0, 2, 6])
    """
    breaks = _fill(sizes, room)
    low, high = -(-sum(sizes) // max(len(breaks) - 1, 1)), room
    while low < high:
        middle = (low + high) // 2
        tighter = _fill(sizes, middle)
        if len(tighter) <= len(breaks):
            breaks, high = tighter, middle
        else:
            low = middle + 1
    return breaks


def _fill(sizes: list[int], room: int) -> list[int]:
    breaks, used = [0], 0
    for index, size in enumerate(sizes):
        if used + size > room and index > breaks[-1]:
            breaks.append(index)
            used = 0
        used += size
    return [*breaks, len(sizes)]


def _tidy(lines: str) -> str:
    """Drop outer blank lines, common indentation, and all but one of adjacent blank lines."""
    lines = re.sub(r"^\s*\n", "", lines.rstrip())
    return re.sub(r"\n{3,}", "\n\n", textwrap.dedent(lines)).strip()


def _move(section: Section, start: int, lines: str) -> str:
    """Say where a stretch of the section is in the source."""
    first = re.fullmatch(r"line (\d+)", section.position)
    if not first:
        return section.position
    blank = len(lines) - len(lines.lstrip())
    return f"line {int(first[1]) + section.text.count(chr(10), 0, start + blank)}"
