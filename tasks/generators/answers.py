"""Answers of a chat model: the queries in them, and which of them are of use."""

import re
from collections.abc import Collection

from ..core.queries import COPIED_SHARE, Query
from ..core.vocabulary import terms, words
from . import Made
from .parse_answer import parse_answer

MAX_QUERY_WORDS = 50
# Names of what `mask_personal` took out: a query for one asks for what nobody is to know.
_MASK = re.compile(r"<(?:SECRET|EMAIL|IBAN|CARD|IP|SSN|PHONE)>")
_MARK = re.compile(r"\[passage [0-9a-f]{12}")
_OF_PASSAGE = re.compile(
    r"\b(?:this|the|that|given|above) passage\b|\bthis text\b|"
    r"\b(?:according to|mentioned in|described in) the (?:text|author|article|document)\b",
    re.IGNORECASE,
)
# Who searches has no study before them, whether or not the passage calls itself one.
_OF_STUDY = re.compile(
    r"\bthis (?:study|article|paper|research|excerpt)\b|\bthe (?:study|authors|excerpt)\b(?! of\b)",
    re.IGNORECASE,
)


def read_answer(answer: str, text: str, count: int, shown: Collection[str] = ()) -> Made:
    """Take the queries out of an answer; set aside those that are of no use.

    Args:
        answer: What the model said.
        text: The passage it was asked about, as it was sent.
        count: Most queries to take.
        shown: Queries the model was shown: some only repeat them.
    """
    queries, reasons = [], []
    of_passage = set(terms(text))
    known = {_bare(query) for query in shown}
    for kind, query in parse_answer(answer)[:count]:
        reason = "repeats an example" if _bare(query) in known else _fault(query, text, of_passage)
        if reason:
            reasons.append(f"{reason}: {query[:80]}")
        else:
            queries.append(Query(kind, query))
    if not queries and not reasons:
        reasons.append(f"unusable answer: {' '.join(answer.split())[:80] or 'empty'}")
    return Made(tuple(queries), tuple(reasons))


def _fault(query: str, text: str, of_passage: Collection[str]) -> str:
    """Tell why a query is of no use; empty if it is."""
    of_query = set(terms(query))
    if len(of_query) < 2:
        return "under two words"
    if len(words(query)) > MAX_QUERY_WORDS:
        return f"over {MAX_QUERY_WORDS} words"
    if len(of_query.intersection(of_passage)) > COPIED_SHARE * len(of_passage):
        return "copies the passage"
    if _MASK.search(query):
        return "asks for what was masked"
    if _MARK.search(query) or _OF_STUDY.search(query):
        return "speaks of the passage"
    if _OF_PASSAGE.search(query) and not _OF_PASSAGE.search(text):
        return "speaks of the passage"
    return ""


def _bare(query: str) -> tuple[str, ...]:
    return tuple(terms(query))
