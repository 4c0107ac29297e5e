"""PDF: the text of its pages under its bookmarks, or under what is set in larger type.

A form feed in a section's text is where a page ends, so that a passage keeps its page.
"""

import itertools
import re
from collections import Counter
from collections.abc import Iterator, Sequence

from .lost import Lost, tell_lost
from .outline import Outline, Parsed
from .pdf_lines import Bookmark, Line, Page, open_pdf, read_bookmarks, read_page, title_of
from .reasons import Unreadable, damage

LARGER = 1.12  # than the text at large: what is set so is a heading; footnotes are 0.8, titles 1.7
MAX_HEADING_CHARACTERS = 120
MAX_PAGES = 100_000
DAMAGED = "damaged page"
PICTURES = "no text: page of pictures; add a text layer"
EDGE_LINES = 2  # at the top of a page and at its bottom, where running titles stand
_DIVIDED = re.compile(r"[^\W\d_]{2,}[-\u00ad\u2010]$")
FULL_STOP = re.compile(r"[.!?:;。！？][\"'”’)\]]*$")  # noqa: RUF001 - full-width on purpose


def parse_pdf(content: bytes) -> Parsed:
    """Parse a PDF; running titles and page numbers are dropped, divided words joined.

    Pages that are damaged, and those of pictures without text, are told as lost.

    Raises:
        Unreadable: it is encrypted, damaged, or holds no text.
    """
    with damage("PDF"), open_pdf(content) as document:
        read = [read_page(document, number) for number in range(len(document))]
        if not any(page.lines for page in read):
            raise Unreadable(_why_empty(read))
        title, bookmarks = title_of(document), read_bookmarks(document)
    pages = _drop_running([page.lines for page in read])
    lost = _find_lost(read, pages)
    larger = _find_larger(pages)
    if len(bookmarks) < 2:
        return _write(title, pages, larger)._replace(lost=lost)
    first = [found[0] for (page, _), found in larger.items() if page == 0]
    largest = min(first, key=lambda found: found[0], default=(0, "", 0))[1]
    return _write(title or largest, pages, _place(bookmarks, pages))._replace(lost=lost)


def _why_empty(pages: Sequence[Page]) -> str:
    damaged = sum(page.is_damaged for page in pages)
    if damaged and not any(page.is_pictures for page in pages):
        return f"damaged PDF: {damaged} of its {len(pages)} pages, and no text on any other"
    return f"no text: PDF of {len(pages)} pages of pictures; add a text layer"


def _find_lost(pages: Sequence[Page], kept: Sequence[Sequence[Line]]) -> tuple[Lost, ...]:
    """Tell the pages of which nothing was kept; of one that is blank nothing is lost."""
    reasons: dict[int, str] = {}
    for number, (page, lines) in enumerate(zip(pages, kept, strict=True), start=1):
        if page.is_damaged:
            reasons[number] = DAMAGED
        elif page.is_pictures and not lines:
            reasons[number] = PICTURES
    return tell_lost("page", reasons)


def _drop_running(pages: Sequence[Sequence[Line]]) -> list[list[Line]]:
    """Drop what stands at the edges of pages: what neighbours say too, and numbers of pages."""
    edges = [{_wording(line): line for line in _edges(page)} for page in pages]
    counts = Counter(itertools.chain(*edges))
    offset = _find_offset(edges)
    kept = []
    for number, page in enumerate(pages):
        near = [*edges[max(0, number - 2) : number], *edges[number + 1 : number + 3]]
        running = {
            id(line)
            for wording, line in edges[number].items()
            if number + offset in _numbers(line)
            or (counts[wording] >= 3 and any(wording in other for other in near))
        }
        kept.append([line for line in page if id(line) not in running])
    return kept


def _edges(page: Sequence[Line]) -> list[Line]:
    lines = sorted(page, key=lambda line: -line.height)
    return lines[:EDGE_LINES] + lines[EDGE_LINES:][-EDGE_LINES:]


def _wording(line: Line) -> tuple[str, float]:
    """Return what running titles have in common: all but numbers; a title itself is larger."""
    return re.sub(r"\d+", "#", line.text), line.size


def _find_offset(edges: Sequence[dict[tuple[str, float], Line]]) -> int:
    """Return what printed numbers of pages have over the count of pages; out of range if none."""
    found = Counter(
        number - page
        for page, lines in enumerate(edges)
        for line in lines.values()
        for number in _numbers(line)
    )
    offset, count = max(found.items(), key=lambda item: item[1], default=(0, 0))
    return offset if count >= 3 else 2 * MAX_PAGES


def _numbers(line: Line) -> set[int]:
    """Return the number that a line begins or ends with, if it can be a page's."""
    words = line.text.split()
    return {int(word) for word in (words[0], words[-1]) if re.fullmatch("[0-9]{1,5}", word)}


Headings = dict[tuple[int, int], list[tuple[int, str, int]]]  # (page, line): level, text, lines


def _place(bookmarks: Sequence[Bookmark], pages: Sequence[Sequence[Line]]) -> Headings:
    """Find the lines that bookmarks lead to: by their words, else by their height on the page."""
    headings: Headings = {}
    for mark in bookmarks:
        if mark.page >= len(pages):
            continue
        lines = pages[mark.page]
        first, count = next(_same_words(mark.text, lines), (None, 0))
        if first is None:
            below = (n for n, line in enumerate(lines) if line.height <= mark.top)
            first = next(below, len(lines) if mark.top < 0 else 0)
        headings.setdefault((mark.page, first), []).append((mark.level, mark.text, count))
    return headings


def _same_words(text: str, lines: Sequence[Line]) -> Iterator[tuple[int, int]]:
    """Yield first line and number of lines of each place that says just this."""
    wanted = _letters(text)
    found = [_letters(line.text) for line in lines]
    for count, first in itertools.product((1, 2, 3), range(len(lines))):
        said = "".join(found[first : first + count])
        if wanted and said.endswith(wanted) and len(said) - len(wanted) <= 6:  # "1.2", "Chapter"
            yield first, count


def _letters(text: str) -> str:
    return "".join(filter(str.isalnum, text.casefold()))


def _find_larger(pages: Sequence[Sequence[Line]]) -> Headings:
    """Take for headings the short lines in larger type; the larger, the higher."""
    sizes: Counter[float] = Counter()
    for line in itertools.chain(*pages):
        sizes[line.size] += len(line.text)
    body = max(sizes, key=lambda size: sizes[size], default=0.0)
    larger = sorted((size for size in sizes if size > body * LARGER), reverse=True)
    headings: Headings = {}
    for page, lines in enumerate(pages):
        first = 0
        for size, run in itertools.groupby(lines, key=lambda line: line.size):
            texts = [line.text for line in run]
            text = " ".join(texts)
            if size in larger and len(text) <= MAX_HEADING_CHARACTERS and re.search(r"\w\w", text):
                headings[page, first] = [(larger.index(size), text, len(texts))]
            first += len(texts)
    return headings


def _write(title: str, pages: Sequence[Sequence[Line]], headings: Headings) -> Parsed:
    outline = Outline(title, "page 1")
    text = _Text(_find_leading(pages))
    for page, lines in enumerate(pages):
        skip = 0
        for number in range(len(lines) + 1):
            for level, heading, count in headings.get((page, number), ()):
                outline.add(text.take())
                outline.open(level, heading, f"page {page + 1}")
                skip = number + count
            if skip <= number < len(lines):
                text.add(lines[number])
        text.end_page()
    outline.add(text.take())
    return outline.finish()


def _find_leading(pages: Sequence[Sequence[Line]]) -> float:
    """Return the usual distance in points from a line down to the next."""
    gaps = Counter(
        round(above.height - below.height, 1)
        for lines in pages
        for above, below in itertools.pairwise(lines)
        if above.height > below.height
    )
    return gaps.most_common(1)[0][0] if gaps else 0.0


class _Text:
    """Lines as a text: paragraphs apart, and words that were divided at a line's end whole."""

    def __init__(self, leading: float) -> None:
        self._leading = leading
        self._parts: list[str] = []
        self._last: Line | None = None
        self._feed = ""

    def add(self, line: Line) -> None:
        words, last = line.text, self._last
        if last is not None and _DIVIDED.search(last.text) and words[0].islower():
            rest, _, words = words.partition(" ")
            self._parts[-1] = self._parts[-1][:-1] + rest
        between = self._feed if last is None else self._between(last, line)
        self._parts.append(between + words)
        self._feed, self._last = "", line

    def end_page(self) -> None:
        self._feed += "\f"

    def take(self) -> str:
        text = "".join(self._parts)
        self._parts, self._last, self._feed = [], None, ""
        return text

    def _between(self, last: Line, line: Line) -> str:
        """Return what stands between the last line and this one."""
        if self._feed:  # a paragraph goes on over the page's end if its sentence does
            return ("\n\n" if FULL_STOP.search(last.text) else "\n") + self._feed
        gap = last.height - line.height
        is_apart = gap > 1.25 * self._leading or (gap > 0 and line.size != last.size)
        return "\n\n" if is_apart else "\n"
