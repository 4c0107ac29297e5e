"""Columns of tables, as many at a time as are needed."""

from collections import Counter
from collections.abc import Collection, Iterator, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from ..contracts import PART, Table
from .legible import shorten

if TYPE_CHECKING:
    import numpy as np

ROWS_AT_ONCE = 2048
MAX_EXAMPLE = 80  # characters


def stream(table: Table, names: Sequence[str]) -> Iterator[pa.RecordBatch]:
    """Yield batches of some columns: a table larger than memory is only ever seen in parts."""
    with pq.ParquetFile(table.check().path / PART) as file:
        for group in range(file.num_row_groups):  # of all groups at once it would keep each
            yield from file.iter_batches(ROWS_AT_ONCE, row_groups=[group], columns=list(names))


def read_rows(
    table: Table, names: Sequence[str], key: str, values: Collection[str]
) -> Iterator[dict[str, Any]]:
    """Yield the rows whose `key` is one of `values`, of the columns `names`."""
    wanted = pa.array(sorted(values), pa.string())
    for batch in stream(table, names):
        yield from batch.filter(pc.is_in(batch.column(key), wanted)).to_pylist()


def count_words(texts: pa.Array) -> "np.ndarray":
    """Count what white space separates, (texts,) int32."""
    counts: np.ndarray = pc.count_substring_regex(texts, r"\S+").to_numpy()
    return counts


class Aside(NamedTuple):
    """What was set aside for one kind of reason: how many, and the first few with the details."""

    kind: str
    times: int
    examples: tuple[str, ...]


def count_rejects(table: Table, examples: int = 3) -> list[Aside]:
    """Count what was set aside by kind of reason, the largest first.

    A reason is `kind`, or `kind: details`, or names what the item is the same `as`.
    """
    counts: Counter[str] = Counter()
    shown: dict[str, list[str]] = {}
    for reject in table.read_rejects().to_pylist():
        kind, details = part_reason(reject["reason"])
        counts[kind] += 1
        found = shown.setdefault(kind, [])
        if len(found) < examples:
            item = shorten(reject["item"], MAX_EXAMPLE)
            found.append(f"{item} ({shorten(details, MAX_EXAMPLE)})" if details else item)
    return [Aside(kind, count, tuple(shown[kind])) for kind, count in counts.most_common()]


def part_reason(reason: str) -> tuple[str, str]:
    """Part what a reason has in common with others from what it has of its own.

    >>> part_reason("same text as guide.md#2"), part_reason("unknown document: a:b")
    (('same text', 'guide.md#2'), ('unknown document', 'a:b'))
    """
    places = [(reason.find(mark), mark) for mark in (":", " as ") if mark in reason]
    if not places:
        return reason, ""
    place, mark = min(places)
    return reason[:place], reason[place + len(mark) :].strip()
