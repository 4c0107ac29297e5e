"""Click logs: which documents people opened after which queries, and how often."""

import math
from collections.abc import Iterator
from dataclasses import dataclass

from ..contracts import BurnishError, fingerprint
from ..core.text import Reject
from .files import File
from .inventory import Inventory
from .names import printable, split_name
from .places import find_file
from .qrels import SPLITS
from .rows import TABLES, Row, column_names, read_rows, value

COLUMNS = {
    "query": ("query", "text", "search"),
    "document": ("document", "document_id", "doc_id", "docid"),
    "times": ("times", "clicks", "count"),
    "split": ("split",),
}
REQUIRED = ("query", "document")


@dataclass(frozen=True)
class Click:
    """A document was opened after a query `times` times; `split` is empty if the log tells none."""

    query: str
    document_id: str
    times: int
    split: str = ""


def read_clicks(name: str, inventory: Inventory | None = None) -> Iterator[Click | Reject]:
    """Yield the rows of a click log in order, and what has to be set aside.

    Columns are `query`, `document`, and where there are any `times` (else each row counts once)
    and `split`; others are named in the log's name: `log.csv#query=q&document=url&times=n`.
    Nothing is summed up, and whether the documents exist is not checked here.

    Args:
        name: A file of CSV, TSV, JSON lines, or Parquet, here or behind a URL.
        inventory: Keeps copies of what is behind a URL.

    Raises:
        BurnishError: there is no such file, or a column is missing.
    """
    inventory = inventory or Inventory(None)
    file, columns = _open(name, inventory)
    for row in read_rows(file, inventory):
        if isinstance(row, Reject):
            yield row
        else:
            yield _click(file, row, columns)


def fingerprint_clicks(name: str, inventory: Inventory | None = None) -> str:
    """Hash a click log, and which of its columns are read.

    Raises:
        BurnishError: there is no such file, or a column is missing.
    """
    inventory = inventory or Inventory(None)
    file, columns = _open(name, inventory)
    return fingerprint("clicks", file.kind, file.identify(inventory), columns)


def _open(name: str, inventory: Inventory) -> tuple[File, dict[str, list[str]]]:
    place, options = split_name(name.strip(), COLUMNS)
    folder, _, last = place.rpartition("/")
    head, chain, rest = place.partition("::")
    if chain:
        folder, _, last = head.rpartition("/")
        folder += f"/{chain}{rest}"
    file = find_file(folder or ("/" if place.startswith("/") else "."), [last])
    if file is None or file.kind not in TABLES:
        fault = "is of a kind that is not read" if file else "is not there"
        raise BurnishError(
            f"The click log {printable(name)} {fault}. Name a file of "
            f"{', '.join(sorted(TABLES))} with the columns `query`, `document`, and `times`."
        )
    try:
        present = column_names(file, inventory)
    except (OSError, ValueError) as error:
        raise BurnishError(f"The click log {printable(name)} cannot be read: {error}.") from error
    columns = {key: [options[key]] if key in options else list(COLUMNS[key]) for key in COLUMNS}
    wanted = {key for key in COLUMNS if key in options} | set(REQUIRED)
    missing = sorted(key for key in wanted if not set(columns[key]) & set(present))
    if missing:
        raise BurnishError(
            f"The click log {printable(name)} has no column for {', '.join(missing)}; there are "
            f"{', '.join(map(printable, present)) or 'none'}. Name them: "
            "`#query=<column>&document=<column>&times=<column>`."
        )
    return file, columns


def _click(file: File, row: Row, columns: dict[str, list[str]]) -> Click | Reject:
    query = " ".join(value(row.values, *columns["query"]).split())
    document = printable(value(row.values, *columns["document"]).strip())
    given = next((row.values[name] for name in columns["times"] if name in row.values), 1)
    times = _times(given)
    told = value(row.values, *columns["split"]).strip().lower()
    reason = ""
    if not query or not document:
        reason = f"no {'document' if query else 'query'}: it is blank"
    elif times is None:
        reason = f"not a number of times: {printable(str(given))[:40]}"
    elif told and told not in SPLITS:
        reason = f"unknown split: {printable(told)[:40]}"
    if reason or times is None:
        number = f"{file.place}:{row.number}"
        return Reject(number, number, reason)
    return Click(query, document, times, SPLITS.get(told, ""))


def _times(given: object) -> int | None:
    """Return a whole number above 0; nothing if it is none."""
    try:
        number = float(given if isinstance(given, str | int | float) else "")
    except (ValueError, OverflowError):
        return None
    return int(number) if math.isfinite(number) and number >= 1 and number == int(number) else None
