"""Queries made out of a passage itself, with what must be hidden of it for them to teach."""

import re
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from .reading import Passage, Reading
from .splits import digest, draw
from .text import compose
from .vocabulary import Vocabulary, in_words, terms

Kind = Literal["span", "name", "sentence", "keywords"]

KEYWORDS = (3, 6)
LEAST_REMAINDER = 5  # terms a passage must keep for a model to know it by
COPIED_SHARE = 0.7  # of the terms seen of a passage: beyond, a query is its copy
TELLING = 2  # bits: words of more than a quarter of the documents say nothing

_CITATION = re.compile(r"\s*(?:\[\d[\d\s,;\u2013-]*\]|\([^()]*\b(?:19|20)\d\d[a-z]?\b[^()]*\))")
# Dashes, bullets, quotation marks, and stops, those of Chinese and Japanese included.
_EDGES = (
    " \t\n\r.,;:!?-*#=>|`'\"\u2013\u2014\u2022\u2026\u2018\u2019\u201c\u201d\u00ab\u00bb"
    "\u3001\u3002\uff0c\uff1a\uff1b\uff01\uff1f"
)


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
    vocabulary: Vocabulary,
    *,
    count: int,
    kinds: Sequence[Kind],
    hide: Mapping[Kind, float],
    seed: int,
) -> list[Query]:
    """Make queries of different kinds out of one passage.

    Every choice is drawn by a hash of the passage and `seed`, so the same passage gives the same
    queries whatever else the corpus holds, as long as none of its words crosses a whole bit of
    rarity.

    Args:
        passage: The passage.
        vocabulary: Document frequencies of the corpus.
        count: Most queries to make; beyond one of each kind, further spans.
        kinds: Kinds to make, the most wanted first: spans of 5 to 15 words (AugTriever,
            arXiv:2212.08841), the title and heading in words, the most telling sentence (inverse
            cloze task, arXiv:1906.00300), keywords.
        hide: Probability, per kind, that training hides what a query was cut out of.
        seed: Another seed, other spans.

    Returns:
        At most `count` queries; none for a passage too short to leave a query and a remainder.
    """
    reading = Reading.of(passage, vocabulary)
    composed, whole = passage.composed, Counter(terms(passage.composed))
    label = digest(seed, composed)
    found: dict[str, Query] = {}
    for kind, text, span in _candidates(reading, kinds, count, label):
        query = Query(kind, text, span, bool(span) and draw("hide", label, text) < hide[kind])
        if is_telling(text, vocabulary) and _leaves_enough(whole, composed, query):
            found.setdefault(text.lower(), query)
        if len(found) == count:
            break
    return list(found.values())


def is_telling(text: str, vocabulary: Vocabulary) -> bool:
    """Tell whether a query has two words or more, and not only such as every document has."""
    found = terms(text)
    return len(found) >= 2 and any(vocabulary.rarity(term) >= TELLING for term in found)


def _candidates(
    reading: Reading, kinds: Sequence[Kind], count: int, label: str
) -> Iterator[tuple[Kind, str, str]]:
    """Yield kind, query, and the stretch of the composed passage it is cut out of."""
    best = reading.most_telling_sentence() if "sentence" in kinds else None
    taken = [best] if best else []
    further: list[Kind] = ["span"] * (count - 1) if "span" in kinds else []
    for number, kind in enumerate([*kinds, *further]):
        if kind == "name":
            yield kind, *_name(reading.passage)
        elif kind == "keywords":
            yield kind, _keywords(reading, label), ""
        elif kind == "sentence" and best:
            yield kind, *_cut(reading.stretch(best))
        elif kind == "span":
            # A passage of one sentence has no span clear of it: then they may overlap.
            span = reading.draw_span(f"{label}\0{number}", taken)
            span = span or (reading.draw_span(label, []) if number < len(kinds) else None)
            if span:
                taken.append(span)
                yield kind, *_cut(reading.stretch(span))


def _name(passage: Passage) -> tuple[str, str]:
    """Put title and innermost heading into words; hide both as they stand in the passage."""
    heading = passage.section.rpartition(" > ")[2]
    parts = [passage.title] if heading in ("", passage.title) else [passage.title, heading]
    head = compose(passage.title, passage.section, "").strip()
    # Hiding the title `all` would also hide the middle of `callable`.
    within = rf"\w{re.escape(head)}|{re.escape(head)}\w"
    if not head or head not in passage.composed or re.search(within, passage.composed):
        return "", ""
    return " ".join(in_words(part) for part in parts).strip(), head


def _keywords(reading: Reading, label: str) -> str:
    """Join the 3 to 6 terms of highest tf-idf, in order of appearance."""
    counts = Counter(term for term in terms(reading.passage.composed) if _is_keyword(term))
    ranked = sorted(counts, key=lambda term: (-reading.weights[term], -counts[term], term))
    least, most = KEYWORDS
    number = least + int(draw("keywords", label) * (most - least + 1))
    chosen: list[str] = []
    for term in ranked:
        if len(chosen) == number or not reading.weights[term]:
            break
        stem = term[: max(5, len(term) - 3)]  # `files` beside `file` adds nothing
        if not any(term.startswith(other) or other.startswith(stem) for other in chosen):
            chosen.append(term)
    return " ".join(term for term in counts if term in chosen) if len(chosen) >= least else ""


def _is_keyword(term: str) -> bool:
    return len(term) > (2 if term.isascii() else 1) and not any(map(str.isdigit, term))


def _cut(stretch: str) -> tuple[str, str]:
    """Make a query of a stretch: one line, without citations and punctuation at its ends."""
    return " ".join(_CITATION.sub("", stretch).split()).strip(_EDGES), stretch


def _leaves_enough(whole: Mapping[str, int], composed: str, query: Query) -> bool:
    """Tell whether the passage without the span still says something, and more than the query."""
    occurrences = composed.count(query.span) if query.span else 0
    hidden = Counter(terms(query.span))
    remainder = {term: count - occurrences * hidden[term] for term, count in whole.items()}
    seen = {term for term, count in (remainder if query.is_hidden else whole).items() if count > 0}
    shared = seen.intersection(terms(query.text))
    left = sum(count for count in remainder.values() if count > 0)
    return left >= LEAST_REMAINDER and len(shared) <= COPIED_SHARE * len(seen)
