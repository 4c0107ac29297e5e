"""Ways to word a query out of a passage: its name, keywords, a telegram, a question."""

import re
from collections import Counter
from collections.abc import Sequence

from .reading import Passage, Reading, Words
from .splits import draw
from .text import compose
from .vocabulary import in_words, terms

KEYWORDS = (3, 6)
TERSE = (3, 8)  # words; what people type into a search box has mostly two to six
QUESTION_WORDS = 12  # after the verb
LEAST_TOLD = 3
TOPIC_TERMS = 3

_CITATION = re.compile(r"\s*(?:\[\d[\d\s,;\u2013-]*\]|\([^()]*\b(?:19|20)\d\d[a-z]?\b[^()]*\))")
# Dashes, bullets, quotation marks, and stops, those of Chinese and Japanese included.
EDGES = (
    " \t\n\r.,;:!?-*#=>|`'\"\u2013\u2014\u2022\u2026\u2018\u2019\u201c\u201d\u00ab\u00bb"
    "\u3001\u3002\uff0c\uff1a\uff1b\uff01\uff1f"
)
_BE = frozenset({"is", "are", "was", "were"})
_VERBS = _BE | {"can", "could", "may", "might", "must", "should", "will", "would"}
_ARTICLES = frozenset({"a", "an", "the"})
# Subjects that say nothing by themselves, or the contrary of what is asked.
_POINTING = frozenset(
    {"he", "it", "no", "none", "nothing", "she", "that", "there", "these", "they", "this",
     "those", "we"}
)  # fmt: skip
SUBJECT_WORDS = 8


def cut(stretch: str) -> str:
    r"""Make a query of a stretch: one line, without citations and punctuation at its ends.

    >>> cut("of coronaviruses [12, 13]\nin bats (Li et al., 2005),")
    'of coronaviruses in bats'
    """
    return " ".join(_CITATION.sub("", stretch).split()).strip(EDGES)


def word_name(passage: Passage) -> tuple[str, str]:
    """Put title and innermost heading into words.

    Returns:
        The words, and both as they stand in the passage; empty if they cannot be hidden there.
    """
    heading = passage.section.rpartition(" > ")[2]
    parts = [passage.title] if heading in ("", passage.title) else [passage.title, heading]
    head = compose(passage.title, passage.section, "").strip()
    # Hiding the title `all` would also hide the middle of `callable`.
    within = rf"\w{re.escape(head)}|{re.escape(head)}\w"
    if not head or head not in passage.composed or re.search(within, passage.composed):
        return "", ""
    return " ".join(in_words(part) for part in parts).strip(), head


def word_keywords(reading: Reading, label: str) -> str:
    """Join the 3 to 6 terms of highest tf-idf, in order of appearance."""
    least, most = KEYWORDS
    number = least + int(draw("keywords", label) * (most - least + 1))
    found = terms(reading.passage.composed)
    chosen = _weightiest(reading, found, number, ())
    return " ".join(chosen) if len(chosen) >= least else ""


def word_topic(reading: Reading) -> str:
    """Join the rarest words of title and heading with the most telling ones of the text below.

    People name the subject, then what they want to know of it.
    """
    passage = reading.passage
    named = _weightiest(reading, terms(f"{passage.title} {passage.section}"), TOPIC_TERMS, ())
    wanted = _weightiest(reading, terms(passage.text), TOPIC_TERMS, named)
    return " ".join([*named, *wanted]) if named and wanted else ""


def word_terse(reading: Reading, span: Words) -> str:
    """Leave the common words out of a span, as people do who type keywords."""
    told = [
        word.strip(EDGES + "()[]{}")
        for number, word in enumerate(reading.words(span), start=span[0])
        if reading.is_told(number)
    ]
    least, most = TERSE
    found = cut(" ".join(dict.fromkeys(filter(None, told[:most]))))
    return found if len(found.split()) >= least else ""


def word_question(reading: Reading, label: str) -> tuple[str, str]:
    """Ask for what an English sentence says, by moving its verb (arXiv:1906.04980).

    Of the sentences that can be turned, the most telling one is, up to the end of its first
    clause.

    >>> from .vocabulary import Vocabulary
    >>> passage = Passage("", "", "Oseltamivir is an antiviral drug that shortens influenza.")
    >>> word_question(Reading.of(passage, Vocabulary(9, {})), "x")[0]
    'what is an antiviral drug that shortens influenza'

    Returns:
        The question, and the stretch it asks for; both empty if no sentence can be turned.
    """
    turned = []
    for first, last in reading.sentences:
        words = reading.words((first, last))
        place = _find_verb(words)
        if place:
            told = _clause(words, place)
            turned.append(((first, first + told), words[:told], place))
    if not turned:
        return "", ""
    span, words, place = max(turned, key=lambda item: reading.weigh(item[0]))
    forms = _turn([word.strip(EDGES) for word in words], place)
    return cut(forms[int(draw("question", label) * len(forms))]), reading.stretch(span)


def _find_verb(words: list[str]) -> int:
    """Return the place of a verb like `is` or `can` after a subject; 0 if there is none to turn."""
    for place, word in enumerate(words[: SUBJECT_WORDS + 1]):
        if word.lower() in _VERBS:
            return place if place + LEAST_TOLD < len(words) else 0
        if word[-1] in ",;:":  # what comes before is no subject
            return 0
    return 0


def _clause(words: list[str], place: int) -> int:
    """Count the words up to the first comma that leaves the verb something to say."""
    most = min(len(words), place + 1 + QUESTION_WORDS)
    ends = (n + 1 for n in range(place + LEAST_TOLD, most) if words[n][-1] in ",;:")
    return next(ends, most)


def _turn(words: list[str], place: int) -> list[str]:
    """List the questions that a subject, its verb at `place`, and the rest answer."""
    lowered = [word.lower() for word in words]
    subject, verb, rest = words[:place], lowered[place], words[place + 1 :]
    forms = [" ".join(["what", verb, *rest])]
    if lowered[0] not in _POINTING:
        if lowered[0] in _ARTICLES:
            subject[0] = lowered[0]
        forms.append(" ".join([verb, *subject, *rest]))
        if verb in _BE and rest[0].lower() in _ARTICLES:
            forms.append(" ".join(["what", verb, *subject]))
    return forms


def _weightiest(reading: Reading, found: list[str], number: int, apart: Sequence[str]) -> list[str]:
    """Choose the terms of highest tf-idf that are not in `apart`, in order of appearance."""
    counts = Counter(term for term in found if _is_keyword(term) and term not in apart)
    ranked = sorted(counts, key=lambda term: (-reading.weights[term], -counts[term], term))
    chosen: list[str] = []
    for term in ranked:
        if len(chosen) == number or not reading.weights[term]:
            break
        stem = term[: max(5, len(term) - 3)]  # `files` beside `file` adds nothing
        if not any(term.startswith(other) or other.startswith(stem) for other in chosen):
            chosen.append(term)
    return [term for term in counts if term in chosen]


def _is_keyword(term: str) -> bool:
    return len(term) > (2 if term.isascii() else 1) and not any(map(str.isdigit, term))
