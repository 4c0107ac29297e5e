"""The pages of a PDF: their lines, how large and where, and whether they show pictures."""

import ctypes
import itertools
import math
import re
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

import pypdfium2
import pypdfium2.raw as pdfium

from .reasons import Unreadable
from .titles import read_title

MAX_BOOKMARKS = 10_000
MAX_OBJECTS = 10_000  # of a page, among which a picture is looked for; drawings have millions
STAMPED_LINES = 4  # what a scanned page may bear: a running title, its number, who scanned it
_LEADERS = re.compile(r"(\.\s?){6,}\s*\w*$")  # to a page number: the table of contents
_DIVIDED = re.compile(r"\ufffe(?=[^\W\d_A-Z])")  # how PDFium tells that a line's end divides a word


@dataclass(frozen=True)
class Line:
    """A line of text; the size of its type and its height above the foot of the page in points."""

    text: str
    size: float
    height: float


@dataclass(frozen=True)
class Bookmark:
    """An entry of the table of contents; `page` from 0, `top` -1 where it names no height."""

    level: int
    text: str
    page: int
    top: float


@dataclass(frozen=True)
class Page:
    """A page: its lines; whether it cannot be read; whether it has pictures, and hardly text."""

    lines: tuple[Line, ...] = ()
    is_damaged: bool = False
    is_pictures: bool = False


@contextmanager
def open_pdf(content: bytes) -> Iterator[pypdfium2.PdfDocument]:
    """Open a PDF, and close it.

    Raises:
        Unreadable: it is encrypted or damaged.
    """
    try:
        document = pypdfium2.PdfDocument(content)
        count = len(document)
    except pypdfium2.PdfiumError as error:
        if "password" in str(error).lower():
            raise Unreadable("encrypted PDF: it opens with a password alone") from error
        if "security" in str(error).lower():
            raise Unreadable("encrypted PDF: by a scheme that is not known") from error
        raise Unreadable(f"damaged PDF: {error}") from error
    if not count:
        raise Unreadable("damaged PDF: it has no page")
    try:
        yield document
    finally:
        document.close()


def title_of(document: pypdfium2.PdfDocument) -> str:
    """Return the title that the document's properties give, if a person gave it."""
    return read_title(document.get_metadata_value("Title"))


def read_bookmarks(document: pypdfium2.PdfDocument) -> list[Bookmark]:
    """Return the table of contents in order."""
    found: list[Bookmark] = []
    for mark in document.get_toc():
        target = mark.get_dest()
        page = target.get_index() if target is not None else None
        text = " ".join(mark.get_title().split())
        if page is not None and page >= 0 and text:
            _, view = target.get_view()
            # of the ways to name a place, those with left, top, and zoom, or with a top alone
            top = view[1] if len(view) == 3 else view[0] if len(view) == 1 else -1.0
            found.append(Bookmark(mark.level, text, page, top if top is not None else -1.0))
        if len(found) == MAX_BOOKMARKS:
            break
    return found


def read_page(document: pypdfium2.PdfDocument, number: int) -> Page:
    """Read a page, its lines in the order in which they are to be read."""
    try:
        page = document[number]
        try:
            return _read(page)
        finally:
            page.close()
    except pypdfium2.PdfiumError:
        return Page(is_damaged=True)


def _read(page: pypdfium2.PdfPage) -> Page:
    text_page = page.get_textpage()
    try:
        raw_lines = text_page.get_text_range().split("\n")
        lines = tuple(_lines(text_page, raw_lines))
    finally:
        text_page.close()
    is_bare = sum(map(bool, map(str.strip, raw_lines))) <= STAMPED_LINES
    return Page(lines, is_pictures=is_bare and _has_picture(page))


def _has_picture(page: pypdfium2.PdfPage) -> bool:
    shown = itertools.islice(page.get_objects(), MAX_OBJECTS)
    return any(item.type == pdfium.FPDF_PAGEOBJ_IMAGE for item in shown)


def _lines(text_page: pypdfium2.PdfTextPage, raw_lines: Sequence[str]) -> Iterator[Line]:
    start = 0  # in units of UTF-16, as PDFium counts
    for raw in raw_lines:
        text = " ".join(raw.split())
        if text and not _LEADERS.search(text):
            first = start + len(raw) - len(raw.lstrip())
            yield Line(_DIVIDED.sub("", text).replace("\ufffe", "-"), *_measure(text_page, first))
        start += len(raw.encode("utf-16-le", "surrogatepass")) // 2 + 1


def _measure(text_page: pypdfium2.PdfTextPage, first: int) -> tuple[float, float]:
    """Return size and height of the type at a place of the text; 0 where it has none."""
    index = pdfium.FPDFText_GetCharIndexFromTextIndex(text_page, first)
    matrix, x, y = pdfium.FS_MATRIX(), ctypes.c_double(), ctypes.c_double()
    if not (
        pdfium.FPDFText_GetMatrix(text_page, index, matrix)
        and pdfium.FPDFText_GetCharOrigin(text_page, index, x, y)
    ):
        return 0.0, 0.0
    size = pdfium.FPDFText_GetFontSize(text_page, index) * math.hypot(matrix.c, matrix.d)
    return round(2 * size) / 2, y.value
