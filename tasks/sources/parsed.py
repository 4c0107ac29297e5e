"""Pages become titles and sections, each once for all runs, a few at once."""

import hashlib
import itertools
from collections import Counter, defaultdict, deque
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from importlib.metadata import version
from pathlib import Path
from typing import Any

import pyarrow as pa

from ..contracts import fingerprint
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

    def compute(items: list[Page]) -> Iterator[dict[str, Any]]:
        return _ahead(items, lambda page: _read(page, most))

    with progress("parse", len(alike), "documents") as advance:
        firsts = {key: same[0] for key, same in alike.items()}
        results = memo.fill(firsts, compute, part_items=256, advance=advance)
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


def _read(page: Page, most: int, *, again: bool = False) -> dict[str, Any]:
    """Read and parse a page; a problem that may pass begins with `PASSED`.

    Args:
        page: The page.
        most: Longest in bytes that is read.
        again: Whether it was found changed before; then it is taken as it is now.
    """
    parsed = {"title": "", "sections": [], "lost": [], "problem": "", "guessed": ""}
    try:
        content = load(page.file, most)
    except OSError as error:
        return {**parsed, "problem": PASSED + why_unreadable(error)}
    except ValueError as error:  # it has grown
        return {**parsed, "problem": PASSED + str(error)}
    is_local = isinstance(page.file, LocalFile)
    if is_local and not again and hashlib.sha256(content).hexdigest() != page.identity:
        return {**parsed, "problem": PASSED + CHANGED}
    try:
        if page.file.kind not in parse.BINARY:
            decoded = decode(content)
            content, parsed["guessed"] = decoded.text.encode(), decoded.guessed
        title, sections, lost = parse.parse_page(page.file.kind, content, "")
    except parse.Passing as error:  # the machine's fault, not the page's
        return {**parsed, "problem": PASSED + str(error)}
    except ValueError as error:
        return {**parsed, "problem": str(error)}
    told = [part._asdict() for part in lost]
    return {**parsed, "title": title, "sections": list(map(vars, sections)), "lost": told}


def _ahead(pages: list[Page], read: Callable[[Page], dict[str, Any]]) -> Iterator[dict[str, Any]]:
    """Read pages a few at once, in order, as long as together they are not too large."""
    waiting: deque[tuple[Future[dict[str, Any]], int]] = deque()
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
