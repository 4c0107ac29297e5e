"""Both renderers show any text as it is, and nothing of it does anything."""

import random
import string
from collections.abc import Callable

import pytest
from bs4 import BeautifulSoup, Tag
from markdown_it import MarkdownIt

from tasks.page.blocks import (
    ANSWER,
    Block,
    Excerpt,
    Figures,
    Grid,
    Notes,
    Paragraph,
    Picture,
    Record,
    Sample,
    Section,
    Share,
)
from tasks.page.html import render_html
from tasks.page.legible import clean, flatten
from tasks.page.markdown import render_markdown
from tests.page.conftest import HOSTILE

SVG = b"<svg xmlns='http://www.w3.org/2000/svg'/>"
ATTRIBUTES = {"alt", "charset", "class", "content", "dir", "http-equiv", "lang", "max", "name",
              "open", "src", "style", "value"}  # fmt: skip
PICTURE = "data:image/svg+xml;base64,"
HOW_MARKDOWN_ALIGNS = {"text-align:left", "text-align:right"}


def read_html(title: str, sections: list[Section]) -> BeautifulSoup:
    return BeautifulSoup(render_html(title, sections), "html.parser")


def read_markdown(title: str, sections: list[Section]) -> BeautifulSoup:
    """Read Markdown as Prefect does: GitHub's tables, and HTML let through."""
    reader = MarkdownIt("commonmark", {"html": True}).enable(["table", "strikethrough"])
    reader.validateLink = lambda url: True  # type: ignore[method-assign] # it would refuse SVG
    return BeautifulSoup(reader.render(render_markdown(title, sections)), "html.parser")


READERS = pytest.mark.parametrize("read", [read_html, read_markdown])
Reader = Callable[[str, list[Section]], BeautifulSoup]


def blocks_of(text: str) -> list[Block]:
    """Put a text into every place where a block takes one."""
    excerpts = (Excerpt(ANSWER, 0.5, text, text, f"before {text} after", text),
                Excerpt("negative 1", None, text, text, text))  # fmt: skip
    return [
        Paragraph(text), Notes((text, text)), Figures(((1, text), (text, "x"))),
        Grid((text, "n"), ((text, 1), (text, 2.5), (text, Share(1, 2)))),
        Picture(text, SVG), Record(text, text), Sample(text, text, excerpts),
    ]  # fmt: skip


def tags(soup: BeautifulSoup) -> list[Tag]:
    return list(soup.find_all(True))


@READERS
@pytest.mark.parametrize("text", HOSTILE)
def test_hostile_text_adds_no_markup(read: Reader, text: str) -> None:
    harmless = read("x", [Section("x", blocks_of("x"))])
    found = read(text, [Section(text, blocks_of(text))])
    assert [tag.name for tag in tags(found)] == [tag.name for tag in tags(harmless)]
    for tag in tags(found):
        assert set(tag.attrs) <= ATTRIBUTES
        assert str(tag.get("src", PICTURE)).startswith(PICTURE)
        assert tag.get("style", "text-align:left") in HOW_MARKDOWN_ALIGNS


@READERS
@pytest.mark.parametrize("text", HOSTILE)
def test_hostile_text_is_shown_whole(read: Reader, text: str) -> None:
    found = read("page", [Section("section", blocks_of(text))])
    shown = flatten(text)
    assert flatten(found.find_all("p")[0].get_text()) == shown
    assert [flatten(tag.get_text()) for tag in found.find_all("li")[:2]] == [shown, shown]
    cells = [flatten(row.find("td").get_text()) for row in found.find_all("tr")[1:]]
    assert cells == [shown] * 3
    assert flatten(found.find("img")["alt"]) == shown
    assert flatten(found.find("pre").get_text()) == shown
    assert flatten(found.find_all("summary")[1].get_text()).startswith(shown)


@READERS
def test_any_punctuation_is_shown_whole(read: Reader) -> None:
    draw = random.Random(0)
    letters = string.punctuation * 2 + "ab1  "
    for _ in range(300):
        text = "a" + "".join(draw.choices(letters, k=draw.randint(1, 24))) + "b"
        found = read("page", [Section("s", [Paragraph(text), Grid(("h", "h"), ((text, text),))])])
        assert flatten(found.find("p").get_text()) == flatten(text)
        assert [flatten(cell.get_text()) for cell in found.find_all("td")] == [flatten(text)] * 2


@READERS
def test_what_is_hidden_from_the_model_is_marked(read: Reader) -> None:
    excerpt = Excerpt(ANSWER, 0.5, "a.md line 1", "Ports", "It is `80`. So (there).", "`80`. So")
    found = read("page", [Section("s", [Sample("which?", "human", (excerpt,))])])
    marked = [tag.get_text() for tag in found.find_all(["mark", "strong"])]
    assert "`80`. So" in marked
    assert "(there)" not in marked


def test_html_allows_itself_no_script_and_no_address() -> None:
    text = render_html("page", [Section("s", blocks_of("x"))])
    soup = BeautifulSoup(text, "html.parser")
    policy = soup.find("meta", attrs={"http-equiv": "Content-Security-Policy"})["content"]
    assert policy.startswith("default-src 'none'; img-src data:;")
    head = text[: text.index("</style>")]
    assert "url(" not in head and "http:" not in head and "@import" not in head


def test_controls_and_overrides_become_visible() -> None:
    shown = clean("a\x00\x1b\x7f\x85\u202e\u2069b\u200d\u00adc")
    assert shown == "a␀␛\ufffd\ufffd\ufffd\ufffdb\u200d\u00adc"


def test_numbers_stand_to_the_right() -> None:
    text = render_markdown("p", [Section("s", [Grid(("a", "b", "c"), (("x", 1, Share(1, 4)),))])])
    assert "| :--- | ---: | ---: |\n| x | 1 | 25\\.0 % |" in text
