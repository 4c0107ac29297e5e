"""The listing: which sources there are, and a hash of all that is behind them."""

import logging
import re
import uuid
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Protocol

from pydantic import BaseModel, ConfigDict

from ..contracts import BurnishError, fingerprint, writable
from ..core.text import Document, Reject
from .beir import Beir, find_corpus
from .clicks import fingerprint_clicks
from .collection import KNOWN, Collection
from .files import Page, suffix
from .folder import Folder
from .hub import OPTIONS as HUB_OPTIONS
from .hub import PREFIX, Hub, is_saved
from .inventory import MAX_FILE_BYTES, Inventory
from .judgments import fingerprint_judgments, has_judgments, judgment_place
from .names import check_secrets, is_remote, kind_of, local_path, printable, split_name
from .parse import KINDS
from .pydoc import Pydoc
from .remote import Remote
from .rows import TABLES
from .storage import open_storage

DOUBT = Path("memo", "doubt")

logger = logging.getLogger(__name__)


class Source(Protocol):
    """One kind of source. Opening one that cannot be read raises BurnishError."""

    def fingerprint(self, inventory: Inventory) -> str:
        """Hash all that decides what `read` yields."""

    def read(self, inventory: Inventory) -> Iterator[Document | Page | Reject]:
        """Yield documents, and pages to parse, in a stable order; and what had to be set aside."""


class Listing(BaseModel):
    """The sources of a corpus as they are now: it changes when any file behind them does."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    sources: tuple[str, ...]
    judged: tuple[str, ...] = ()
    """Folders that hold human questions and judgments, for `read_judgments`."""
    clicks: tuple[str, ...] = ()
    """Click logs, for `read_clicks`."""
    max_file_bytes: int = MAX_FILE_BYTES
    """Longest page, and longest row of a table, that is read."""
    content: str
    """Hash of what is behind the sources, and of nothing else."""
    fingerprint: str
    """The same in whatever order the sources are named; another one also when what is the same may
    be read better than before."""


def list_sources(
    sources: Sequence[str],
    questions: str | None = None,
    clicks: Sequence[str] = (),
    root: Path | None = None,
    *,
    max_file_bytes: int = MAX_FILE_BYTES,
) -> Listing:
    """Look at every source once, so that what cannot be read is said before anything starts.

    Args:
        sources: Folders, globs, files, URLs, `hf:<dataset>`, `pydoc:`, and `pydoc:<package>`; the
            columns of tables after `#`.
        questions: A folder with `queries.jsonl` and `qrels/*.tsv` about these documents, or
            `builtin:python` for the questions about Python that come with this package.
        clicks: Click logs about these documents.
        root: Folder of all nouns, where it is kept which files were hashed; without it all are.
        max_file_bytes: Longest page, and longest row of a table, that is read.

    Raises:
        BurnishError: there is no source, or one is missing, unknown, or without documents.
    """
    names, logs = _distinct(sources), _distinct(clicks)
    if not names:
        raise BurnishError(
            "There is no source of documents. Name at least one: a folder, a glob, or `pydoc:`."
        )
    hashed = _Hashing(root, max_file_bytes)
    seen = {fingerprint("documents", hashed("documents", name)) for name in names}
    folders = _find_judged(names, _distinct([questions or ""]))
    seen |= {fingerprint("judgments", hashed("judgments", name)) for name in folders}
    seen |= {fingerprint("clicks", hashed("clicks", name)) for name in logs}
    logger.info("sources: %d files hashed, %d known", hashed.new, hashed.known)
    content, doubt = fingerprint(sorted(seen)), root and root / DOUBT
    if doubt and doubt.exists():
        seen.add(fingerprint("doubt", doubt.read_text()))
    return Listing(
        sources=names,
        judged=folders,
        clicks=logs,
        max_file_bytes=max_file_bytes,
        content=content,
        fingerprint=fingerprint(sorted(seen)),
    )


def renew_doubt(root: Path) -> None:
    """Let no later listing pass for this one: what it gave lacks what another run may read."""
    with writable(root):
        file = root / DOUBT
        file.parent.mkdir(parents=True, exist_ok=True)
        unfinished = file.with_name(f"{uuid.uuid4().hex}.unfinished")
        unfinished.write_text(uuid.uuid4().hex)
        unfinished.replace(file)


def open_source(name: str) -> Source:
    """Return the source of this name, or say why there is none.

    Raises:
        BurnishError: nothing of this name can be read.
    """
    kind = kind_of(name)
    if kind == "pydoc":
        return Pydoc(name.partition(":")[2].strip())
    if kind == PREFIX.rstrip(":") and not is_remote(name):
        return Hub(name)
    if kind and not is_remote(name):
        raise BurnishError(
            f"The source {name} is of the unknown kind `{kind}:`. Known are folders, globs, files, "
            "URLs (`s3://…`, `https://…`), `hf:<dataset>`, and `pydoc:`."
        )
    place, options = split_name(name, {*KNOWN, *HUB_OPTIONS} if _is_saved(name) else KNOWN)
    if _is_saved(name):
        return Hub(name)
    if is_remote(place):
        open_storage(place)  # what is wrong with its name is said of the name
    is_folder = _may_be_folder(place)
    if is_folder and not options and find_corpus(place):
        return Beir(place)
    finder = Remote(place) if is_remote(place) else Folder(place)
    return Collection(finder, options, is_folder and has_judgments(place))


class _Hashing:
    """Hashes what is behind names, and counts the files that had to be read for it."""

    def __init__(self, root: Path | None, max_file_bytes: int) -> None:
        self._root = root
        self._max_file_bytes = max_file_bytes
        self.new = 0
        self.known = 0

    def __call__(self, what: str, name: str) -> str:
        try:
            with open_inventory(self._root, what, name, self._max_file_bytes) as inventory:
                found = _fingerprint(what, name, inventory)
        except OSError as error:
            raise BurnishError(
                f"{error.filename or name} cannot be read: {error.strerror or error}. Make it "
                "readable for this user."
            ) from error
        self.new += inventory.hashed
        self.known += inventory.recalled
        return found


def open_inventory(root: Path | None, what: str, name: str, max_file_bytes: int) -> Inventory:
    """Open what is known of the files behind a name."""
    return Inventory(root, f"{what} {name}", max_file_bytes)


def _fingerprint(what: str, name: str, inventory: Inventory) -> str:
    if what == "documents":
        return open_source(name).fingerprint(inventory)
    hashing = fingerprint_judgments if what == "judgments" else fingerprint_clicks
    return hashing(name, inventory)


def _find_judged(names: Sequence[str], questions: Sequence[str]) -> tuple[str, ...]:
    """Return the folders of questions: those of sources that have some, and those named."""
    places = [split_name(name, KNOWN | HUB_OPTIONS)[0] for name in names]
    judged = [place for place in places if _may_be_folder(place) and has_judgments(place)]
    # by place, or the same folder under two spellings would ask every question twice
    return tuple({judgment_place(name): name for name in [*judged, *questions]}.values())


def _distinct(names: Sequence[str]) -> tuple[str, ...]:
    found = tuple(dict.fromkeys(name.strip() for name in names if name.strip()))
    for name in found:
        check_secrets(name)
        if name != printable(name):
            raise BurnishError(
                f"The name {printable(name)!r} holds what cannot be printed. Rename it, or name "
                "the folder it is in."
            )
    return found


def _is_saved(name: str) -> bool:
    return not is_remote(name) and is_saved(local_path(name.rpartition("#")[0] or name))


def _may_be_folder(place: str) -> bool:
    """Tell whether a place may be a folder: no glob, no dataset, no file of a kind that is read."""
    kind = kind_of(place)
    if (kind and not is_remote(place)) or re.search(r"[*\[]", place):
        return False
    is_file = is_remote(place) and suffix(place.partition("::")[0]) in KINDS | TABLES
    return not is_file
