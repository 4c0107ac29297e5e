"""Pairs of query and passage: how they come about, and which may stand beside which."""

from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from .queries import Query
from .questions import Aside, Question
from .reading import Passage
from .splits import Split, digest, draw
from .vocabulary import terms

HUMAN = "human"
# Nothing of the passage is hidden from them, so that finding it again would prove nothing.
TRAINING_ALONE = frozenset({"keywords"})


@dataclass(frozen=True)
class Entry:
    """A passage of the corpus with its ids."""

    passage_id: str
    document_id: str
    source: str
    passage: Passage


class Pair(NamedTuple):
    """A query and a passage that answers it: the columns of `Pairs`, and where they come from."""

    query_id: str
    query: str
    passage_id: str
    relevance: int
    origin: str
    split: Split
    masked: str
    document_id: str
    source: str
    kind: str


def wording(query: str) -> str:
    """Reduce a query to what two queries that ask the same have in common.

    >>> wording("os.path getSize?") == wording("OS path get size")
    True
    """
    return " ".join(terms(query)) or query.strip()


def pair_questions(questions: Iterable[Question], entries: Iterable[Entry]) -> list[Pair]:
    """Pair every question with every passage of the documents that answer it."""
    by_document: dict[str, list[Entry]] = defaultdict(list)
    for entry in entries:
        by_document[entry.document_id].append(entry)
    return [
        Pair(
            query_id=question.query_id,
            query=question.text,
            passage_id=entry.passage_id,
            relevance=relevance,
            origin=HUMAN,
            split=question.split,
            masked="",
            document_id=document_id,
            source=question.source,
            kind=HUMAN,
        )
        for question in questions
        for document_id, relevance in question.relevances.items()
        for entry in by_document[document_id]
    ]


def pair_queries(
    origin: str,
    entries: Sequence[Entry],
    queries: Sequence[Sequence[Query]],
    splits: Mapping[str, Split],
) -> list[Pair]:
    """Pair made queries with the passages they were made of.

    In dev and test the span a query was cut out of is always hidden, or finding it would be
    trivial. A query made of several passages of one document is one query with several answers.

    Args:
        origin: Name of the generator.
        entries: Passages.
        queries: Queries of each passage.
        splits: Split of every document.
    """
    pairs: dict[tuple[str, str], Pair] = {}
    first: dict[tuple[str, str], tuple[str, Query]] = {}
    for entry, made in zip(entries, queries, strict=True):
        split = splits[entry.document_id]
        for query in made:
            if split != "train" and query.kind in TRAINING_ALONE:
                continue
            same = entry.document_id, wording(query.text)
            name = f"{origin}:{query.kind}:{digest(*same)[:16]}"
            query_id, shown = first.setdefault(same, (name, query))
            pairs.setdefault(
                (query_id, entry.passage_id),
                Pair(
                    query_id=query_id,
                    query=shown.text,
                    passage_id=entry.passage_id,
                    relevance=1,
                    origin=origin,
                    split=split,
                    masked=query.span if query.is_hidden or split != "train" else "",
                    document_id=entry.document_id,
                    source=entry.source,
                    kind=shown.kind,
                ),
            )
    return list(pairs.values())


def part_ambiguous(pairs: Sequence[Pair]) -> tuple[list[Pair], list[Aside]]:
    """Set aside made queries that ask for another document too."""
    documents: dict[str, set[str]] = defaultdict(set)
    for pair in pairs:
        documents[wording(pair.query)].add(pair.document_id)
    kept, aside = [], []
    for pair in pairs:
        others = documents[wording(pair.query)] - {pair.document_id}
        if others and pair.origin != HUMAN:
            reason = f"ambiguous: asks for {min(others)} too"
            aside.append(Aside(f"{pair.document_id}: {pair.query}", pair.source, reason))
        else:
            kept.append(pair)
    return kept, aside


def part_evaluated(pairs: Sequence[Pair]) -> tuple[list[Pair], list[Aside]]:
    """Set aside training queries that evaluation asks in the same words."""
    asked = {wording(pair.query) for pair in pairs if pair.split != "train"}
    kept, aside = [], []
    for pair in pairs:
        if pair.split == "train" and wording(pair.query) in asked:
            aside.append(Aside(pair.query_id, pair.source, "asked in evaluation too"))
        else:
            kept.append(pair)
    return kept, aside


def limit_made(pairs: Sequence[Pair], most: Mapping[Split, int], seed: int) -> list[Pair]:
    """Keep at most so many made queries of a split: those first by the hash of their id."""
    made: dict[Split, set[str]] = {split: set() for split in most}
    for pair in pairs:
        if pair.origin != HUMAN and pair.split in most:
            made[pair.split].add(pair.query_id)
    kept = {
        query_id
        for split, query_ids in made.items()
        for query_id in sorted(query_ids, key=lambda name: (draw(seed, name), name))[: most[split]]
    }
    return [
        pair
        for pair in pairs
        if pair.origin == HUMAN or pair.split not in most or pair.query_id in kept
    ]


def check_apart(pairs: Sequence[Pair]) -> None:
    """Make sure that no evaluation document and no evaluation query is trained on.

    Raises:
        ValueError: one is; names it.
    """
    names: dict[str, Callable[[Pair], str]] = {
        "document": lambda pair: pair.document_id,
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
