"""Judgments in files: a query, a document, and how well it answers; BEIR's columns or TREC's."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from ..core.text import Reject
from .files import File
from .inventory import Inventory
from .lines import Lines
from .names import printable

SPLITS = {
    "train": "train",
    "dev": "dev",
    "val": "dev",
    "valid": "dev",
    "validation": "dev",
    "test": "test",
}
HIGHEST_RELEVANCE = 127  # what Pairs can hold


@dataclass(frozen=True)
class Judgment:
    """A person's word that a document answers a query; `relevance` is above 0."""

    query_id: str
    document_id: str
    relevance: int
    split: str


def read_qrels(
    file: File, inventory: Inventory, queries: dict[str, str]
) -> Iterator[Judgment | Reject]:
    """Yield the judgments of a file whose name is that of a split, and what has to be set aside.

    Raises:
        OSError: it cannot be read.
    """
    split = SPLITS.get(Path(file.document_id).stem.lower())
    if split is None:
        reason = "unknown split: name the file train.tsv, dev.tsv, or test.tsv"
        yield Reject(file.place, file.place, reason)
        return
    seen: dict[tuple[str, str], int] = {}
    with file.nearby(inventory).open() as stream:
        for number, text, problem in Lines(stream, inventory.max_file_bytes):
            line, place = text.strip(), f"{file.place}:{number}"
            if (not line and not problem) or (number == 1 and _is_header(line)):
                continue
            judged = problem or _parse(line, split)
            reason = judged if isinstance(judged, str) else _wrong_judgment(judged, queries, seen)
            if reason:
                yield Reject(place, place, reason)
            elif isinstance(judged, Judgment):
                if judged.relevance > 0 and (judged.query_id, judged.document_id) not in seen:
                    yield judged
                seen[judged.query_id, judged.document_id] = judged.relevance


def _is_header(line: str) -> bool:
    return bool(line) and _relevance(line.split()[-1]) is None


def _wrong_judgment(
    judged: Judgment, queries: dict[str, str], seen: dict[tuple[str, str], int]
) -> str:
    if judged.query_id not in queries:
        return f"unknown query: {judged.query_id}"
    before = seen.get((judged.query_id, judged.document_id), judged.relevance)
    return "" if before == judged.relevance else "judged twice: the first judgment holds"


def _parse(line: str, split: str) -> Judgment | str:
    columns = [column.strip() for column in re.split(r"\t" if "\t" in line else r"\s+", line)]
    if len(columns) not in (3, 4) or not all(columns):
        return f"not a judgment: {len(columns)} columns where 3 or 4 are wanted"
    relevance = _relevance(columns[-1])
    if relevance is None or relevance > HIGHEST_RELEVANCE:
        return f"not a relevance: {columns[-1]} (a whole number up to {HIGHEST_RELEVANCE})"
    return Judgment(printable(columns[0]), printable(columns[-2]), relevance, split)


def _relevance(text: str) -> int | None:
    try:
        value = float(text)
    except ValueError:
        return None
    return int(value) if value.is_integer() else None
