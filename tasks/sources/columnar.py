"""Parquet as rows of text and numbers; a broken row costs itself alone, a bomb its table."""

from collections.abc import Iterator
from typing import Any, BinaryIO

import pyarrow as pa
import pyarrow.parquet as pq

BATCH_ROWS = 1024


def read_parquet(
    stream: BinaryIO, most: int, most_expanded: int
) -> Iterator[tuple[int, dict[str, Any] | str]]:
    """Yield each row's columns of text and numbers, or the reason why there is none.

    Text stays a dictionary until its row is asked for, so that one text in a million rows is held
    once.

    Args:
        stream: The file.
        most: Longest row in characters.
        most_expanded: Characters of all rows, beyond which it is taken for a bomb.

    Raises:
        pyarrow.ArrowException: it is damaged.
        OSError: it is damaged, or cannot be read.
    """
    schema = pq.ParquetFile(stream).schema_arrow
    names = list(dict.fromkeys(field.name for field in schema if _is_plain(field.type)))
    file = pq.ParquetFile(stream, read_dictionary=names)
    if _measure(file.metadata, names) > most_expanded:  # before Arrow makes room for it
        yield 1, "zip bomb: expands beyond reason"
        return
    number, left = 0, most_expanded
    for batch in file.iter_batches(batch_size=BATCH_ROWS, columns=names):
        for place in range(batch.num_rows):
            number += 1
            try:
                found = (column[place].as_py() for column in batch.columns)
                values = dict(zip(batch.schema.names, found, strict=True))
            except ValueError as error:  # text that is no UTF-8
                yield number, f"damaged: {shorten(error)}"
                continue
            size = sum(len(text) for text in values.values() if isinstance(text, str))
            left -= size
            if left < 0:
                yield number, "zip bomb: expands beyond reason; the rows from here on are not read"
                return
            yield number, f"too large: a row of {size:,}" if size > most else values


def shorten(error: BaseException) -> str:
    """Return the message of an error in a line."""
    return " ".join(str(error).split())[:200]


def _is_plain(kind: pa.DataType) -> bool:
    """Tell whether a column holds text or numbers; a date may be none that Python knows."""
    held = kind.value_type if pa.types.is_dictionary(kind) else kind
    return bool(
        pa.types.is_string(held)
        or pa.types.is_large_string(held)
        or pa.types.is_string_view(held)
        or pa.types.is_integer(held)
        or pa.types.is_floating(held)
    )


def _measure(metadata: pq.FileMetaData, names: list[str]) -> int:
    """Return the bytes of some columns, where a text that repeats may count once."""
    groups = map(metadata.row_group, range(metadata.num_row_groups))
    columns = (group.column(place) for group in groups for place in range(group.num_columns))
    return sum(c.total_uncompressed_size for c in columns if c.path_in_schema in names)
