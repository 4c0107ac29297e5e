"""Documents of all sources, each parsed once for all runs."""

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import pyarrow as pa

from ..contracts import fingerprint
from ..core.text import Document, Page, Reject, Section
from ..memo import Memo
from ..progress import progress
from ..stage import fingerprint_code
from . import parse
from .listing import NO_TEXT, has_text, read_sources


def _texts(*names: str) -> pa.StructType:
    return pa.struct([(name, pa.string()) for name in names])


SECTIONS = pa.list_(_texts("heading", "text", "position"))
PARSED = pa.struct([("title", pa.string()), ("sections", SECTIONS), ("problem", pa.string())])


def read_documents(sources: Sequence[str], root: Path) -> tuple[list[Document], list[Reject]]:
    """Read all sources, and parse what was not parsed in an earlier run.

    Args:
        sources: Names of sources.
        root: Folder of all nouns, where parsed pages are kept.

    Returns:
        The documents in the order of their ids, whatever that of the sources, and what was set
        aside.
    """
    documents: list[Document] = []
    pages: list[Page] = []
    rejects: list[Reject] = []
    for item in read_sources(sources):
        if isinstance(item, Document):
            documents.append(item)
        elif isinstance(item, Page):
            pages.append(item)
        else:
            rejects.append(item)
    for page, parsed in zip(pages, _parse(pages, root), strict=True):
        sections = tuple(Section(**section) for section in parsed["sections"])
        document = Document(page.document_id, parsed["title"] or page.title, sections, page.source)
        if parsed["problem"] or not has_text(document):
            reason = parsed["problem"] or NO_TEXT
            rejects.append(Reject(page.document_id, page.source, reason))
        else:
            documents.append(document)
    return sorted(documents, key=lambda document: document.document_id), rejects


def _parse(pages: list[Page], root: Path) -> list[dict[str, Any]]:
    """Parse pages; one that is known is not parsed again."""

    def compute(items: list[Page]) -> Iterator[dict[str, Any]]:
        for page in items:
            try:
                title, sections = parse.parse_page(page)
                yield {"title": title, "sections": list(map(vars, sections)), "problem": ""}
            except ValueError as error:
                yield {"title": "", "sections": [], "problem": str(error)}

    keys = [fingerprint(page.kind, page.text) for page in pages]
    items = dict(zip(keys, pages, strict=True))
    settings = {"libraries": parse.LIBRARIES, "code": fingerprint_code(parse)}
    memo = Memo(root, "documents", settings, PARSED)
    with progress("parse", len(items), "documents") as advance:
        results = memo.fill(items, compute, part_items=256, advance=advance).to_pylist()
    known = dict(zip(items, results, strict=True))
    return [known[key] for key in keys]
