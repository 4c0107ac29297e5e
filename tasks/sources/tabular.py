"""Files of rows as documents: which columns hold the id, the title, and the text."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from ..contracts import fingerprint
from ..core.text import Document, Reject, Section
from .files import File
from .inventory import Inventory
from .names import printable
from .rows import Row, column_names, read_rows, value

COLUMNS = {
    "id": ("id", "_id"),
    "title": ("title",),
    "text": ("text", "contents", "content", "body"),
}


@dataclass(frozen=True)
class Columns:
    """The names of the columns that documents are made of; the first that holds something is it."""

    id: tuple[str, ...] = COLUMNS["id"]
    title: tuple[str, ...] = COLUMNS["title"]
    text: tuple[str, ...] = COLUMNS["text"]
    named: tuple[str, ...] = ()
    """Those that the source's name asks for; they must be there."""
    has_own_id: bool = False
    """Whether the source's name tells the column of ids."""

    @classmethod
    def choose(cls, options: Mapping[str, str]) -> "Columns":
        """Take the columns that a source's name tells, and the usual names for the others."""
        chosen = {key: (options[key],) for key in COLUMNS if key in options}
        named = tuple(name for (name,) in chosen.values())
        return cls(**chosen, named=named, has_own_id="id" in chosen)

    def why_not(self, present: list[str]) -> str:
        """Say which column is missing among those there are; empty if none is."""
        there = f"there are {', '.join(map(printable, present)) or 'none'}"
        missing = [name for name in self.named if name not in present]
        if missing:
            return f"no column {', '.join(missing)}: {there}"
        if not set(self.text) & set(present):
            return f"no column of text: {there}; name one by `#text=<column>`"
        return ""

    def document(self, row: Row, prefix: str, place: str) -> Document | Reject:
        """Make a document of a row.

        A row without an id is named by a hash of its content, so that it keeps its name when rows
        come and go before it. An id is taken as it is if its column was named, for then questions
        and clicks know it; else it stands behind the file's name, for two files may both have a
        row 1.
        """
        title, text = value(row.values, *self.title).strip(), value(row.values, *self.text)
        identifier = printable(value(row.values, *self.id).strip())
        if not identifier:
            name = f"{prefix}:{fingerprint(title, text)[:12]}"
        else:
            name = identifier if self.has_own_id else f"{prefix}:{identifier}"
        if not text.strip() and not title:
            told = ", ".join(f"`{name}`" for name in self.text)
            return Reject(f"{prefix}:{row.number}", f"{place}:{row.number}", f"no text: {told}")
        return Document(name, title, (Section("", text or title, row.position),), place)


def why_no_table(file: File, columns: Columns, inventory: Inventory) -> str:
    """Say why a file of rows cannot be read as documents; empty if it can.

    Raises:
        OSError: it cannot be read.
    """
    try:
        present = column_names(file, inventory)
    except ValueError as error:
        return str(error)
    # of lines that are all broken each shall tell its own reason
    return columns.why_not(present) if present else ""


def read_table(file: File, columns: Columns, inventory: Inventory) -> Iterator[Document | Reject]:
    """Yield a document per row.

    Raises:
        OSError: it cannot be read.
    """
    is_empty = True
    for item in read_rows(file, inventory):
        is_empty = False
        if isinstance(item, Reject):
            yield item
        else:
            yield columns.document(item, file.document_id, file.place)
    if is_empty:
        yield Reject(file.document_id, file.place, "no rows")
