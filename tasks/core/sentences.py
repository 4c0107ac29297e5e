"""Sentences of a passage that a person might have written to someone."""

import re
from collections.abc import Sequence
from itertools import pairwise

import sentencex

from .vocabulary import LETTER, words

Span = tuple[int, int]

LEAST_WORDS = 5
_BULLETS = "*\u2022\u2023\u2013-"
_ITEM = re.compile(
    rf"\n(?=[ \t]*(?:[{_BULLETS}]|\d+[.)]|>>>|\.\.\.|\.\.|:)\s?)|\n[ \t]*\n|\n(?=\s*[=~*^-]{{3}})"
)
_CODE = re.compile(
    r"\s*(?:>>>|\.\.\.|\.\. |[$#%] |@)|.*(?:https?://|::|->|==|\w\(\w*\)\.|\w = [\w.]+\()",
    re.DOTALL,
)
_PLAIN = re.compile(rf"{LETTER}+(?:[-'\u2019]{LETTER}+)*")
_PUNCTUATION = ".,;:!?()[]\"'\u201c\u201d\u2018\u2019\u3002"
_CLAUSE = re.compile(r"[,;:\u2013\u2014\u3001\uff0c\uff1a\uff1b]$")
_LISTED = re.compile(r"\S*\d\S*|\S+[,;](?!\S)")


def sentences(text: str) -> list[Span]:
    r"""Find the sentences of a text that read as prose, of at least five words.

    Code, tables, references, and lists of names are left out: in over half of a prose sentence's
    words there are only letters, and in over half of those no capital.

    Returns:
        Start and end of each sentence in `text`.

    >>> text = "Locks a file. It waits until the others are done.\n>>> lock('a')"
    >>> [text[slice(*span)] for span in sentences(text)]
    ['It waits until the others are done.']
    """
    found = []
    for boundary in sentencex.get_sentence_boundaries("en", text):
        for start, end in _items(text, boundary["start_index"], boundary["end_index"]):
            if _is_prose(text[start:end]):
                found.append((start, end))
    return found


def clause_starts(text: str, places: Sequence[Span], first: int, last: int) -> list[int]:
    """Number the words, from `first` to before `last`, that begin a sentence or its clauses."""
    return [
        number
        for number in range(first, last)
        if number == first or _CLAUSE.search(text[slice(*places[number - 1])])
    ]


def is_whole(stretch: str) -> bool:
    """Tell whether a stretch has both brackets of each pair and is no list of references.

    >>> is_whole("stays open (see below"), is_whole("Su et al., 2002; He, 2006; Yu et al., 2007")
    (False, False)
    """
    listed = len(_LISTED.findall(stretch))
    return all(
        stretch.count(left) == stretch.count(right) for left, right in ("()", "[]", "{}")
    ) and 5 * listed <= 2 * len(words(stretch))


def _items(text: str, start: int, end: int) -> list[Span]:
    """Cut a stretch where a list item or a paragraph begins, and trim white space."""
    cuts = [start, *(match.start() for match in _ITEM.finditer(text, start, end)), end]
    spans = []
    for first, last in pairwise(cuts):
        piece = text[first:last]
        left = len(piece) - len(piece.lstrip())
        spans.append((first + left, first + left + len(piece.strip())))
    return spans


def _is_prose(sentence: str) -> bool:
    found = [sentence[slice(*place)].strip(_PUNCTUATION) for place in words(sentence)]
    plain = [word for word in found if _PLAIN.fullmatch(word)]
    capital = sum(word[0].isupper() for word in plain)
    return (
        len(found) >= LEAST_WORDS
        and 2 * len(plain) > len(found)
        and 2 * capital < len(plain)
        and not _CODE.match(sentence)
    )
