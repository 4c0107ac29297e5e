"""Lists of queries as chat models write them, however they are wrapped."""

import contextlib
import json
import re
from collections.abc import Iterator
from itertools import islice
from typing import Any

from .kinds import KINDS, Kind, tell_kind

_NAMES = ("queries", "query", "questions", "question", "text")
THOUGHT = re.compile(r"<think(?:ing)?>.*?(?:</think(?:ing)?>|\Z)", re.DOTALL | re.IGNORECASE)
_MARK = re.compile(r"\s*(?:[-*\u2022\u2013]|\(?\d{1,2}[.):]|Q\d*[.):])\s+", re.IGNORECASE)
_LABEL = re.compile(
    r"[\s*_(\[]*(keyword|question|situation)s?[\s*_)\]]*[:\u2013\u2014-][\s*_]+", re.IGNORECASE
)
_QUOTES = " \t\"'`\u201c\u201d\u2018\u2019\u00ab\u00bb"
_BETWEEN = re.compile(r"[\s,;`]*")
# Halves of characters, which no file can hold, and controls, which no person types.
_UNTYPED = re.compile(r"[\x00-\x1f\x7f-\x9f\ud800-\udfff]+")

LONGEST = 100_000  # characters of an answer worth reading
_STARTS = 20  # brackets in what a model says before its list
_OPENED = 3  # faulty arrays in one another


def parse_answer(answer: str) -> list[tuple[Kind, str]]:
    r"""Find the queries in an answer: a JSON array, objects with queries, or a list of lines.

    Thoughts, fences, bullets, and what is said around a list are left out; of an array that was
    cut off, what was finished counts.

    Returns:
        Kind and query in order, none twice; by its form where the answer tells no kind; empty if
        the answer is no list of queries.

    >>> parse_answer('Sure! ```json\n[{"kind": "keywords", "query": "lock a file"}, "why wait"]')
    [('keywords', 'lock a file'), ('question', 'why wait')]
    >>> parse_answer("Here they are:\n1. lock a file\n2. **Situation:** everybody waits")
    [('keywords', 'lock a file'), ('situation', 'everybody waits')]
    >>> parse_answer("I cannot help with that.")
    []
    """
    text = THOUGHT.sub("", answer[:LONGEST]).strip()
    found = _from_json(text)
    if found is None:
        found = [_labelled(line) for line in _from_lines(text)]
    parsed: dict[str, tuple[Kind, str]] = {}
    for kind, query in found:
        tidy = " ".join(_UNTYPED.sub(" ", query).replace("**", "").strip(_QUOTES).split())
        if tidy:
            parsed.setdefault(tidy.lower(), (kind or tell_kind(tidy), tidy))
    return list(parsed.values())


def _from_json(text: str) -> list[tuple[Kind | None, str]] | None:
    """Read the queries of the first JSON in a text that holds any; none if there is no JSON."""
    starts = [found.start() for found in islice(re.finditer(r"[\[{]", text), _STARTS)]
    for start in starts:
        pairs = []
        with contextlib.suppress(RecursionError):  # brackets in brackets, a thousand deep
            pairs = [pair for value in _values(text, start) for pair in _queries_of(value, None)]
        if pairs:
            return pairs
    is_cut_off = any(re.match(r'[\[{]\s*["{]', text[start:]) for start in starts[:1])
    return [] if is_cut_off else None


def _values(text: str, start: int) -> Iterator[Any]:
    """Yield JSON values one after another; of an array with a fault, those before the fault."""
    decoder = json.JSONDecoder(strict=False)
    opened = 0
    while start < len(text):
        try:
            value, start = decoder.raw_decode(text, start)
            yield value
        except (ValueError, RecursionError):
            if text[start] != "[" or opened == _OPENED:
                return
            opened, start = opened + 1, start + 1
        start = next(found.end() for found in _BETWEEN.finditer(text, start))


def _queries_of(value: Any, kind: Kind | None) -> Iterator[tuple[Kind | None, str]]:  # noqa: ANN401
    """Yield the queries of whatever JSON holds, with the kind that stands beside or above them."""
    if isinstance(value, str):
        yield kind, value
    elif isinstance(value, list):
        for item in value:
            yield from _queries_of(item, kind)
    elif isinstance(value, dict):
        own = _kind_named(value.get("kind", value.get("type"))) or kind
        by_kind = {name: named for name in value if (named := _kind_named(name))}
        names = [name for name in value if name in _NAMES or name in by_kind]
        for name in names or [name for name, item in value.items() if isinstance(item, list)]:
            yield from _queries_of(value[name], own or by_kind.get(name))


def _kind_named(name: object) -> Kind | None:
    plain = str(name).strip().lower().removesuffix("s")
    return next((kind for kind in KINDS if kind.removesuffix("s") == plain), None)


def _labelled(line: str) -> tuple[Kind | None, str]:
    label = _LABEL.match(line)
    return (_kind_named(label[1]), line[label.end() :]) if label else (None, line)


def _from_lines(text: str) -> list[str]:
    lines = [line for line in text.splitlines() if line.strip(" `")]
    marked = [_MARK.sub("", line, count=1) for line in lines if _MARK.match(line)]
    if not marked:
        marked = [line for line in lines if _LABEL.match(line)]
    if marked:
        return marked
    # A single line without a mark is more likely an excuse than a query.
    plain = [line for line in lines if not line.rstrip().endswith(":")]
    return plain if len(plain) > 1 else []
