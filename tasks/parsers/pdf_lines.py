"""The lines of a PDF: what they say, how large, and where on the page."""

import ctypes
import math
import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import pypdfium2
import pypdfium2.raw as pdfium

from .reasons import Unreadable
from .titles import read_title

MAX_BOOKMARKS = 10_000
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


def read_lines(document: pypdfium2.PdfDocument, number: int) -> list[Line]:
    """Return the lines of a page in the order in which they are to be read; damaged: none."""
    try:
        page = document[number]
    except pypdfium2.PdfiumError:
        return []
    try:
        text_page = page.get_textpage()
        try:
            return list(_lines(text_page))
        finally:
            text_page.close()
    finally:
        page.close()


def _lines(text_page: pypdfium2.PdfTextPage) -> Iterator[Line]:
    start = 0  # in units of UTF-16, as PDFium counts
    for raw in text_page.get_text_range().split("\n"):
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
