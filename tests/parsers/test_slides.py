"""PPTX: a section per slide, read from top to bottom."""

import io

import pptx
import pytest
from PIL import Image
from pptx.presentation import Presentation
from pptx.util import Inches

from tasks.parsers.reasons import Unreadable
from tasks.parsers.slides import PICTURES, parse_slides


def saved(presentation: Presentation) -> bytes:
    stream = io.BytesIO()
    presentation.save(stream)
    return stream.getvalue()


def build() -> Presentation:
    presentation = pptx.Presentation()
    opening = presentation.slides.add_slide(presentation.slide_layouts[0])
    opening.shapes.title.text = "Safety at sea"
    opening.placeholders[1].text = "A course"
    slide = presentation.slides.add_slide(presentation.slide_layouts[5])
    slide.shapes.title.text = "Ropes"
    lower = slide.shapes.add_textbox(Inches(1), Inches(5), Inches(2), Inches(1))
    lower.text_frame.text = "Below"
    group = slide.shapes.add_group_shape()
    boxed = group.shapes.add_textbox(Inches(1), Inches(3), Inches(2), Inches(1))
    boxed.text_frame.text = "Above"
    table = slide.shapes.add_table(1, 2, Inches(1), Inches(6), Inches(2), Inches(1)).table
    table.cell(0, 0).text, table.cell(0, 1).text = "knot", "use"
    slide.notes_slide.notes_text_frame.text = "Show them."
    return presentation


def test_slides_are_sections_from_top_to_bottom() -> None:
    title, sections, lost = parse_slides(saved(build()))
    assert (title, lost) == ("Safety at sea", ())
    assert [(s.heading, s.position) for s in sections] == [("", "slide 1"), ("Ropes", "slide 2")]
    assert sections[0].text.strip() == "A course"
    lines = [line for line in sections[1].text.split("\n") if line]
    assert lines == ["Above", "Below", "knot | use", "Show them."]


def test_the_number_of_a_slide_is_not_its_text() -> None:
    presentation = build()
    slide = presentation.slides[1]
    number = next(
        shape
        for shape in presentation.slide_layouts[5].placeholders
        if shape.placeholder_format.type.name == "SLIDE_NUMBER"
    )
    slide.shapes.clone_placeholder(number)
    slide.placeholders[number.placeholder_format.idx].text = "1234"
    assert "1234" not in parse_slides(saved(presentation))[1][1].text


@pytest.mark.parametrize("length", [0, 50, 5000, 20000])
def test_a_part_of_a_file_says_why(length: int) -> None:
    with pytest.raises(Unreadable, match="^damaged PPTX: "):
        parse_slides(saved(build())[:length])


def test_a_document_is_no_presentation() -> None:
    import docx

    stream = io.BytesIO()
    docx.Document().save(stream)
    with pytest.raises(Unreadable, match="^damaged PPTX: "):
        parse_slides(stream.getvalue())


def test_slides_of_pictures_alone_are_told_as_lost() -> None:
    presentation, picture = build(), io.BytesIO()
    Image.new("L", (1, 1)).save(picture, "png")
    for title, notes, is_drawn in [
        ("Shown", "", True),
        ("", "", True),
        ("Told", "What it shows.", True),
        ("", "", False),
    ]:
        slide = presentation.slides.add_slide(presentation.slide_layouts[5])
        slide.shapes.title.text = title
        if is_drawn:
            slide.shapes.add_group_shape().shapes.add_picture(picture, 0, 0)
        if notes:
            slide.notes_slide.notes_text_frame.text = notes
    presentation.slides[0].shapes.add_picture(picture, 0, 0)
    parsed = parse_slides(saved(presentation))
    assert parsed.lost == (("slides 3-4", PICTURES),)
    assert [section.position for section in parsed.sections] == ["slide 1", "slide 2", "slide 5"]
