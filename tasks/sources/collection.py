"""A collection of files as a source: pages to parse, and tables whose rows are documents."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Protocol

from ..contracts import BurnishError, fingerprint
from ..core.text import Document, Reject
from .files import File, Page, why_unreadable
from .inventory import Inventory
from .judgments import is_judgment
from .names import told
from .parse import KINDS
from .rows import TABLES
from .tabular import COLUMNS, Columns, read_table, why_no_table


class Finder(Protocol):
    """What finds files: in folders of this machine, or behind a URL."""

    def find(self, most: int) -> Iterator[File | Reject]:
        """Yield the files in the order of their paths; pages of over `most` bytes are set aside."""

    def why_nothing(self) -> str:
        """Say why there is nothing to read."""


@dataclass(frozen=True)
class Collection:
    """All files of a folder, a glob, or a URL; `options` name the columns of tables."""

    finder: Finder
    options: Mapping[str, str]
    is_judged: bool = False
    """Whether `queries.jsonl` and `qrels` are questions about the documents."""

    def fingerprint(self, inventory: Inventory) -> str:
        """Hash names and contents of the files that are read; the others decide nothing.

        Raises:
            BurnishError: there is nothing to read, or no table has the columns wanted.
        """
        seen: list[list[str]] = []
        tables: list[File] = []
        for file in self._find(inventory):
            if isinstance(file, Reject):
                continue
            try:
                seen.append([file.document_id, file.kind, file.identify(inventory)])
            except OSError as error:
                seen.append([file.document_id, file.kind, why_unreadable(error)])
            if file.kind in TABLES:
                tables.append(file)
        if not seen:
            kinds = ", ".join(sorted(KINDS | TABLES))
            raise BurnishError(f"{self.finder.why_nothing()} Files that are read: {kinds}.")
        self._check_columns(tables, inventory, has_pages=len(tables) < len(seen))
        return fingerprint(sorted(seen), {key: self.options[key] for key in sorted(self.options)})

    def read(self, inventory: Inventory) -> Iterator[Document | Page | Reject]:
        """Yield every page as it was found, and a document per row of every table."""
        columns = Columns.choose(self.options)
        for file in self._find(inventory):
            if isinstance(file, Reject):
                yield file
                continue
            try:
                if file.kind not in TABLES:
                    yield Page(file, file.identify(inventory))
                    continue
                reason = why_no_table(file, columns, inventory)
                if reason:
                    yield Reject(file.document_id, file.place, reason)
                else:
                    yield from read_table(file, columns, inventory)
            except OSError as error:
                yield Reject(file.document_id, file.place, why_unreadable(error))

    def _find(self, inventory: Inventory) -> Iterator[File | Reject]:
        for found in self.finder.find(inventory.max_file_bytes):
            if not (self.is_judged and is_judgment(found.document_id)):
                yield found

    def _check_columns(self, tables: list[File], inventory: Inventory, *, has_pages: bool) -> None:
        """Refuse columns that no table has; where one has them, or none were named, it will do."""
        columns = Columns.choose(self.options)
        reasons: list[str] = []
        for table in tables:
            try:
                reason = why_no_table(table, columns, inventory)
            except OSError as error:
                reason = why_unreadable(error)
            if not reason:
                return
            reasons.append(f"{table.place} has {reason}")
        if reasons and (columns.named or not has_pages):
            raise BurnishError(f"{reasons[0]}. Name the columns so: `#id=…&title=…&text=…`.")
        if columns.named and not tables:
            raise BurnishError(
                f"There is no table to take the columns `{told(self.options)}` from; leave it out."
            )


KNOWN = frozenset(COLUMNS)
