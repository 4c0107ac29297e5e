"""The listing: which sources there are, and a hash of all that is behind them."""

import re
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Protocol

from pydantic import BaseModel, ConfigDict

from ..contracts import BurnishError, fingerprint
from ..core.text import Document, Page, Reject
from .beir import Beir, fingerprint_judgments, has_judgments, judgment_folder
from .folder import Folder
from .pydoc import Pydoc

NO_TEXT = "no text"


class Source(Protocol):
    """One kind of source. Opening one that cannot be read raises BurnishError."""

    def fingerprint(self) -> str:
        """Hash all that decides what `read` yields."""

    def read(self) -> Iterator[Document | Page | Reject]:
        """Yield the documents in a stable order, and what had to be set aside."""


class Listing(BaseModel):
    """The sources of a corpus as they are now: it changes when any file behind them does."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    sources: tuple[str, ...]
    judged: tuple[str, ...] = ()
    """Folders that hold human questions and judgments, for `read_judgments`."""
    fingerprint: str
    """The same in whatever order the sources are named."""


def list_sources(sources: Sequence[str], questions: str | None = None) -> Listing:
    """Look at every source once, so that what cannot be read is said before anything starts.

    Args:
        sources: `pydoc:`, `pydoc:<package>`, folders, globs, and files.
        questions: A folder with `queries.jsonl` and `qrels/*.tsv` about these documents, or
            `builtin:python` for the questions about Python that come with this package.

    Raises:
        BurnishError: there is no source, or one is missing, unknown, or without documents.
    """
    names = tuple(dict.fromkeys(name.strip() for name in sources if name.strip()))
    if not names:
        raise BurnishError(
            "There is no source of documents. Name at least one: a folder, a glob, or `pydoc:`."
        )
    try:
        seen = {fingerprint("documents", open_source(name).fingerprint()) for name in names}
        judged = [name for name in names if not _kind(name) and has_judgments(_folder(name))]
        judged += [questions.strip()] if questions and questions.strip() else []
        # by place, or the same folder under two spellings would ask every question twice
        distinct = {judgment_folder(name).resolve(): name for name in judged}
        seen |= {fingerprint("judgments", fingerprint_judgments(name)) for name in judged}
    except OSError as error:
        raise BurnishError(
            f"{error.filename} cannot be read: {error.strerror}. Make it readable for this user."
        ) from error
    return Listing(
        sources=names, judged=tuple(distinct.values()), fingerprint=fingerprint(sorted(seen))
    )


def read_sources(sources: Sequence[str]) -> Iterator[Document | Page | Reject]:
    """Read all sources; an id that is taken already, and a document without text, is set aside."""
    taken: dict[str, str] = {}
    for name in sources:
        for item in open_source(name).read():
            if isinstance(item, Reject):
                yield item
                continue
            place = _place(item)
            if not has_text(item):
                yield Reject(item.document_id, place, NO_TEXT)
            elif item.document_id in taken:
                yield Reject(item.document_id, place, f"id taken: by {taken[item.document_id]}")
            else:
                taken[item.document_id] = place
                yield item


def has_text(item: Document | Page) -> bool:
    """Tell whether there is anything to read but white space."""
    texts = [item.text] if isinstance(item, Page) else [part.text for part in item.sections]
    return any(text.strip() for text in texts)


def open_source(name: str) -> Source:
    """Return the source of this name, or say why there is none.

    Raises:
        BurnishError: nothing of this name can be read.
    """
    kind = _kind(name)
    if kind == "pydoc":
        return Pydoc(name.partition(":")[2].strip())
    if kind:
        raise BurnishError(
            f"The source {name} is of the unknown kind `{kind}:`. Known are `pydoc:`, folders, "
            "globs, and files; copy what lies elsewhere into a folder and name that."
        )
    return Beir(name) if (_folder(name) / "corpus.jsonl").is_file() else Folder(name)


def _folder(name: str) -> Path:
    return Path(name).expanduser()


def _kind(name: str) -> str:
    """Return the prefix of a source; a drive's letter (`C:`) and an existing path are none."""
    match = re.match(r"([A-Za-z][A-Za-z0-9+.-]+):", name)
    return match[1].lower() if match and not Path(name).exists() else ""


def _place(item: Document | Page) -> str:
    position = item.sections[0].position if isinstance(item, Document) and item.sections else ""
    line = re.fullmatch(r"line (\d+)", position)
    return f"{item.source}:{line[1]}" if line else item.source
