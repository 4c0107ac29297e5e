"""HTML as text: what a reader of the page sees, without what surrounds every page."""

from collections.abc import Iterator

from bs4 import BeautifulSoup
from bs4.builder import ParserRejectedMarkup
from bs4.element import CData, NavigableString, PageElement, Tag

from .outline import CODE_INDENT, Outline, Parsed

DROPPED = ["script", "style", "nav", "footer", "noscript", "template", "svg", "head", "button"]
LINES = {"br", "caption", "dd", "dt", "figcaption", "legend", "li", "summary", "tr"}
PARAGRAPHS = frozenset(
    """
    address article aside blockquote body center details dialog div dl fieldset figure form header
    hr main ol p pre section table ul
    """.split()  # noqa: SIM905 - as a list it would take twenty lines
)
HEADINGS = {"h1": 1, "h2": 2, "h3": 3, "h4": 4, "h5": 5, "h6": 6}


def parse_html(text: str) -> Parsed:
    """Parse a page, of its `<main>` alone where it has one; headings' anchors are the places."""
    soup = _read(text)
    title = " ".join(soup.title.get_text().split()) if soup.title else ""
    for tag in [*soup(DROPPED), *soup.select("[role=navigation], a.headerlink")]:
        tag.extract()
    mains = soup.select("main, [role=main]")
    return _Page(title).parse(mains[0] if len(mains) == 1 else soup)


def text_of(html: str) -> str:
    """Return the text of a fragment."""
    soup = _read(html)
    for tag in soup(DROPPED):
        tag.extract()
    return soup.get_text()


def _read(html: str) -> BeautifulSoup:
    try:
        return BeautifulSoup(html, "html.parser")
    except ParserRejectedMarkup:  # over a marked section, `<![`, that is none
        return BeautifulSoup(html.replace("<![", "&lt;!["), "html.parser")


class _Page:
    """Turns elements into lines: one per block, cells joined by bars, code as it stands."""

    def __init__(self, title: str) -> None:
        self._outline = Outline(title, position="start")
        self._words: list[str] = []  # of the line that has begun
        self._code = 0  # depth of <pre>

    def parse(self, root: Tag) -> Parsed:
        for element, is_end in _walk(root):
            if isinstance(element, Tag):
                (self._end if is_end else self._begin)(element)
            elif type(element) in (NavigableString, CData):  # comments are neither
                self._words.append(str(element))
        self._flush()
        return self._outline.finish()

    def _begin(self, tag: Tag) -> None:
        if tag.name in LINES | PARAGRAPHS | HEADINGS.keys():
            self._flush()
        if tag.name in PARAGRAPHS:
            self._outline.add("")
        if tag.name == "li":
            self._words.append("- ")
        elif tag.name in {"td", "th"} and "".join(self._words).strip():
            self._words.append(" | ")
        elif tag.name == "pre":
            self._code += 1

    def _end(self, tag: Tag) -> None:
        if tag.name in HEADINGS:
            heading = "".join(self._words).rstrip("¶§ \n")  # links to itself
            self._words = []
            self._outline.open(HEADINGS[tag.name], heading, _anchor(tag))
        elif tag.name in LINES | PARAGRAPHS:
            self._flush()
        if tag.name in PARAGRAPHS:
            self._outline.add("")
        if tag.name == "pre":
            self._code -= 1

    def _flush(self) -> None:
        text = "".join(self._words)
        self._words = []
        if self._code:
            rows = text.strip("\n").split("\n")
            self._outline.add("\n".join(CODE_INDENT + row for row in rows))
        elif text.strip() not in {"", "-"}:
            self._outline.add(" ".join(text.split()))


def _anchor(heading: Tag) -> str:
    """Say where a heading is: its anchor, its section's, or its line."""
    found = heading.get("id")
    if not found and heading.parent is not None and heading.parent.name == "section":
        found = heading.parent.get("id")
    return f"#{found}" if found else f"near line {heading.sourceline}"


def _walk(root: Tag) -> Iterator[tuple[PageElement, bool]]:
    """Yield every element below, each tag when it begins and when it ends; without recursion."""
    waiting: list[tuple[PageElement, bool]] = [(root, False)]
    while waiting:
        element, is_end = waiting.pop()
        yield element, is_end
        if isinstance(element, Tag) and not is_end:
            waiting.append((element, True))
            waiting += [(child, False) for child in reversed(element.contents)]
