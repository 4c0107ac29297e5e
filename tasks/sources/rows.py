"""Rows of files of rows: JSON lines, CSV, TSV, and Parquet; a broken row costs itself alone."""

import gzip
import itertools
import json
import os
import zlib
from collections.abc import Iterable, Iterator
from typing import Any, BinaryIO, NamedTuple, cast

import pyarrow as pa
import pyarrow.parquet as pq

from ..core.text import Reject
from .columnar import read_parquet, shorten
from .delimited import read_delimited
from .files import COMPRESSED, File
from .inventory import Inventory
from .lines import Line, Lines

JSON_LINES = frozenset({".jsonl", ".ndjson"})
DELIMITED = frozenset({".csv", ".tsv"})
TABLES = (
    JSON_LINES
    | DELIMITED
    | {".parquet"}
    | {f"{kind}{COMPRESSED}" for kind in JSON_LINES | DELIMITED}
)
# Of a table's bytes on disk, before it is taken for a bomb; text is 3 to 30.
MAX_EXPANSION = 100
PEEK_ROWS = 100  # JSON lines need not all have the same fields


class Row(NamedTuple):
    """A row: its number from 1 (of its line, in text), its position for a person, its values."""

    number: int
    position: str
    values: dict[str, Any]


def read_rows(file: File, inventory: Inventory) -> Iterator[Row | Reject]:
    """Yield the rows of a file in order; what is set aside is named `<file>:<number>`.

    Args:
        file: A file whose kind is in `TABLES`.
        inventory: Knows how long a row may be, and is told of an encoding that was guessed.

    Raises:
        OSError: the file cannot be read at all.
    """
    number = 0
    try:
        with file.nearby(inventory).open() as stream:
            for item in _read(file, stream, inventory):
                number = item[0]
                if isinstance(item, Row):
                    yield item
                else:
                    yield aside(file, *item)
    except (pa.ArrowException, zlib.error, gzip.BadGzipFile, EOFError) as error:
        yield aside(file, number + 1, f"damaged: {shorten(error)}")
    except OSError as error:
        if error.errno:
            raise
        yield aside(file, number + 1, f"damaged: {shorten(error)}")  # Arrow's, of a damaged page


def column_names(file: File, inventory: Inventory) -> list[str]:
    """Return the columns of a file of rows; of JSON lines, the fields of the first hundred.

    Raises:
        OSError: the file cannot be read.
        ValueError: it is damaged; the message is the reason to set it aside.
    """
    if file.kind == ".parquet":
        try:
            with file.nearby(inventory).open() as stream:
                return list(pq.ParquetFile(stream).schema_arrow.names)
        except pa.ArrowException as error:
            raise ValueError(f"damaged: {shorten(error)}") from error
    rows = itertools.islice(read_rows(file, inventory), PEEK_ROWS)
    return list(dict.fromkeys(name for row in rows if isinstance(row, Row) for name in row.values))


def value(values: dict[str, Any], *names: str) -> str:
    """Return the first of these fields that holds text or a whole number; empty if none does."""
    for name in names:
        found = values.get(name)
        if isinstance(found, str) and found.strip():
            # JSON can spell half a surrogate pair, which no encoding of text can hold.
            return found.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
        if isinstance(found, int) and not isinstance(found, bool):
            return str(found)
    return ""


def aside(file: File, number: int, reason: str) -> Reject:
    """Set a row of a file aside."""
    return Reject(f"{file.document_id}:{number}", f"{file.place}:{number}", reason)


def _read(file: File, stream: BinaryIO, inventory: Inventory) -> Iterator[Row | tuple[int, str]]:
    kind, most = file.kind, inventory.max_file_bytes
    if kind == ".parquet":
        for number, found in read_parquet(stream, most, _most_expanded(stream, most)):
            yield (number, found) if isinstance(found, str) else Row(number, f"row {number}", found)
        return
    if kind.endswith(COMPRESSED):
        stream = cast(BinaryIO, _Bounded(stream, _most_expanded(stream, most)))
    if kind.removesuffix(COMPRESSED) in JSON_LINES:
        yield from _read_json(Lines(stream, most))
        return
    lines = Lines(stream, most, may_guess=True)
    if lines.guessed:
        inventory.guessed[file.place] = lines.guessed
    for number, found in read_delimited(lines, "\t" if kind.startswith(".tsv") else "", most):
        yield (number, found) if isinstance(found, str) else Row(number, f"line {number}", found)


def _most_expanded(stream: BinaryIO, most: int) -> int:
    return most + MAX_EXPANSION * os.fstat(stream.fileno()).st_size


class _Bounded(gzip.GzipFile):
    """A compressed stream that ends as a damaged one does where it expands beyond reason."""

    def __init__(self, stream: BinaryIO, most: int) -> None:
        super().__init__(fileobj=stream)
        self._most_expanded = most

    def read(self, size: int | None = -1) -> bytes:
        found = super().read(size)
        if self.tell() > self._most_expanded:
            raise zlib.error(f"zip bomb: expands beyond {self._most_expanded:,} bytes")
        return found


def _read_json(lines: Iterable[Line]) -> Iterator[Row | tuple[int, str]]:
    for number, text, problem in lines:
        if problem:
            yield number, problem
        elif text.strip():
            found = _parse_json(text.strip())
            yield (
                (number, found) if isinstance(found, str) else Row(number, f"line {number}", found)
            )


def _parse_json(text: str) -> dict[str, Any] | str:
    try:
        found = json.loads(text)
    except json.JSONDecodeError as error:
        return f"not JSON: {error.msg} (column {error.colno})"
    except (ValueError, RecursionError) as error:  # a number or a nest beyond limits
        return f"not JSON: {error}"
    return found if isinstance(found, dict) else f"not an object: {type(found).__name__}"
