"""PPTX: a section per slide under the slide's title, from top to bottom, with the notes."""

import io
from collections.abc import Iterable, Iterator

import pptx
from pptx.shapes.base import BaseShape
from pptx.shapes.graphfrm import GraphicFrame
from pptx.shapes.group import GroupShape
from pptx.shapes.picture import Picture
from pptx.slide import Slide

from .archive import check_archive
from .lost import tell_lost
from .outline import Outline, Parsed
from .reasons import damage
from .titles import read_title

# Placeholders that say the same on every slide.
_REPEATED = {"DATE", "FOOTER", "HEADER", "SLIDE_NUMBER"}
MAX_DEPTH = 20  # of groups within groups
PICTURES = "no text: slide of pictures; describe them in its notes"


def parse_slides(content: bytes) -> Parsed:
    """Parse a presentation; the title is what its properties or its first slide give.

    Raises:
        Unreadable: it is encrypted, damaged, of before 2007, or expands beyond reason.
    """
    check_archive(content, "PPTX")
    with damage("PPTX"):
        presentation = pptx.Presentation(io.BytesIO(content))
        outline = Outline(read_title(presentation.core_properties.title))
        lost: dict[int, str] = {}
        for number, slide in enumerate(presentation.slides, start=1):
            if not _read_slide(slide, number, outline) and _has_pictures(slide):
                lost[number] = PICTURES
        return outline.finish()._replace(lost=tell_lost("slide", lost))


def _read_slide(slide: Slide, number: int, outline: Outline) -> bool:
    """Add a slide; return whether it gave text, or as the opening one the title."""
    title = slide.shapes.title
    heading = title.text_frame.text if title is not None and title.has_text_frame else ""
    is_opening = number == 1 and bool(heading.strip())
    outline.open(1 if is_opening else 2, heading, f"slide {number}")
    texts = [
        "\n".join(_read_shape(shape))
        for shape in _in_order(slide.shapes)
        if title is None or shape.shape_id != title.shape_id
    ]
    if slide.has_notes_slide:
        frame = slide.notes_slide.notes_text_frame
        texts.append(frame.text if frame is not None else "")
    for text in filter(str.strip, texts):
        outline.add(text.replace("\v", "\n"))
        outline.add("")
    return is_opening or any(map(str.strip, texts))


def _has_pictures(slide: Slide) -> bool:
    """Tell whether a slide shows pictures, charts, or diagrams."""
    return any(
        isinstance(shape, Picture) or (isinstance(shape, GraphicFrame) and not shape.has_table)
        for shape in _in_order(slide.shapes)
    )


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
