"""A folder in BEIR's layout: `corpus.jsonl`, and `queries.jsonl` with `qrels/<split>.tsv`."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from ..contracts import BurnishError, fingerprint
from ..core.text import Document, Reject, Section
from .files import field, hash_file, read_lines

BUILTIN = {"builtin:python": Path(__file__).parent.parent / "questions" / "python"}
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
class Beir:
    """The documents of a folder with `corpus.jsonl`: lines of `_id`, `title`, and `text`."""

    name: str

    def fingerprint(self) -> str:
        """Hash the corpus."""
        return fingerprint("corpus.jsonl", hash_file(self._file))

    def read(self) -> Iterator[Document | Reject]:
        """Yield a document per line; one with a title alone has it for its text."""
        place = f"{self.name.rstrip('/')}/corpus.jsonl"
        for item in read_lines(self._file, place):
            if isinstance(item, Reject):
                yield item
                continue
            number, value = item
            identifier, title = field(value, "_id", "id"), field(value, "title").strip()
            text = field(value, "text", "contents", "body") or title
            if not identifier:
                yield Reject(f"{place}:{number}", f"{place}:{number}", "no id: `_id` is blank")
            else:
                yield Document(identifier, title, (Section("", text, f"line {number}"),), place)

    @property
    def _file(self) -> Path:
        return Path(self.name).expanduser() / "corpus.jsonl"


@dataclass(frozen=True)
class Judgment:
    """A person's word that a document answers a query; `relevance` is above 0."""

    query_id: str
    document_id: str
    relevance: int
    split: str


@dataclass(frozen=True)
class Judgments:
    """What people asked, which documents answer it, and what of that could not be read."""

    queries: dict[str, str]
    judgments: tuple[Judgment, ...]
    rejects: tuple[Reject, ...]


def has_judgments(folder: Path) -> bool:
    """Tell whether a folder holds questions with judgments."""
    return (folder / "queries.jsonl").is_file() and any((folder / "qrels").glob("*.tsv"))


def judgment_folder(name: str | Path) -> Path:
    """Return the folder of this name, or say what it lacks.

    Raises:
        BurnishError: it has no `queries.jsonl` or no `qrels/*.tsv`.
    """
    folder = BUILTIN.get(str(name).strip()) or Path(str(name).strip()).expanduser()
    if not has_judgments(folder):
        raise BurnishError(
            f"There are no questions in {name}: it takes a folder with `queries.jsonl` (lines of "
            "`_id` and `text`) and `qrels/test.tsv` (query id, document id, relevance)"
            + (", or builtin:python." if not folder.is_dir() else ".")
        )
    return folder


def fingerprint_judgments(name: str | Path) -> str:
    """Hash the questions and judgments of a folder."""
    folder = judgment_folder(name)
    files = [folder / "queries.jsonl", *sorted((folder / "qrels").glob("*.tsv"))]
    return fingerprint([[file.name, hash_file(file)] for file in files])


def read_judgments(name: str | Path) -> Judgments:
    """Read the questions of a folder and the judgments of each split.

    `qrels/<split>.tsv` has BEIR's columns (query, document, relevance; under a header or not) or
    TREC's (query, iteration, document, relevance). A relevance of 0 or less is no answer and is
    left out. Whether the documents exist is not checked here.

    Args:
        name: A folder, or `builtin:python`.

    Raises:
        BurnishError: the folder has no questions or no judgments.
    """
    folder, shown = judgment_folder(name), str(name).strip().rstrip("/")
    rejects: list[Reject] = []
    queries: dict[str, str] = {}
    for item in read_lines(folder / "queries.jsonl", f"{shown}/queries.jsonl"):
        if isinstance(item, Reject):
            rejects.append(item)
            continue
        place = f"{shown}/queries.jsonl:{item[0]}"
        identifier, text = field(item[1], "_id", "id"), field(item[1], "text", "query")
        reason = _wrong_query(identifier, text, queries)
        if reason:
            rejects.append(Reject(identifier or place, place, reason))
        else:
            queries[identifier] = text.strip()
    judgments: list[Judgment] = []
    for file in sorted((folder / "qrels").glob("*.tsv")):
        for judged in _read_split(file, f"{shown}/qrels/{file.name}", queries):
            if isinstance(judged, Reject):
                rejects.append(judged)
            else:
                judgments.append(judged)
    return Judgments(queries, tuple(judgments), tuple(rejects))


def _wrong_query(identifier: str, text: str, queries: dict[str, str]) -> str:
    if not identifier:
        return "no id: `_id` is blank"
    if not text.strip():
        return "no text"
    return "id taken: by an earlier query" if identifier in queries else ""


def _read_split(file: Path, name: str, queries: dict[str, str]) -> Iterator[Judgment | Reject]:
    split = SPLITS.get(file.stem.lower())
    if split is None:
        yield Reject(name, name, "unknown split: name the file train.tsv, dev.tsv, or test.tsv")
        return
    seen: dict[tuple[str, str], int] = {}
    for number, raw in enumerate(file.read_bytes().split(b"\n"), start=1):
        line = raw.decode("utf-8-sig", "replace").strip()
        if not line or (number == 1 and _relevance(line.split()[-1]) is None):
            continue  # blank, or a header
        judged = _parse(line, split)
        reason = judged if isinstance(judged, str) else _wrong_judgment(judged, queries, seen)
        if reason:
            yield Reject(f"{name}:{number}", f"{name}:{number}", reason)
        elif isinstance(judged, Judgment):
            if judged.relevance > 0 and (judged.query_id, judged.document_id) not in seen:
                yield judged
            seen[judged.query_id, judged.document_id] = judged.relevance


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
    return Judgment(columns[0], columns[-2], relevance, split)


def _relevance(text: str) -> int | None:
    try:
        value = float(text)
    except ValueError:
        return None
    return int(value) if value.is_integer() else None
