"""Pairs of query and passage: how they come about, and which may stand beside which."""

from collections import defaultdict
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import NamedTuple

from .queries import Query
from .questions import Aside, Question
from .reading import Passage
from .splits import Split, digest
from .vocabulary import terms

# Nothing of the passage is hidden from them, so that finding it again would prove nothing.
TRAINING_ALONE = frozenset({"keywords", "topic"})


@dataclass(frozen=True)
class Entry:
    """A passage of the corpus with its ids."""

    passage_id: str
    document_id: str
    source: str
    passage: Passage
    cluster: str


class Pair(NamedTuple):
    """A query and a passage that answers it: the columns of `Pairs`, and where they come from."""

    query_id: str
    query: str
    passage_id: str
    relevance: int
    origin: str
    split: Split
    masked: str
    weight: float
    document_id: str
    cluster: str
    source: str
    kind: str


@lru_cache(maxsize=2**17)
def wording(query: str) -> str:
    """Reduce a query to what two queries that ask the same have in common.

    >>> wording("os.path getSize?") == wording("OS path get size")
    True
    """
    return " ".join(terms(query)) or query.strip()


def pair_questions(
    questions: Iterable[Question], entries: Iterable[Entry], straddling: Collection[str]
) -> tuple[list[Pair], list[Aside]]:
    """Pair every question with every passage of the documents that answer it.

    Args:
        questions: Questions in their final splits.
        entries: All passages.
        straddling: Clusters that more than one split has a passage of: no train question is
            paired with one.

    Returns:
        The pairs, and the train questions that nothing else answers.
    """
    by_document: dict[str, list[Entry]] = defaultdict(list)
    for entry in entries:
        by_document[entry.document_id].append(entry)
    pairs: list[Pair] = []
    aside = []
    for question in questions:
        found = [
            Pair(
                query_id=question.query_id,
                query=question.text,
                passage_id=entry.passage_id,
                relevance=relevance,
                origin=question.origin,
                split=question.split,
                masked="",
                weight=question.weight,
                document_id=document_id,
                cluster=entry.cluster,
                source=question.source,
                kind=question.origin,
            )
            for document_id, relevance in question.relevances.items()
            for entry in by_document[document_id]
            if question.split != "train" or entry.cluster not in straddling
        ]
        if not found:
            reason = "answered by near-copies of evaluation passages alone"
            aside.append(Aside(question.query_id, question.source, reason))
        pairs += found
    return pairs, aside


def pair_queries(
    origin: str,
    entries: Sequence[Entry],
    queries: Sequence[Sequence[Query]],
    splits: Mapping[str, Split],
    twins: Mapping[str, Sequence[Entry]],
) -> tuple[list[Pair], list[Aside]]:
    """Pair made queries with the passages they were made of.

    In dev and test the span a query was cut out of is always hidden, or finding it would be
    trivial, and every near-copy of the passage answers too; where one has the span in other words
    it could not be hidden there, and the query is set aside. A query made of several passages of
    one document is one query with several answers.

    Args:
        origin: Name of the generator.
        entries: Passages, none a near-copy of another.
        queries: Queries of each passage.
        splits: Split of every document.
        twins: All passages of each cluster that has more than one.
    """
    pairs: dict[tuple[str, str], Pair] = {}
    first: dict[tuple[str, str], tuple[str, Query]] = {}
    aside = []
    for entry, made in zip(entries, queries, strict=True):
        split = splits[entry.document_id]
        answers = [entry] if split == "train" else twins.get(entry.cluster, [entry])
        for query in made:
            if split != "train" and query.kind in TRAINING_ALONE:
                continue
            if any(query.span not in answer.passage.composed for answer in answers):
                name, reason = f"{entry.document_id}: {query.text}", "near-copy in other words"
                aside.append(Aside(name, entry.source, reason))
                continue
            same = entry.document_id, wording(query.text)
            name = f"{origin}:{query.kind}:{digest(*same)[:16]}"
            query_id, shown = first.setdefault(same, (name, query))
            masked = query.span if query.is_hidden or split != "train" else ""
            for answer in answers:
                pair = _pair(query_id, shown, answer, origin, split, masked)
                pairs.setdefault((query_id, answer.passage_id), pair)
    return list(pairs.values()), aside


def _pair(
    query_id: str, query: Query, entry: Entry, origin: str, split: Split, masked: str
) -> Pair:
    return Pair(
        query_id=query_id,
        query=query.text,
        passage_id=entry.passage_id,
        relevance=1,
        origin=origin,
        split=split,
        masked=masked,
        weight=1.0,
        document_id=entry.document_id,
        cluster=entry.cluster,
        source=entry.source,
        kind=query.kind,
    )


def check_apart(pairs: Sequence[Pair]) -> None:
    """Make sure that nothing evaluated, nor a near-copy of it, is trained on.

    Raises:
        ValueError: something is; names it.
    """
    names: dict[str, Callable[[Pair], str]] = {
        "document": lambda pair: pair.document_id,
        "near-duplicates of the passage": lambda pair: pair.cluster,
        "query id": lambda pair: pair.query_id,
        "query": lambda pair: wording(pair.query),
    }
    for what, name in names.items():
        trained = {name(pair) for pair in pairs if pair.split == "train"}
        both = trained & {name(pair) for pair in pairs if pair.split != "train"}
        if both:
            raise ValueError(
                f"{len(both)} of training are in evaluation too, such as the {what} {min(both)!r}; "
                "scores would be flattered. This is a defect of the splits: report it."
            )
