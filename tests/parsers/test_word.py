"""DOCX: what Word shows, under its headings, on its pages."""

import io
import zipfile
from collections.abc import Callable

import docx
import pytest
from docx.document import Document
from docx.enum.style import WD_STYLE_TYPE
from docx.opc.constants import CONTENT_TYPE, RELATIONSHIP_TYPE
from docx.opc.packuri import PackURI
from docx.opc.part import Part
from docx.oxml import OxmlElement, parse_xml
from docx.oxml.ns import nsdecls

from tasks.parsers.reasons import Unreadable
from tasks.parsers.word import parse_word


def saved(document: Document) -> bytes:
    stream = io.BytesIO()
    document.save(stream)
    return stream.getvalue()


def untitled() -> Document:
    document = docx.Document()
    document.core_properties.title = ""
    return document


def insert(document: Document, xml: str) -> None:
    end = document.element.body[-1]  # the section's settings stay last
    end.addprevious(parse_xml(xml.replace("<w:", "<w:", 1).replace(">", f" {nsdecls('w')}>", 1)))


def paragraphs(content: bytes) -> list[str]:
    _, sections, _ = parse_word(content)
    texts = "\n".join(section.text for section in sections).replace("\f", "")
    return [line for line in texts.split("\n") if line.strip()]


def test_headings_lists_and_tables() -> None:
    document = untitled()
    document.add_paragraph("The guide", "Title")
    document.add_paragraph("Intro.")
    document.add_heading("Install", 1)
    document.add_paragraph("one", "List Bullet")
    document.add_paragraph("two", "List Number")
    document.add_heading("Linux", 2)
    table = document.add_table(2, 2)
    for number, text in enumerate(["name", "value", "a", "1"]):
        table.cell(number // 2, number % 2).text = text
    table.cell(1, 1).add_table(1, 1).cell(0, 0).text = "inner"
    title, sections, _ = parse_word(saved(document))
    assert title == "The guide"
    assert [(s.heading, s.position) for s in sections] == [
        ("", "paragraph 2"),
        ("Install", "paragraph 4"),
        ("Install > Linux", "paragraph 7"),
    ]
    assert sections[1].text.replace("\f", "").split() == ["-", "one", "-", "two"]
    assert sections[2].text.replace("\f", "").strip() == "name | value\na | 1 inner"


def test_each_paragraph_is_told_by_a_form_feed() -> None:
    document = untitled()
    for text in ("First.", "", "Third.", "Fourth."):
        document.add_paragraph(text)
    _, (section,), _ = parse_word(saved(document))
    place = section.text[: section.text.index("Fourth")].count("\f") + 1
    assert (section.position, place) == ("paragraph 1", 4)


def test_pages_are_told_where_a_program_counted_them() -> None:
    document = untitled()
    document.add_paragraph("On one.")
    for text in ("Begins on two.", "Begins on three."):
        run = document.add_paragraph("").add_run()
        run._r.append(OxmlElement("w:lastRenderedPageBreak"))
        run.add_text(text)
    broken = document.add_table(1, 1).cell(0, 0).paragraphs[0].add_run("A row")
    broken._r.append(OxmlElement("w:lastRenderedPageBreak"))
    broken.add_text("goes on.")
    document.add_heading("Last", 1)
    document.add_paragraph("Text.")
    _, sections, _ = parse_word(saved(document))
    assert [section.position for section in sections] == ["page 1", "page 4"]
    pages = [page.strip() for page in sections[0].text.split("\f")]
    assert pages == ["On one.", "Begins on two.", "Begins on three.\n\nA row goes on.", ""]


def test_a_style_based_on_a_heading_is_a_heading() -> None:
    document = untitled()
    house = document.styles.add_style("Hauskapitel", WD_STYLE_TYPE.PARAGRAPH)
    house.base_style = document.styles["Heading 2"]
    document.add_paragraph("Alpha", "Heading 1")
    document.add_paragraph("Beta", "Hauskapitel")
    document.add_paragraph("Text.")
    document.add_paragraph("Gamma", "Heading 1")
    document.add_paragraph("Text.")
    assert [s.heading for s in parse_word(saved(document))[1]] == ["Alpha > Beta", "Gamma"]


@pytest.mark.parametrize(
    ("xml", "shown"),
    [
        ("<w:p><w:ins><w:r><w:t>new</w:t></w:r></w:ins></w:p>", ["new"]),
        ("<w:p><w:del><w:r><w:delText>old</w:delText></w:r></w:del></w:p>", []),
        ("<w:p><w:moveFrom><w:r><w:t>moved</w:t></w:r></w:moveFrom></w:p>", []),
        ("<w:p><w:r><w:instrText>PAGE</w:instrText></w:r></w:p>", []),
        ("<w:p><w:hyperlink><w:r><w:t>link</w:t></w:r></w:hyperlink></w:p>", ["link"]),
        (
            "<w:sdt><w:sdtContent><w:p><w:r><w:t>field</w:t></w:r></w:p></w:sdtContent></w:sdt>",
            ["field"],
        ),
        (
            "<w:p><w:r><w:t>beside</w:t><w:txbxContent><w:p><w:r><w:t>box</w:t></w:r></w:p>"
            "</w:txbxContent></w:r></w:p>",
            ["beside", "box"],
        ),
        ("<w:p><w:r><w:t>non</w:t><w:noBreakHyphen/><w:t>stop</w:t></w:r></w:p>", ["non-stop"]),
        ('<w:p><w:pPr><w:pStyle w:val="TOC1"/></w:pPr><w:r><w:t>One 3</w:t></w:r></w:p>', []),
    ],
)
def test_what_is_shown_is_read_and_nothing_else(xml: str, shown: list[str]) -> None:
    document = untitled()
    document.styles.add_style("TOC 1", WD_STYLE_TYPE.PARAGRAPH)
    insert(document, xml)
    assert paragraphs(saved(document)) == shown


def test_the_title_in_the_properties_counts_if_a_person_gave_it() -> None:
    document = untitled()
    document.add_paragraph("Text.")
    document.core_properties.title = "Safety at sea"
    assert parse_word(saved(document))[0] == "Safety at sea"
    document.core_properties.title = "Word Document"
    assert parse_word(saved(document))[0] == ""


def bomb(content: bytes) -> bytes:
    """Let the table of contents say that the last part expands to 2 GB."""
    entry = content.rindex(b"PK\x01\x02")
    return content[: entry + 24] + bytes.fromhex("ffffff7f") + content[entry + 28 :]


def without(content: bytes, name: str) -> bytes:
    stream = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(content)) as old, zipfile.ZipFile(stream, "w") as new:
        for part in old.namelist():
            if part != name:
                new.writestr(part, old.read(part))
    return stream.getvalue()


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        (lambda content: content[: len(content) // 2], "damaged DOCX: "),
        (lambda content: b"PK\x03\x04" + content[4:200], "damaged DOCX: "),
        (lambda content: without(content, "word/document.xml"), "damaged DOCX: "),
        (lambda content: bytes.fromhex("d0cf11e0a1b11ae1") + bytes(999), "old format: "),
        (
            lambda content: (
                bytes.fromhex("d0cf11e0a1b11ae1") + "EncryptedPackage".encode("utf-16-le")
            ),
            "encrypted DOCX: ",
        ),
        (bomb, "zip bomb: expands to 2.1 GB"),
    ],
)
def test_what_cannot_be_read_says_why(change: Callable[[bytes], bytes], reason: str) -> None:
    document = untitled()
    document.add_paragraph("Text.")
    with pytest.raises(Unreadable, match=f"^{reason}"):
        parse_word(change(saved(document)))


def test_footnotes_stand_below_what_they_are_about() -> None:
    document = untitled()
    insert(
        document,
        '<w:p><w:r><w:t>Said</w:t></w:r><w:r><w:footnoteReference w:id="2"/></w:r></w:p>',
    )
    notes = (
        f"<w:footnotes {nsdecls('w')}>"
        '<w:footnote w:id="2"><w:p><w:r><w:t>Explained.</w:t></w:r></w:p></w:footnote>'
        "</w:footnotes>"
    )
    part = Part(
        PackURI("/word/footnotes.xml"),
        CONTENT_TYPE.WML_FOOTNOTES,
        notes.encode(),
        document.part.package,
    )
    document.part.relate_to(part, RELATIONSHIP_TYPE.FOOTNOTES)
    assert paragraphs(saved(document)) == ["Said", "Explained."]


def test_endnotes_stand_below_what_they_are_about_apart_from_footnotes() -> None:
    document = untitled()
    marks = ('<w:footnoteReference w:id="2"/>', '<w:endnoteReference w:id="2"/>')
    for mark in marks:
        insert(document, f"<w:p><w:r><w:t>Said</w:t></w:r><w:r>{mark}</w:r></w:p>")
    kinds = {
        "footnote": (CONTENT_TYPE.WML_FOOTNOTES, RELATIONSHIP_TYPE.FOOTNOTES),
        "endnote": (CONTENT_TYPE.WML_ENDNOTES, RELATIONSHIP_TYPE.ENDNOTES),
    }
    for kind, (content_type, relation) in kinds.items():
        notes = (
            f"<w:{kind}s {nsdecls('w')}>"
            f'<w:{kind} w:id="2"><w:p><w:r><w:t>The {kind}.</w:t></w:r></w:p></w:{kind}>'
            f"</w:{kind}s>"
        )
        name = PackURI(f"/word/{kind}s.xml")
        part = Part(name, content_type, notes.encode(), document.part.package)
        document.part.relate_to(part, relation)
    assert paragraphs(saved(document)) == ["Said", "The footnote.", "Said", "The endnote."]
