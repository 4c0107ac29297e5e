"""The outline of a document that is being parsed: its title, its headings, and their text."""

from dataclasses import dataclass
from typing import NamedTuple

from ..core.text import Section
from .lost import Lost

__all__ = ["CODE_INDENT", "Outline", "Parsed", "Section"]

CODE_INDENT = "    "  # what tells code from prose where text is split


class Parsed(NamedTuple):
    """What a file holds: its title, empty if it names none, its sections, and what was lost."""

    title: str
    sections: tuple[Section, ...]
    lost: tuple[Lost, ...] = ()


@dataclass(frozen=True)
class _Heading:
    level: int
    text: str


class Outline:
    """Collects sections. Text keeps its lines where they are in the source, so places hold.

    A heading that stands alone at the highest level, before all others, is the title.
    """

    def __init__(self, title: str = "", position: str = "") -> None:
        """Begin a document.

        Args:
            title: What the document calls itself apart from its headings, if it does.
            position: Where text before the first heading is, if lines do not tell.

        In a section whose position is `page 3`, `cell 3`, or `paragraph 3`, each form feed of its
        text is where the next of these begins.
        """
        self._title = title
        self._headings: list[_Heading] = []
        self._path: list[_Heading] = []  # the headings above
        self._sections: list[tuple[list[_Heading], Section]] = []
        self._lines: list[str] = []
        self._first = 0
        self._position = self._place = position

    def at(self, position: str) -> None:
        """Say where the sections are that open from here on."""
        self._place = position

    def open(self, level: int, heading: str, position: str = "") -> None:
        """Begin a section; `position` is for text that does not keep its lines."""
        self._close()
        self._position = position or self._place
        self._path = [above for above in self._path if above.level < level]
        text = " ".join(heading.split())
        if text:
            self._headings.append(_Heading(level, text))
            self._path.append(self._headings[-1])

    def add(self, text: str, line: int = 0) -> None:
        """Add text that begins at a line of the source, counted from 0."""
        if not self._lines:
            self._first = line
        self._lines += [""] * (line - self._first - len(self._lines))
        self._lines += text.split("\n")

    def finish(self) -> Parsed:
        """Return title and sections."""
        self._close()
        top = self._find_title()
        title = self._title or (top.text if top else "")
        hidden = top if top and top.text in title else None
        sections = [
            Section(" > ".join(h.text for h in path if h is not hidden), found.text, found.position)
            for path, found in self._sections
        ]
        return Parsed(title, tuple(sections))

    def _find_title(self) -> _Heading | None:
        highest = min((heading.level for heading in self._headings), default=0)
        tops = [heading for heading in self._headings if heading.level == highest]
        return tops[0] if len(tops) == 1 and tops[0] is self._headings[0] else None

    def _close(self) -> None:
        if any(line.strip() for line in self._lines):
            position = self._position or f"line {self._first + 1}"
            self._sections.append((self._path, Section("", "\n".join(self._lines), position)))
        self._lines = []
