"""PDF: pages, headings, words made whole, and nothing that is on every page."""

import re
from collections.abc import Callable, Sequence
from pathlib import Path

import pytest

from tasks.core.text import Reject
from tasks.parsers.pdf import DAMAGED, PICTURES, parse_pdf
from tasks.parsers.reasons import Unreadable
from tasks.sources import list_sources, read_documents

WritePdf = Callable[..., bytes]
Placed = tuple[float, float, str]

SCAN = "q 595 0 0 842 0 0 cm {} Q"  # over the whole page


def body(*texts: str, top: float = 700, size: float = 10) -> list[Placed]:
    return [(top - 12 * number, size, text) for number, text in enumerate(texts)]


def place(section_text: str, first: int, words: str) -> int:
    """Return the page of words by the form feeds before them."""
    return first + section_text[: section_text.index(words)].count("\f")


def without(content: bytes, *pages: int) -> bytes:
    """Damage pages, counted from 0: another kind of object stands in the place of each."""
    for page in pages:
        written = rb"(?s)(?<=\n%d 0 obj\n)<<.*?>>(?=\nendobj)" % (5 + page)
        content = re.sub(written, lambda found: b"null".ljust(len(found[0])), content, count=1)
    return content


def lost_pages(content: bytes) -> list[tuple[str, str]]:
    return [tuple(part) for part in parse_pdf(content).lost]


def test_pages_are_told_by_form_feeds(write_pdf: WritePdf) -> None:
    pages = [
        body(f"Words of page {name}", f"and of {name} more.") for name in ("one", "two", "three")
    ]
    title, (section,), _ = parse_pdf(write_pdf(pages, title="Safety at sea"))
    assert (title, section.position) == ("Safety at sea", "page 1")
    assert section.text.split("\f") == [
        "Words of page one\nand of one more.\n\n",
        "Words of page two\nand of two more.\n\n",
        "Words of page three\nand of three more.",
    ]


def test_a_sentence_goes_on_over_the_end_of_a_page(write_pdf: WritePdf) -> None:
    pages = [body("A sentence that is"), body("not over yet.")]
    assert parse_pdf(write_pdf(pages))[1][0].text == "A sentence that is\n\fnot over yet."


def test_larger_type_is_a_heading(write_pdf: WritePdf) -> None:
    pages = [
        [(780, 24, "The guide"), *body("Text that opens.", "More text of it.")],
        [
            (780, 16, "Install"),
            *body("Text of installing.", top=750),
            (600, 13, "On Linux"),
            *body("Text of Linux.", top=580),
            (500, 16, "Use"),
            *body("Text of use.", top=480),
        ],
    ]
    title, sections, _ = parse_pdf(write_pdf(pages))
    assert title == "The guide"
    assert [(s.heading, s.position, s.text.strip()) for s in sections] == [
        ("", "page 1", "Text that opens.\nMore text of it."),
        ("Install", "page 2", "Text of installing."),
        ("Install > On Linux", "page 2", "Text of Linux."),
        ("Use", "page 2", "Text of use."),
    ]


def test_bookmarks_are_headings_though_the_type_is_the_same(write_pdf: WritePdf) -> None:
    pages = [
        body("1. Install", "Text of installing."),
        body("rest of it.", "2. Use", "Text of use."),
        body("Shown without its words."),
    ]
    marks = [("Install", 0, 720.0), ("Use", 1, 700.0), ("Appendix", 2, 800.0)]
    _, sections, _ = parse_pdf(write_pdf(pages, bookmarks=marks))
    assert [(s.heading, s.position, s.text.strip()) for s in sections] == [
        ("Install", "page 1", "Text of installing.\n\n\frest of it."),
        ("Use", "page 2", "Text of use."),
        ("Appendix", "page 3", "Shown without its words."),
    ]


@pytest.mark.parametrize("prefix", ["Page {}", "{}", "Report of the year {}", "{} of 9"])
def test_what_is_on_every_page_is_dropped(write_pdf: WritePdf, prefix: str) -> None:
    pages = [
        [
            (820, 9, "Company confidential"),
            *body(f"Unlike text {name}.", f"Line {name} two."),
            (20, 9, prefix.format(number)),
        ]
        for number, name in enumerate(["first", "second", "third", "fourth"], start=4)
    ]
    _, (section,), _ = parse_pdf(write_pdf(pages))
    assert [page.strip().split("\n") for page in section.text.split("\f")] == [
        [f"Unlike text {name}.", f"Line {name} two."]
        for name in ("first", "second", "third", "fourth")
    ]


def test_what_is_on_two_pages_far_apart_stays(write_pdf: WritePdf) -> None:
    pages = [body(f"Line {name}.") for name in ("same", "b", "c", "d", "e", "f", "same", "same g")]
    text = parse_pdf(write_pdf(pages))[1][0].text
    assert text.count("Line same.") == 2


def test_divided_words_are_made_whole(write_pdf: WritePdf) -> None:
    pages = [
        body("How docu-", "ments are read by well-", "Known people in 2019-", "2020."),
        body("It con-"),
        body("tinues."),
    ]
    _, (section,), _ = parse_pdf(write_pdf(pages))
    assert "How documents" in section.text
    assert "2019-\n2020." in section.text
    assert "continues." in section.text.replace("\n", "").replace("\f", "")
    assert place(section.text, 1, "continues") == 2


def test_paragraphs_are_apart_and_lines_are_not(write_pdf: WritePdf) -> None:
    lines = [*body("One begins", "and ends.", "It does."), *body("Two begins", "too.", top=640)]
    text = parse_pdf(write_pdf([lines]))[1][0].text
    assert text == "One begins\nand ends.\nIt does.\n\nTwo begins\ntoo."


def test_entries_of_a_table_of_contents_are_dropped(write_pdf: WritePdf) -> None:
    lines = body(
        "Install . . . . . . . . . . . 12", "Use ........................ iv", "Wait ... 3"
    )
    assert parse_pdf(write_pdf([lines]))[1][0].text == "Wait ... 3"


@pytest.mark.parametrize("title", ["Microsoft Word - plan.docx", "untitled", "plan_v2.pdf", " "])
def test_titles_that_programs_give_are_none(write_pdf: WritePdf, title: str) -> None:
    assert parse_pdf(write_pdf([body("Text.")], title=title))[0] == ""


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        (lambda content: content[:60], "damaged PDF: "),
        (lambda content: b"", "damaged PDF: "),
        (lambda content: b"no PDF at all" * 100, "damaged PDF: "),
        (lambda content: content.replace(b"(Text.) Tj", b"         "), "no text: "),
    ],
)
def test_what_cannot_be_read_says_why(
    write_pdf: WritePdf, change: Callable[[bytes], bytes], reason: str
) -> None:
    with pytest.raises(Unreadable, match=f"^{reason}"):
        parse_pdf(change(write_pdf([body("Text.")])))


def test_an_encrypted_file_is_told_from_a_damaged_one(write_pdf: WritePdf) -> None:
    lock = f"/ID[<00><00>]/Encrypt<</Filter/Standard/V 1/R 2/P -4/O<{'01' * 32}>/U<{'02' * 32}>>>"
    with pytest.raises(Unreadable, match="^encrypted PDF: "):
        parse_pdf(write_pdf([body("Text.")], trailer=lock))


def test_a_file_with_a_wrong_table_of_contents_is_mended(write_pdf: WritePdf) -> None:
    content = write_pdf([body("Text one."), body("Text two.")])
    moved = content.replace(b"%PDF-1.7\n", b"%PDF-1.7\n% what moves all that follows\n")
    assert "Text one." in parse_pdf(moved)[1][0].text


@pytest.mark.parametrize(
    "shown", ["/Scan Do", "/Sheet Do", "BI /W 1 /H 1 /CS /G /BPC 8 ID x EI"], ids=str.split
)
def test_pages_that_are_lost_are_told_and_blank_ones_are_not(
    write_pdf: WritePdf, shown: str
) -> None:
    pages = [body("Text one."), [], [], body("Text four."), body("Text five."), []]
    drawn = {1: SCAN.format(shown), 4: SCAN.format(shown), 5: "72 72 100 100 re f"}
    parsed = parse_pdf(without(write_pdf(pages, drawn=drawn), 3))
    assert parsed.lost == (("page 2", PICTURES), ("page 4", DAMAGED))
    assert parsed.sections[0].text.split() == ["Text", "one.", "Text", "five."]
    assert parsed.sections[0].text.count("\f") == 4  # a page keeps its number


def test_a_scan_that_bears_a_number_alone_is_lost(write_pdf: WritePdf) -> None:
    stamped = [[(800, 9, "Scanned by K. & Sons"), (20, 9, str(number))] for number in (2, 3, 4)]
    drawn = dict.fromkeys(range(1, 4), SCAN.format("/Scan Do"))
    content = write_pdf([body("Text one."), *stamped], drawn=drawn)
    assert lost_pages(content) == [("pages 2-4", PICTURES)]
    assert not lost_pages(write_pdf([body("Text one."), *stamped]))


def test_neighbours_that_are_lost_alike_are_told_in_one_row(write_pdf: WritePdf) -> None:
    drawn = dict.fromkeys([*range(2, 12), *range(14, 17)], SCAN.format("/Scan Do"))
    pages = [[] if number in drawn else body(f"Text {number}.") for number in range(20)]
    assert lost_pages(without(write_pdf(pages, drawn=drawn), 12, 13, 18)) == [
        ("pages 3-12", PICTURES),
        ("pages 13-14", DAMAGED),
        ("pages 15-17", PICTURES),
        ("page 19", DAMAGED),
    ]


def test_however_many_pages_are_lost_the_rows_are_few(write_pdf: WritePdf) -> None:
    content = write_pdf([body(f"Text {number}.") for number in range(300)])
    told = lost_pages(without(content, *range(0, 300, 2)))
    assert len(told) == 50
    assert told[48:] == [
        ("page 97", DAMAGED),
        ("pages 99-299", "lost in part: 101 of these pages"),
    ]


@pytest.mark.parametrize(
    ("damaged", "reason"),
    [([0, 1], "damaged PDF: 2 of its 2 pages"), ([1], "no text: PDF of 2 pages of pictures")],
)
def test_a_file_that_is_lost_as_a_whole_says_why(
    write_pdf: WritePdf, damaged: Sequence[int], reason: str
) -> None:
    content = write_pdf([[], body("Text.")], drawn={0: SCAN.format("/Scan Do")})
    with pytest.raises(Unreadable, match=f"^{reason}"):
        parse_pdf(without(content, *damaged))


def test_lost_pages_are_set_aside_in_every_run(write_pdf: WritePdf, tmp_path: Path) -> None:
    folder, root = tmp_path / "docs", tmp_path / "root"
    folder.mkdir()
    pages = [body("Text one."), [], body("Text three."), []]
    content = without(write_pdf(pages, drawn={1: SCAN.format("/Scan Do")}), 2)
    for name in ("copy.pdf", "guide.pdf"):
        (folder / name).write_bytes(content)
    for parsed in (1, 0):
        documents, rejects, work = read_documents(list_sources([folder.as_posix()]), root)
        assert [document.document_id for document in documents] == ["copy.pdf", "guide.pdf"]
        assert work["parsed"] == parsed
        assert rejects == [
            Reject(f"{name} {place}", f"{folder.as_posix()}/{name}", reason)
            for name in ("copy.pdf", "guide.pdf")
            for place, reason in (("page 2", PICTURES), ("page 3", DAMAGED))
        ]
