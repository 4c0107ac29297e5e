"""DOCX: paragraphs, lists, tables, and notes, under headings of whatever style.

Of Word's marks all are read that say what is shown: insertions are, deletions are not. A form feed
in a section's text is where a page ended when the document was last saved by a program that counts
pages; if no program did, where a paragraph ends.
"""

import io
import re
from collections.abc import Iterator
from typing import Any

import docx
from docx.document import Document
from docx.opc.constants import RELATIONSHIP_TYPE
from docx.oxml.ns import qn
from lxml import etree

from .archive import check_archive
from .outline import Outline, Parsed
from .reasons import damage
from .titles import read_title

_SHOWN = {qn("w:t"), qn("m:t")}
_CHARACTERS = {
    qn("w:tab"): "\t",
    qn("w:br"): "\n",
    qn("w:cr"): "\n",
    qn("w:noBreakHyphen"): "-",
    qn("w:lastRenderedPageBreak"): "\f",
}
_NOTES = {
    RELATIONSHIP_TYPE.FOOTNOTES: qn("w:footnoteReference"),
    RELATIONSHIP_TYPE.ENDNOTES: qn("w:endnoteReference"),
}
# Old places of moved text, a second form of the same drawing, and settings.
_HIDDEN = {qn("w:moveFrom"), qn("w:del"), qn("w:pPr"), qn("w:rPr")} | {
    "{http://schemas.openxmlformats.org/markup-compatibility/2006}Fallback"
}
_HEADING = re.compile(r"heading (\d)$", re.IGNORECASE)
_CONTENTS = re.compile(r"toc( \d|$)|table of figures|toc heading", re.IGNORECASE)


def parse_word(content: bytes) -> Parsed:
    """Parse a document; its tables have a line per row, its footnotes stand where they belong.

    Raises:
        Unreadable: it is encrypted, damaged, of before 2007, or expands beyond reason.
    """
    check_archive(content, "DOCX")
    with damage("DOCX"):
        document = docx.Document(io.BytesIO(content))
        return _Reader(document).read()


class _Reader:
    def __init__(self, document: Document) -> None:
        self._body = document.element.body
        self._styles = {style.style_id: style for style in document.styles}
        self._notes = _read_notes(document)
        self._has_pages = next(self._body.iter(qn("w:lastRenderedPageBreak")), None) is not None
        self._title = read_title(document.core_properties.title)
        self._page, self._paragraph = 1, 0

    def read(self) -> Parsed:
        """Return title and sections."""
        self._outline = Outline(self._title, self._place())
        for block in _blocks(self._body):
            self._paragraph += 1
            if block.tag == qn("w:tbl"):
                self._add("\n".join(_rows(block)))
            else:
                self._read_paragraph(block)
        return self._outline.finish()

    def _place(self) -> str:
        """Say where the text is that follows."""
        return f"page {self._page}" if self._has_pages else f"paragraph {self._paragraph + 1}"

    def _read_paragraph(self, paragraph: Any) -> None:  # noqa: ANN401 - lxml's elements have no types
        text = _text_of(paragraph)
        styles = self._style_names(paragraph)
        if any(_CONTENTS.match(name) for name in styles):
            self._page += text.count("\f")
            return
        level = self._level(paragraph, styles)
        if level is not None and text.strip():
            self._page += text.count("\f")
            self._outline.open(level, text.replace("\f", ""), self._place())
            return
        bullet = next(paragraph.iter(qn("w:numPr")), None) is not None or any(
            name.startswith("List ") for name in styles
        )
        found = paragraph.iter(*_NOTES.values())
        marks = [(mark.tag, mark.get(qn("w:id"))) for mark in found]
        notes = [self._notes[mark] for mark in marks if mark in self._notes]
        self._add("\n".join([f"- {text}" if bullet and text.strip() else text, *notes]))

    def _add(self, text: str) -> None:
        self._page += text.count("\f")
        self._outline.add(text if self._has_pages else f"{text}\f")
        self._outline.add("")

    def _style_names(self, paragraph: Any) -> list[str]:  # noqa: ANN401
        """Name the style of a paragraph and those it is based on."""
        found = paragraph.find(f"{qn('w:pPr')}/{qn('w:pStyle')}")
        style = self._styles.get(found.get(qn("w:val"))) if found is not None else None
        names: list[str] = []
        while style is not None and len(names) < 16:  # a damaged file may base styles on each other
            names.append(style.name or "")
            style = getattr(style, "base_style", None)
        return names

    def _level(self, paragraph: Any, styles: list[str]) -> int | None:  # noqa: ANN401
        """Return the level of a heading, 0 for the title; None of any other paragraph."""
        told = paragraph.find(f"{qn('w:pPr')}/{qn('w:outlineLvl')}")
        if told is not None and (told.get(qn("w:val")) or "").isdigit():
            level = int(told.get(qn("w:val"))) + 1
            return level if level <= 9 else None
        for name in styles:
            if name == "Title":
                return 0
            if match := _HEADING.match(name):
                return int(match[1])
        return None


def _blocks(parent: Any) -> Iterator[Any]:  # noqa: ANN401
    """Yield paragraphs and tables in order, those in content controls and text boxes too."""
    for child in parent:
        if child.tag in {qn("w:p"), qn("w:tbl")}:
            yield child
            if child.tag == qn("w:p"):
                boxes = child.iter(qn("w:txbxContent"))
                for box in (box for box in boxes if not _is_hidden(box, child)):
                    yield from _blocks(box)
        elif child.tag not in _HIDDEN and isinstance(child.tag, str):
            yield from _blocks(child)


def _is_hidden(element: Any, top: Any) -> bool:  # noqa: ANN401
    above = element
    while above is not top:
        if above.tag in _HIDDEN:
            return True
        above = above.getparent()
    return False


def _rows(table: Any) -> Iterator[str]:  # noqa: ANN401
    for row in _within(table, qn("w:tr")):
        cells = [
            " ".join(_text_of(paragraph) for paragraph in cell.iter(qn("w:p")))
            for cell in _within(row, qn("w:tc"))
        ]
        if any(cell.strip() for cell in cells):
            feeds = "\f" * "".join(cells).count("\f")  # which are white space, and would go
            yield " | ".join(" ".join(cell.split()) for cell in cells) + feeds


def _within(parent: Any, tag: str) -> Iterator[Any]:  # noqa: ANN401
    """Yield the rows of a table or the cells of a row, not those of a table within."""
    for child in parent:
        if child.tag == tag:
            yield child
        elif child.tag not in _HIDDEN:
            yield from _within(child, tag)


def _text_of(paragraph: Any) -> str:  # noqa: ANN401
    """Return what a paragraph shows, without the text boxes that are anchored in it."""
    parts = []
    waiting = list(reversed(paragraph))
    while waiting:
        element = waiting.pop()
        if element.tag in _SHOWN:
            parts.append(element.text or "")
        elif element.tag in _CHARACTERS:
            parts.append(_CHARACTERS[element.tag])
        elif element.tag not in _HIDDEN and element.tag != qn("w:txbxContent"):
            waiting.extend(reversed(element))
    return "".join(parts)


def _read_notes(document: Document) -> dict[tuple[str, str], str]:
    """Return the text of each footnote and endnote by its mark and number."""
    notes: dict[tuple[str, str], str] = {}
    for relation in document.part.rels.values():
        if relation.reltype in _NOTES and not relation.is_external:
            parser = etree.XMLParser(resolve_entities=False, no_network=True)
            root = etree.fromstring(relation.target_part.blob, parser)
            for note in root.iter(qn("w:footnote"), qn("w:endnote")):
                text = " ".join(map(_text_of, note.iter(qn("w:p")))).strip()
                notes[_NOTES[relation.reltype], note.get(qn("w:id"))] = text
    return notes
