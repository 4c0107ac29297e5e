"""PPTX: a section per slide under the slide's title, from top to bottom, with the notes."""

import io
from collections.abc import Iterable, Iterator

import pptx
from pptx.shapes.base import BaseShape
from pptx.shapes.graphfrm import GraphicFrame
from pptx.shapes.group import GroupShape
from pptx.slide import Slide

from .archive import check_archive
from .outline import Outline, Parsed
from .reasons import damage
from .titles import read_title

# Placeholders that say the same on every slide.
_REPEATED = {"DATE", "FOOTER", "HEADER", "SLIDE_NUMBER"}
MAX_DEPTH = 20  # of groups within groups


def parse_slides(content: bytes) -> Parsed:
    """Parse a presentation; the title is what its properties or its first slide give.

    Raises:
        Unreadable: it is encrypted, damaged, of before 2007, or expands beyond reason.
    """
    check_archive(content, "PPTX")
    with damage("PPTX"):
        presentation = pptx.Presentation(io.BytesIO(content))
        outline = Outline(read_title(presentation.core_properties.title))
        for number, slide in enumerate(presentation.slides, start=1):
            _read_slide(slide, number, outline)
        return outline.finish()


def _read_slide(slide: Slide, number: int, outline: Outline) -> None:
    title = slide.shapes.title
    heading = title.text_frame.text if title is not None and title.has_text_frame else ""
    is_opening = number == 1 and bool(heading.strip())
    outline.open(1 if is_opening else 2, heading, f"slide {number}")
    for shape in _in_order(slide.shapes):
        if title is None or shape.shape_id != title.shape_id:
            _add(outline, "\n".join(_read_shape(shape)))
    if slide.has_notes_slide:
        frame = slide.notes_slide.notes_text_frame
        _add(outline, frame.text if frame is not None else "")


def _add(outline: Outline, text: str) -> None:
    if text.strip():
        outline.add(text.replace("\v", "\n"))
        outline.add("")


def _in_order(shapes: Iterable[BaseShape], depth: int = 0) -> Iterator[BaseShape]:
    """Yield shapes from top to bottom, then left to right; those of a group together."""
    for shape in sorted(shapes, key=lambda shape: (shape.top or 0, shape.left or 0)):
        if not isinstance(shape, GroupShape):
            yield shape
        elif depth < MAX_DEPTH:
            yield from _in_order(shape.shapes, depth + 1)


def _read_shape(shape: BaseShape) -> Iterator[str]:
    placeholder = shape.placeholder_format.type if shape.is_placeholder else None
    if placeholder is not None and placeholder.name in _REPEATED:
        return
    if isinstance(shape, GraphicFrame) and shape.has_table:
        for row in shape.table.rows:
            cells = [" ".join(cell.text_frame.text.split()) for cell in row.cells]
            if any(cells):
                yield " | ".join(cells)
    elif (frame := getattr(shape, "text_frame", None)) is not None:
        for paragraph in frame.paragraphs:
            yield "  " * paragraph.level + paragraph.text
