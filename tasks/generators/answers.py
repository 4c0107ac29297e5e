"""Answers of a chat model: the queries in them, however they are wrapped."""

import json
import re
from collections.abc import Iterator
from typing import Any

from ..core.queries import COPIED_SHARE, Query
from ..core.vocabulary import terms, words
from . import Made

MAX_QUERY_WORDS = 50
_NAMES = ("queries", "query", "questions", "question", "text")
_THOUGHT = re.compile(r"<think(?:ing)?>.*?(?:</think(?:ing)?>|\Z)", re.DOTALL | re.IGNORECASE)
_STRING = re.compile(r'"(?:[^"\\]|\\.)*"')
_MARK = re.compile(r"\s*(?:[-*\u2022\u2013]|\(?\d{1,2}[.):]|Q\d*[.):])\s+", re.IGNORECASE)
_QUOTES = " \t\"'`\u201c\u201d\u2018\u2019\u00ab\u00bb"


def read_answer(answer: str, text: str, count: int) -> Made:
    """Take the queries out of an answer; set aside those that are of no use.

    Args:
        answer: What the model said.
        text: The composed passage it was asked about.
        count: Most queries to take.
    """
    queries, reasons = [], []
    of_passage = set(terms(text))
    for query in parse_queries(answer)[:count]:
        of_query = set(terms(query))
        if len(of_query) < 2:
            reasons.append(f"under two words: {query}")
        elif len(words(query)) > MAX_QUERY_WORDS:
            reasons.append(f"over {MAX_QUERY_WORDS} words: {query[:80]}")
        elif len(of_query & of_passage) > COPIED_SHARE * len(of_passage):
            reasons.append(f"copies the passage: {query[:80]}")
        else:
            queries.append(Query("question", query))
    if not queries and not reasons:
        reasons.append(f"unusable answer: {' '.join(answer.split())[:80] or 'empty'}")
    return Made(tuple(queries), tuple(reasons))


def parse_queries(answer: str) -> list[str]:
    r"""Find the queries in an answer: a JSON array, objects with queries, or a list of lines.

    Thoughts, fences, bullets, and what is said around a list are left out; of an array that was
    cut off, the strings that were finished count.

    Returns:
        The queries in order, none twice; empty if the answer is no list of queries.

    >>> parse_queries('Sure! ```json\n["lock a file", "wait for a lock"]\n```')
    ['lock a file', 'wait for a lock']
    >>> parse_queries("Here they are:\n1. lock a file\n2. **wait for a lock**")
    ['lock a file', 'wait for a lock']
    >>> parse_queries("I cannot help with that.")
    []
    """
    text = _THOUGHT.sub("", answer).strip()
    found = _from_json(text)
    if found is None:
        found = _from_lines(text)
    tidy = (" ".join(query.replace("**", "").strip(_QUOTES).split()) for query in found)
    return list({query.lower(): query for query in reversed([*tidy]) if query}.values())[::-1]


def _from_json(text: str) -> list[str] | None:
    starts = [place for place in (text.find("["), text.find("{")) if place >= 0]
    if not starts:
        return None
    start = min(starts)
    try:
        value, _ = json.JSONDecoder(strict=False).raw_decode(text, start)
    except ValueError:
        if text[start] != "[" or not re.match(r'\[\s*["{]', text[start:]):
            return None
        cut = [json.loads(string, strict=False) for string in _strings(text[start:])]
        return [string for string in cut if string not in _NAMES]
    found = list(_strings_of(value))
    return found or None


def _strings(text: str) -> list[str]:
    found = []
    for string in _STRING.findall(text):
        try:
            json.loads(string, strict=False)
        except ValueError:
            continue
        found.append(string)
    return found


def _strings_of(value: Any) -> Iterator[str]:  # noqa: ANN401 - whatever JSON holds
    if isinstance(value, str):
        yield value
    elif isinstance(value, list):
        for item in value:
            yield from _strings_of(item)
    elif isinstance(value, dict):
        named = [value[name] for name in _NAMES if name in value]
        for item in named or [item for item in value.values() if isinstance(item, list)]:
            yield from _strings_of(item)


def _from_lines(text: str) -> list[str]:
    lines = [line for line in text.splitlines() if line.strip(" `")]
    marked = [_MARK.sub("", line, count=1) for line in lines if _MARK.match(line)]
    if marked:
        return marked
    # A single line without a mark is more likely an excuse than a query.
    plain = [line for line in lines if not line.rstrip().endswith(":")]
    return plain if len(plain) > 1 else []
