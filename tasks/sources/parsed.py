"""Pages become titles and sections, each once for all runs, a few at once."""

import hashlib
import itertools
from collections import Counter, defaultdict, deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from importlib.metadata import version
from pathlib import Path
from typing import Any, NamedTuple, TypeVar

import pyarrow as pa

from ..contracts import fingerprint
from ..engines import find_engine, spread
from ..memo import Memo
from ..progress import progress
from ..stage import fingerprint_code
from . import encoding, parse
from .encoding import decode
from .files import LocalFile, Page, load, why_unreadable

CHANGED = "changed while it was read"
PASSED = "passed: "  # begins a problem that another run may not meet
AHEAD_FILES = 4  # parsed at once, each in a process of its own
AHEAD_BYTES = 1 << 26  # what these may hold together, unless one alone is larger
BATCH_RESULTS = 1024
# Sent to an engine's node at once: enough to be worth the way, little enough to be lost with it.
PART_PAGES = 32
PART_BYTES = 1 << 22  # unless one page alone is larger


def _texts(*names: str) -> pa.StructType:
    return pa.struct([(name, pa.string()) for name in names])


SECTIONS = pa.list_(_texts("heading", "text", "position"))
LOST = pa.list_(_texts("place", "reason"))
PARSED = pa.struct(
    [
        ("title", pa.string()),
        ("sections", SECTIONS),
        ("lost", LOST),  # parts of it
        ("problem", pa.string()),
        ("guessed", pa.string()),  # its encoding, if that had to be guessed
    ]
)


class Loaded(NamedTuple):
    """A page that was read: its bytes, or the problem with it."""

    kind: str
    content: bytes
    problem: str


Result = TypeVar("Result")


def parse_pages(
    pages: list[Page], most: int, root: Path, work: Counter[str]
) -> Iterator[tuple[Page, dict[str, Any]]]:
    """Parse pages; one that is known is neither read nor parsed again."""
    alike: dict[str, list[Page]] = defaultdict(list)
    for page in pages:
        alike[fingerprint(page.file.kind, page.identity)].append(page)
    settings = {
        "libraries": {**parse.LIBRARIES, "charset-normalizer": version("charset-normalizer")},
        "code": fingerprint_code(parse, encoding),
    }
    memo = Memo(root, "documents", settings, PARSED)

    engine = find_engine()

    def compute(items: list[Page]) -> Iterator[dict[str, Any]]:
        if engine is None or len(items) <= PART_PAGES:
            return _ahead(items, lambda page: _read(page, most))
        loaded = _ahead(items, lambda page: _load(page, most))
        sent = ((part,) for part in _pack(loaded))
        libraries = [*parse.LIBRARIES, "charset-normalizer"]
        found = spread(engine, parse_part, sent, what="parsing", libraries=libraries)
        return itertools.chain.from_iterable(found)

    at_once = 256 if engine is None else 256 * PART_PAGES  # what nodes are kept busy with
    with progress("parse", len(alike), "documents") as advance:
        firsts = {key: same[0] for key, same in alike.items()}
        results = memo.fill(firsts, compute, part_items=at_once, advance=advance)
    work["known"] += len(pages) - memo.computed
    for start in range(0, len(results), BATCH_RESULTS):
        batch = results.slice(start, BATCH_RESULTS).to_pylist()
        keys = itertools.islice(alike, start, start + BATCH_RESULTS)
        for key, parsed in zip(keys, batch, strict=True):
            if parsed["problem"].startswith(PASSED):
                parsed, is_again = _settle(memo, key, alike[key][0], compute)
                work["known"] -= is_again
            for page in alike[key]:
                is_other = parsed["problem"] == PASSED + CHANGED
                yield page, _read(page, most, again=True) if is_other else parsed
    work["parsed"] += memo.computed


def _settle(
    memo: Memo, key: str, page: Page, compute: Callable[[list[Page]], Iterator[dict[str, Any]]]
) -> tuple[dict[str, Any], bool]:
    """Read a page once more in each run until it is read; then that is kept.

    Returns:
        What was found, and whether another run had failed at it and this one read it again.
    """
    for number in itertools.count(1):
        before = memo.computed
        (parsed,) = memo.fill({f"{key} {number}": page}, compute).to_pylist()
        is_new = memo.computed > before
        if is_new or not parsed["problem"].startswith(PASSED):
            break
    return parsed, is_new and number > 1


def parse_part(loaded: list[Loaded], packed: None = None) -> list[dict[str, Any]]:
    """Parse pages that were read elsewhere, in order; what could not be read stays as it is."""
    return [_parse(*one) for one in loaded]


def _read(page: Page, most: int, *, again: bool = False) -> dict[str, Any]:
    """Read and parse a page; see `_load`."""
    return _parse(*_load(page, most, again=again))


def _load(page: Page, most: int, *, again: bool = False) -> Loaded:
    """Read a page; a problem that may pass begins with `PASSED`.

    Args:
        page: The page.
        most: Longest in bytes that is read.
        again: Whether it was found changed before; then it is taken as it is now.
    """
    kind = page.file.kind
    try:
        content = load(page.file, most)
    except OSError as error:
        return Loaded(kind, b"", PASSED + why_unreadable(error))
    except ValueError as error:  # it has grown
        return Loaded(kind, b"", PASSED + str(error))
    is_local = isinstance(page.file, LocalFile)
    if is_local and not again and hashlib.sha256(content).hexdigest() != page.identity:
        return Loaded(kind, b"", PASSED + CHANGED)
    return Loaded(kind, content, "")


def _parse(kind: str, content: bytes, problem: str) -> dict[str, Any]:
    parsed = {"title": "", "sections": [], "lost": [], "problem": problem, "guessed": ""}
    if problem:
        return parsed
    try:
        if kind not in parse.BINARY:
            decoded = decode(content)
            content, parsed["guessed"] = decoded.text.encode(), decoded.guessed
        title, sections, lost = parse.parse_page(kind, content, "")
    except parse.Passing as error:  # the machine's fault, not the page's
        return {**parsed, "problem": PASSED + str(error)}
    except ValueError as error:
        return {**parsed, "problem": str(error)}
    told = [part._asdict() for part in lost]
    return {**parsed, "title": title, "sections": list(map(vars, sections)), "lost": told}


def _pack(pages: Iterable[Loaded]) -> Iterator[list[Loaded]]:
    """Gather pages into parts for nodes."""
    part: list[Loaded] = []
    held = 0
    for page in pages:
        if part and (len(part) == PART_PAGES or held + len(page.content) > PART_BYTES):
            yield part
            part, held = [], 0
        part.append(page)
        held += len(page.content)
    if part:
        yield part


def _ahead(pages: list[Page], read: Callable[[Page], Result]) -> Iterator[Result]:
    """Read pages a few at once, in order, as long as together they are not too large."""
    waiting: deque[tuple[Future[Result], int]] = deque()
    held = 0
    with ThreadPoolExecutor(AHEAD_FILES) as threads:
        for page in pages:
            size = page.file.size or 0
            while waiting and (len(waiting) >= AHEAD_FILES or held + size > AHEAD_BYTES):
                future, freed = waiting.popleft()
                held -= freed
                yield future.result()
            waiting.append((threads.submit(read, page), size))
            held += size
        while waiting:
            yield waiting.popleft()[0].result()
