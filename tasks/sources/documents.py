"""Documents of all sources, each parsed once for all runs."""

import logging
import re
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

from ..core.text import Document, Reject, Section
from .files import File, Page, title_of
from .listing import Listing, open_inventory, open_source, renew_doubt
from .parsed import PASSED, parse_pages

logger = logging.getLogger(__name__)

NO_TEXT = "no text"


def read_documents(
    listing: Listing, root: Path
) -> tuple[list[Document], list[Reject], dict[str, int]]:
    """Read all sources, and parse what was not parsed in an earlier run.

    An id that is taken already, and a document without text, is set aside; so is what was lost of
    a document that stays, as `<document_id> page 3`.

    Args:
        listing: The sources.
        root: Folder of all nouns, where parsed pages are kept.

    Returns:
        The documents in the order of their ids, whatever that of the sources; what was set aside;
        and the work it took: pages and rows `listed`, pages `parsed` and `known`, `rows`, files
        `hashed` again, and files whose encoding was `guessed`.
    """
    work = Counter(listed=0, parsed=0, known=0, rows=0, hashed=0, guessed=0)
    documents: list[Document] = []
    pages: list[Page] = []
    rejects: list[Reject] = []
    for item in _distinct(read_sources(listing, root, work)):
        if isinstance(item, Document):
            documents.append(item)
        elif isinstance(item, Page):
            pages.append(item)
        else:
            rejects.append(item)
    work["rows"] = len(documents)
    has_passed = False
    for page, parsed in parse_pages(pages, listing.max_file_bytes, root, work):
        built = _build(page.file, parsed, work)
        has_passed = has_passed or parsed["problem"].startswith(PASSED)
        if isinstance(built, Document):
            documents.append(built)
        else:
            rejects.append(built)
        rejects += _list_lost(page.file, parsed)
    if has_passed:
        renew_doubt(root)
    work["listed"] = len(pages) + work["rows"]
    logger.info("sources: %s", ", ".join(f"{count} {what}" for what, count in work.items()))
    return sorted(documents, key=lambda document: document.document_id), rejects, dict(work)


def _build(file: File, parsed: Mapping[str, Any], work: Counter[str]) -> Document | Reject:
    if parsed["guessed"]:
        work["guessed"] += 1
        logger.info("sources: %s is not UTF-8; read as %s", file.place, parsed["guessed"])
    if parsed["problem"]:
        reason = parsed["problem"].removeprefix(PASSED)
        return Reject(file.document_id, file.place, reason)
    title = parsed["title"] or title_of(file.document_id)
    sections = tuple(Section(**section) for section in parsed["sections"])
    document = Document(file.document_id, title, sections, file.place)
    return document if has_text(document) else Reject(file.document_id, file.place, NO_TEXT)


def _list_lost(file: File, parsed: Mapping[str, Any]) -> list[Reject]:
    return [
        Reject(f"{file.document_id} {part['place']}", file.place, part["reason"])
        for part in parsed["lost"]
    ]


def read_sources(
    listing: Listing, root: Path, work: Counter[str]
) -> Iterator[Document | Page | Reject]:
    """Read the sources one after another; `work` is told which files had to be hashed again."""
    for name in listing.sources:
        inventory = open_inventory(root, "documents", name, listing.max_file_bytes)
        yield from open_source(name).read(inventory)
        work["hashed"] += inventory.hashed
        work["guessed"] += len(inventory.guessed)
        for place, guessed in inventory.guessed.items():
            logger.info("sources: %s is not UTF-8; read as %s", place, guessed)


def has_text(document: Document) -> bool:
    """Tell whether there is anything to read but white space."""
    return any(section.text.strip() for section in document.sections)


def _distinct(items: Iterable[Document | Page | Reject]) -> Iterator[Document | Page | Reject]:
    """Set aside documents without text, and those whose id is taken."""
    taken: dict[str, str] = {}
    for item in items:
        if isinstance(item, Reject):
            yield item
            continue
        identifier = item.document_id if isinstance(item, Document) else item.file.document_id
        place = _place(item)
        if isinstance(item, Document) and not has_text(item):
            yield Reject(identifier, place, NO_TEXT)
        elif identifier in taken:
            yield Reject(identifier, place, f"id taken: by {taken[identifier]}")
        else:
            taken[identifier] = place
            yield item


def _place(item: Document | Page) -> str:
    if isinstance(item, Page):
        return item.file.place
    line = re.fullmatch(r"(?:line|row) (\d+)", item.sections[0].position)
    return f"{item.source}:{line[1]}" if line else item.source
