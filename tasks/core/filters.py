"""Filters: which made queries teach nothing or the wrong thing, and how many each takes away."""

import math
from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from typing import NamedTuple

from .pairs import Pair, wording
from .questions import BY_PEOPLE, Aside
from .splits import Split, draw
from .text import mask
from .vocabulary import Vocabulary, terms

EXAMPLES = 5
LEAST_COPY = 6  # terms: shorter ones may well be what people call the thing


class Sifted(NamedTuple):
    """What a filter took away: queries before and removed, and a few of these."""

    name: str
    before: int
    removed: int
    examples: tuple[str, ...]


def sift(
    pairs: Sequence[Pair], name: str, doomed: Mapping[str, str]
) -> tuple[list[Pair], list[Aside], Sifted]:
    """Take queries away.

    Args:
        pairs: Pairs.
        name: Name of the filter.
        doomed: Reason by id of the queries to take away.

    Returns:
        The pairs left, the queries set aside, and the yield; a hash decides which of them serve
        as examples.
    """
    first: dict[str, Pair] = {}
    for pair in pairs:
        first.setdefault(pair.query_id, pair)
    removed = [pair for query_id, pair in first.items() if query_id in doomed]
    aside = [Aside(_item(pair), pair.source, doomed[pair.query_id]) for pair in removed]
    shown = sorted(removed, key=lambda pair: (draw(pair.query_id), pair.query_id))[:EXAMPLES]
    sifted = Sifted(name, len(first), len(removed), tuple(pair.query for pair in shown))
    return [pair for pair in pairs if pair.query_id not in doomed], aside, sifted


def find_copies(
    pairs: Sequence[Pair], texts: Mapping[str, str], max_copied_share: float
) -> dict[str, str]:
    """Find made queries that stand word for word in a passage as training is to see it.

    Args:
        pairs: Pairs.
        texts: Composed passages by id.
        max_copied_share: Share of a query's words, above 0, that may stand in a row in the
            passage; queries under six words are never copies.
    """
    found = {}
    for pair in pairs:
        asked = terms(pair.query)
        run = math.floor(max_copied_share * len(asked)) + 1
        if pair.origin in BY_PEOPLE or len(asked) < LEAST_COPY or run > len(asked):
            continue
        seen = f" {' '.join(terms(mask(texts[pair.passage_id], pair.masked)))} "
        runs = (asked[start : start + run] for start in range(len(asked) - run + 1))
        if any(f" {' '.join(words)} " in seen for words in runs):
            found[pair.query_id] = "copies its passage"
    return found


def find_general(pairs: Sequence[Pair], vocabulary: Vocabulary, least_bits: int) -> dict[str, str]:
    """Find made queries whose words would suit too many documents.

    If words came independently, a query of b bits of rarity would suit one document in 2**b.

    Args:
        pairs: Pairs.
        vocabulary: Document frequencies of the corpus.
        least_bits: Least sum of the rarities of a query's words.
    """
    found = {}
    for pair in pairs:
        if pair.origin not in BY_PEOPLE:
            bits = sum(vocabulary.rarity(term) for term in set(terms(pair.query)))
            if bits < least_bits:
                found[pair.query_id] = f"too general: may suit one document in {2**bits}"
    return found


def find_ambiguous(pairs: Sequence[Pair]) -> dict[str, str]:
    """Find made queries that ask for another document too."""
    asked: dict[str, set[str]] = defaultdict(set)
    own: dict[str, set[str]] = defaultdict(set)
    for pair in pairs:
        asked[wording(pair.query)].add(pair.document_id)
        own[pair.query_id].add(pair.document_id)
    found = {}
    for pair in pairs:
        others = asked[wording(pair.query)] - own[pair.query_id]
        if others and pair.origin not in BY_PEOPLE:
            found[pair.query_id] = f"ambiguous: asks for {min(others)} too"
    return found


def find_evaluated(pairs: Sequence[Pair]) -> dict[str, str]:
    """Find training queries, people's included, that evaluation asks in the same words."""
    asked = {wording(pair.query) for pair in pairs if pair.split != "train"}
    return {
        pair.query_id: "asked in evaluation too"
        for pair in pairs
        if pair.split == "train" and wording(pair.query) in asked
    }


def limit_made(pairs: Sequence[Pair], most: Mapping[Split, int], seed: int) -> list[Pair]:
    """Keep at most so many made queries of a split: those first by the hash of their id."""
    made: dict[Split, set[str]] = {split: set() for split in most}
    for pair in pairs:
        if pair.origin not in BY_PEOPLE and pair.split in most:
            made[pair.split].add(pair.query_id)
    kept = {
        query_id
        for split, query_ids in made.items()
        for query_id in sorted(query_ids, key=lambda name: (draw(seed, name), name))[: most[split]]
    }
    return [
        pair
        for pair in pairs
        if pair.origin in BY_PEOPLE or pair.split not in most or pair.query_id in kept
    ]


Find = Callable[[Sequence[Pair]], Mapping[str, str]]


def sift_all(
    pairs: list[Pair], filters: Sequence[tuple[str, Find]]
) -> tuple[list[Pair], list[Aside], list[Sifted]]:
    """Apply filters by name, one after the other."""
    aside: list[Aside] = []
    told = []
    for name, find in filters:
        pairs, removed, sifted = sift(pairs, name, find(pairs))
        aside += removed
        told.append(sifted)
    return pairs, aside, told


def _item(pair: Pair) -> str:
    is_asked = pair.origin in BY_PEOPLE
    return pair.query_id if is_asked else f"{pair.document_id}: {pair.query}"
