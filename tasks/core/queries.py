"""Queries made out of a passage itself, with what must be hidden of it for them to teach."""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import cycle, islice
from typing import Literal

from .reading import Passage, Reading, Words
from .splits import digest, draw
from .vocabulary import Rarities, Rarity, terms
from .wordings import cut, word_keywords, word_name, word_question, word_terse, word_topic

Kind = Literal["span", "extract", "terse", "question", "name", "topic", "sentence", "keywords"]

DRAWN: tuple[Kind, ...] = ("span", "extract", "terse")  # of these a passage gives several
LEAST_REMAINDER = 5  # terms a passage must keep for a model to know it by
COPIED_SHARE = 0.7  # of the terms seen of a passage: beyond, a query is its copy
TELLING = 2  # bits: words of more than a quarter of the documents say nothing


@dataclass(frozen=True)
class Query:
    """A query for a passage.

    Attributes:
        kind: How it was made.
        text: What is asked.
        span: The stretch of the composed passage it was cut out of; empty if of none.
        is_hidden: Whether training hides that stretch.
    """

    kind: str
    text: str
    span: str = ""
    is_hidden: bool = False


def make_queries(
    passage: Passage,
    vocabulary: Rarity,
    *,
    count: int,
    kinds: Sequence[Kind],
    hide: Mapping[Kind, float],
    seed: int,
) -> list[Query]:
    """Make queries of different kinds out of one passage.

    Every choice is drawn by a hash of the passage and `seed`, and of other passages only the
    rarity of this one's terms counts: as long as none of them crosses a whole bit of rarity, the
    same passage gives the same queries whatever else the corpus holds.

    Args:
        passage: The passage.
        vocabulary: How rare each term of the corpus is.
        count: Most queries to make; beyond one of each kind, further spans, extracts, and
            telegrams.
        kinds: Kinds to make, the most wanted first: spans of 5 to 15 words, few of them drawn
            (AugTriever, arXiv:2212.08841); extracts, many of them drawn and chosen by BM25 (the
            same); those telegraphed; an English sentence turned into a question; title and heading
            in words; these with what the text adds; the most telling sentence (inverse cloze task,
            arXiv:1906.00300); keywords.
        hide: Probability, per kind, that training hides what a query was cut out of.
        seed: Another seed, other spans.

    Returns:
        At most `count` queries; none for a passage too short to leave a query and a remainder.
    """
    composed, whole = passage.composed, Counter(terms(passage.composed))
    own = Rarities.of(whole, vocabulary)
    reading = Reading.of(passage, own)
    label = digest(seed, composed)
    found: dict[str, Query] = {}
    for kind, text, span in _candidates(reading, kinds, count, label):
        query = Query(kind, text, span, bool(span) and draw("hide", label, text) < hide[kind])
        if is_telling(text, own) and _leaves_enough(whole, composed, query):
            found.setdefault(text.lower(), query)
        if len(found) == count:
            break
    return list(found.values())


def is_telling(text: str, vocabulary: Rarity) -> bool:
    """Tell whether a query has two words or more, and not only such as every document has."""
    found = terms(text)
    return len(found) >= 2 and any(vocabulary.rarity(term) >= TELLING for term in found)


def _candidates(
    reading: Reading, kinds: Sequence[Kind], count: int, label: str
) -> Iterator[tuple[Kind, str, str]]:
    """Yield kind, query, and the stretch of the composed passage it is cut out of."""
    best = reading.most_telling_sentence() if "sentence" in kinds else None
    taken = [best] if best else []
    further = islice(cycle([kind for kind in kinds if kind in DRAWN]), count - 1)
    for number, kind in enumerate([*kinds, *further]):
        if kind not in DRAWN:
            yield kind, *_word(kind, reading, label, best)
            continue
        choose = reading.draw_span if kind == "span" else reading.extract_span
        # A passage of one sentence has no span clear of it: then they may overlap.
        span = choose(f"{label}\0{number}", taken)
        span = span or (choose(label, []) if number < len(kinds) else None)
        if span:
            taken.append(span)
            stretch = reading.stretch(span)
            yield kind, word_terse(reading, span) if kind == "terse" else cut(stretch), stretch


def _word(kind: Kind, reading: Reading, label: str, best: Words | None) -> tuple[str, str]:
    """Word a query of a kind that a passage has one of; empty if it has none."""
    if kind == "name":
        return word_name(reading.passage)
    if kind == "topic":
        return word_topic(reading), ""
    if kind == "keywords":
        return word_keywords(reading, label), ""
    if kind == "question":
        return word_question(reading, label)
    return (cut(reading.stretch(best)), reading.stretch(best)) if best else ("", "")


def _leaves_enough(whole: Mapping[str, int], composed: str, query: Query) -> bool:
    """Tell whether the passage without the span still says something, and more than the query."""
    occurrences = composed.count(query.span) if query.span else 0
    hidden = Counter(terms(query.span))
    remainder = {term: count - occurrences * hidden[term] for term, count in whole.items()}
    seen = {term for term, count in (remainder if query.is_hidden else whole).items() if count > 0}
    shared = seen.intersection(terms(query.text))
    left = sum(count for count in remainder.values() if count > 0)
    return left >= LEAST_REMAINDER and len(shared) <= COPIED_SHARE * len(seen)
