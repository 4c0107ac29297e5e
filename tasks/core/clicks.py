"""Clicks: which documents people chose for a query, cleaned of chance."""

import math
from collections import defaultdict
from collections.abc import Collection, Iterable

from .pairs import wording
from .questions import CLICKS, Aside, Question
from .splits import digest

# A document clicked a quarter as often as the favourite is a second answer; less is mostly the
# position in the result list (arXiv:1608.04468).
LEAST_SHARE = 0.25


def weigh_clicks(
    clicks: Iterable[tuple[str, str, int]],
    source: str,
    *,
    min_clicks: int,
    max_documents: int,
    weight: float,
    max_weight: float,
) -> tuple[list[Question], list[Aside]]:
    """Make training questions of clicks.

    Clicks of queries in the same words are added up. A document answers a query if it was clicked
    often enough, and at least a quarter as often as the query's favourite. The weight grows with
    the logarithm of the clicks: ten times as many add as much again.

    Args:
        clicks: Query, document, and number of clicks; may come in any order and in parts.
        source: The log they are from.
        min_clicks: Clicks that a query must have on a document for it to count.
        max_documents: Most documents that answer one query, the most clicked first.
        weight: Weight of a query that was clicked `min_clicks` times.
        max_weight: Bound on the weight.

    Returns:
        Questions in the order of their ids, and what was set aside.
    """
    counts: dict[str, dict[str, int]] = defaultdict(lambda: defaultdict(int))
    spelled: dict[str, dict[str, int]] = defaultdict(lambda: defaultdict(int))
    for query, document_id, times in clicks:
        counts[wording(query)][document_id] += times
        spelled[wording(query)][" ".join(query.split())] += times
    questions, aside = [], []
    for asked, by_document in counts.items():
        text = max(spelled[asked].items(), key=lambda item: (item[1], item[0]))[0]
        query_id = f"{CLICKS}:{digest(asked)[:16]}"
        kept, removed = _answers(by_document, min_clicks, max_documents)
        aside += [Aside(f"{query_id}: {text}", source, reason) for reason in removed]
        if kept:
            grown = weight * (1 + math.log10(sum(kept.values()) / min_clicks))
            relevances = dict.fromkeys(kept, 1)
            questions.append(
                Question(
                    query_id, text, relevances, "train", frozenset(), source, CLICKS,
                    min(grown, max_weight),
                )
            )  # fmt: skip
    return sorted(questions, key=lambda question: question.query_id), aside


def _answers(
    by_document: dict[str, int], min_clicks: int, max_documents: int
) -> tuple[dict[str, int], list[str]]:
    kept: dict[str, int] = {}
    reasons = []
    ranked = sorted(by_document.items(), key=lambda item: (-item[1], item[0]))
    for document_id, times in ranked:
        if times < min_clicks:
            reasons.append(f"too few clicks: {times} on {document_id}")
        elif times < LEAST_SHARE * ranked[0][1]:
            reasons.append(f"few clicks beside the favourite: {times} on {document_id}")
        elif len(kept) == max_documents:
            reasons.append(f"clicked beyond {max_documents} documents: {document_id}")
        else:
            kept[document_id] = times
    return kept, reasons


def leave_judged(
    clicked: Iterable[Question], judged: Collection[Question]
) -> tuple[list[Question], list[Aside]]:
    """Leave out clicks on queries that people judged documents for, in the same words."""
    asked = {wording(question.text) for question in judged}
    kept, aside = [], []
    for question in clicked:
        if wording(question.text) in asked:
            aside.append(Aside(question.query_id, question.source, "judged by people too"))
        else:
            kept.append(question)
    return kept, aside
