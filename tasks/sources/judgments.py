"""What people asked of documents and which answer it, in BEIR's layout: here or behind a URL."""

from dataclasses import dataclass
from pathlib import Path

from ..contracts import BurnishError, fingerprint
from ..core.text import Reject
from .files import File
from .inventory import Inventory
from .names import is_remote, local_path, printable
from .places import find_file, find_files
from .qrels import SPLITS, Judgment, read_qrels
from .rows import read_rows, value

BUILTIN = {"builtin:python": Path(__file__).parent.parent / "questions" / "python"}
QUERIES = ("queries.jsonl", "queries.jsonl.gz")


@dataclass(frozen=True)
class Judgments:
    """What people asked, which documents answer it, and what of that could not be read."""

    queries: dict[str, str]
    judgments: tuple[Judgment, ...]
    rejects: tuple[Reject, ...]


def is_judgment(document_id: str) -> bool:
    """Tell whether a file below a folder with judgments belongs to them."""
    first = document_id.partition("/")[0]
    return first in QUERIES or first == "qrels"


def has_judgments(name: str) -> bool:
    """Tell whether a folder holds questions with judgments."""
    return bool(find_file(name, QUERIES) and _find_splits(name))


def judgment_place(name: str) -> str:
    """Return what is the same for two names of one folder of judgments."""
    if name in BUILTIN or is_remote(name):
        return name.rstrip("/")
    return str(local_path(name).resolve())


def check_judgments(name: str) -> None:
    """Check that there are questions behind a name.

    Raises:
        BurnishError: it has no `queries.jsonl` or no `qrels/*.tsv`.
    """
    folder = _folder(name)
    if not has_judgments(folder):
        is_folder = is_remote(folder) or local_path(folder).is_dir()
        raise BurnishError(
            f"There are no questions in {name}: it takes a folder with `queries.jsonl` (lines of "
            "`_id` and `text`) and `qrels/test.tsv` (query id, document id, relevance)"
            + ("." if is_folder else ", or builtin:python.")
        )


def fingerprint_judgments(name: str, inventory: Inventory | None = None) -> str:
    """Hash the questions and judgments of a folder.

    Raises:
        BurnishError: the folder has no questions or no judgments.
    """
    inventory = inventory or Inventory(None)
    check_judgments(name)
    queries = find_file(_folder(name), QUERIES)
    files = [*([queries] if queries else []), *_find_splits(_folder(name))]
    return fingerprint(sorted([file.document_id, file.identify(inventory)] for file in files))


def read_judgments(name: str | Path, inventory: Inventory | None = None) -> Judgments:
    """Read the questions of a folder and the judgments of each split.

    `qrels/<split>.tsv` has BEIR's columns (query, document, relevance; under a header or not) or
    TREC's (query, iteration, document, relevance). A relevance of 0 or less is no answer and is
    left out. Whether the documents exist is not checked here.

    Args:
        name: A folder, here or behind a URL, or `builtin:python`.
        inventory: Keeps copies of what is behind a URL.

    Raises:
        BurnishError: the folder has no questions or no judgments.
    """
    inventory = inventory or Inventory(None)
    check_judgments(str(name))
    folder = _folder(str(name))
    rejects: list[Reject] = []
    queries: dict[str, str] = {}
    found = find_file(folder, QUERIES)
    for item in read_rows(found, inventory) if found else ():
        if isinstance(item, Reject):
            rejects.append(Reject(item.source, item.source, item.reason))
            continue
        place = f"{str(name).strip().rstrip('/')}/queries.jsonl:{item.number}"
        identifier = printable(value(item.values, "_id", "id").strip())
        text = value(item.values, "text", "query")
        reason = _wrong_query(identifier, text, queries)
        if reason:
            rejects.append(Reject(identifier or place, place, reason))
        else:
            queries[identifier] = text.strip()
    judgments: list[Judgment] = []
    for file in _find_splits(folder):
        for judged in read_qrels(file, inventory, queries):
            if isinstance(judged, Reject):
                rejects.append(judged)
            else:
                judgments.append(judged)
    return Judgments(queries, tuple(judgments), tuple(rejects))


def _folder(name: str) -> str:
    name = name.strip()
    return str(BUILTIN.get(name, name))


def _find_splits(folder: str) -> list[File]:
    return find_files(folder, "qrels", ".tsv", SPLITS)


def _wrong_query(identifier: str, text: str, queries: dict[str, str]) -> str:
    if not identifier:
        return "no id: `_id` is blank"
    if not text.strip():
        return "no text"
    return "id taken: by an earlier query" if identifier in queries else ""
