"""Packing: a text's sentences gathered into stretches of bounded length."""

import re
from bisect import bisect_left
from collections.abc import Callable, Iterator
from itertools import pairwise

import sentencex

_CODE = re.compile(r" {4}|\t|>>>|\.\.\. ")  # how a line of code begins
_FINER = (re.compile(r"\n"), re.compile(r"\s+"))


def pack(text: str, starts: list[int], room: int) -> list[tuple[int, int]]:
    r"""Cut a text into stretches of whole sentences, about equally long.

    A sentence that is too long by itself is cut at lines, then at words, then anywhere.

    Args:
        text: The text; lines indented by four spaces are code, where no sentence ends.
        starts: Where its tokens begin, rising.
        room: Most tokens of a stretch.

    Returns:
        Begin and end of each stretch; together they are the whole text.

    >>> pack("One two. Three four.\nFive.", [0, 4, 9, 15, 21], room=3)
    [(0, 9), (9, 26)]
    """

    def size(start: int, end: int) -> int:
        return bisect_left(starts, end) - bisect_left(starts, start)

    bounds = [0, *_refine(text, _sentences(text), size, room)]
    sizes = [size(start, end) for start, end in pairwise(bounds)]
    return [(bounds[first], bounds[last]) for first, last in pairwise(_group(sizes, room))]


def _sentences(text: str) -> list[int]:
    """Find where sentences and paragraphs end.

    >>> _sentences("Use json.JSONDecoder. It decodes.")
    [22, 33]
    """
    ends = {match.end() for match in re.finditer(r"\n([ \t]*\n)+", text)} | {len(text)}
    end = line = 0  # of the sentence, and the beginning of the line it ends in
    for sentence in sentencex.segment("en", text):
        begin, end = end, end + len(sentence)
        white = begin + len(sentence.rstrip())
        # a line's indentation belongs to the line, not to the sentence before it
        stop = text.rfind("\n", white, end) + 1 or end
        line = max(line, text.rfind("\n", begin, stop) + 1)
        if stop < len(text) and (line == stop or _is_end(text, line, stop)):
            ends.add(stop)
    return sorted(ends)


def _is_end(text: str, line: int, stop: int) -> bool:
    """Tell whether a sentence may end within a line: at white space or `。`, but not in code."""
    return not _CODE.match(text, line) and (
        text[stop - 1].isspace() or text[stop].isspace() or not text[stop - 1].isascii()
    )


def _refine(
    text: str, ends: list[int], size: Callable[[int, int], int], room: int
) -> Iterator[int]:
    """Yield the ends of stretches that fit: of sentences, else of lines, words, characters."""
    start = 0
    for end in ends:
        yield from _fitting(text, start, end, size, room, 0)
        start = end


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


def _group(sizes: list[int], room: int) -> list[int]:
    """Group neighbours into as few groups as fit, the largest as small as can be.

    Args:
        sizes: Tokens of each stretch.
        room: Most tokens of a group; a stretch over it is a group by itself.

    Returns:
        Where groups begin and end, from 0 to `len(sizes)`.

    >>> _group([4, 4, 4, 1], room=8), _group([5, 5, 5, 1, 1, 1], room=10)
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
