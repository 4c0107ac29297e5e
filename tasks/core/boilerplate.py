"""Boilerplate: paragraphs and lines that many documents repeat."""

import re
from collections import Counter
from collections.abc import Iterator, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, replace
from hashlib import blake2b

from .text import Document, Reject, Section

LEAST_WORDS = 4  # `Example:` or `Parameters` stands in many documents and belongs to each
MOST_CHARACTERS = 60  # of a quotation in a reason


def remove_boilerplate(
    documents: Sequence[Document], least_documents: int
) -> tuple[list[Document], list[Reject]]:
    """Remove menus, footers, and licences from all documents but the first that has them.

    That is each paragraph, and each line that is not indented (as code is), of at least four words
    that is in so many documents. Case, spacing, and figures make no line another one: `Page 3 of 9`
    is one with `Page 4 of 9`. What goes leaves its line empty, so places in the source stay right.

    Args:
        documents: All documents, in the order of their ids.
        least_documents: How many documents make a line boilerplate.

    Returns:
        The documents, and for each that lost something what it lost.
    """
    spread = Counter(key for document in documents for key in _keys(document))
    waiting = {key for key, count in spread.items() if count >= least_documents}
    common = frozenset(waiting)
    kept: list[Document] = []
    rejects: list[Reject] = []
    for document in documents:
        first_told = _keys(document) & waiting
        waiting -= first_told
        removed: list[str] = []
        sections = [_strip(part, common - first_told, removed) for part in document.sections]
        kept.append(replace(document, sections=tuple(sections)) if removed else document)
        if removed:
            quoted = " ".join(removed[0].split())[:MOST_CHARACTERS]
            reason = f'boilerplate: {len(removed)} paragraphs or lines, "{quoted}" first'
            rejects.append(Reject(document.document_id, document.source, reason))
    return kept, rejects


@dataclass(frozen=True)
class _Unit:
    """A paragraph, or a line of one: its lines, first and behind the last, and what it says."""

    start: int
    end: int
    text: str

    @property
    def key(self) -> bytes:
        said = " ".join(re.sub(r"\d+", "0", self.text.casefold()).split())
        return blake2b(said.encode("utf-8", "surrogatepass"), digest_size=8).digest()


def _keys(document: Document) -> set[bytes]:
    return {unit.key for section in document.sections for unit in _units(section.text.split("\n"))}


def _units(lines: Sequence[str]) -> Iterator[_Unit]:
    """Yield each paragraph and then its lines, if they are long enough to be told apart."""
    start = 0
    for end in range(len(lines) + 1):
        if end < len(lines) and lines[end].strip():
            continue
        units = [_Unit(start, end, "\n".join(lines[start:end]))]
        units += [
            _Unit(number, number + 1, lines[number])
            for number in range(start, end)
            if not lines[number][0].isspace()
        ]
        yield from (unit for unit in units if len(unit.text.split()) >= LEAST_WORDS)
        start = end + 1


def _strip(section: Section, common: AbstractSet[bytes], removed: list[str]) -> Section:
    """Empty the lines of a section that are common; tell which these were."""
    lines = section.text.split("\n")
    done = 0
    for unit in list(_units(lines)):
        if unit.start >= done and unit.key in common:
            removed.append(unit.text)
            lines[unit.start : unit.end] = [""] * (unit.end - unit.start)
            done = unit.end
    return replace(section, text="\n".join(lines))
