"""Words of a corpus: what a text is made of, and how rare each word is."""

import re
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from itertools import groupby
from typing import Protocol

# Scripts without spaces: each character is a word.
_UNSPACED = (
    "\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff\u3040-\u30ff\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff"
)
# Vowel signs and accents, which `\w` leaves out and which would cut words in two.
_MARKS = "\u0300-\u036f\u0591-\u05c7\u0610-\u061a\u064b-\u065f\u0900-\u0963\u0966-\u0dff"
LETTER = rf"(?:[^\W\d_]|[{_MARKS}])"
_WORD = re.compile(rf"[{_UNSPACED}]|[^\s{_UNSPACED}]+")
_TERM = re.compile(rf"[{_UNSPACED}]|(?:[^\W_{_UNSPACED}]|[{_MARKS}])+")
# `dumpFile`, `HTTPServer`, `BytesIO`; but not `DUSPs` and `lncRNA`.
_HUMP = re.compile(
    r"(?<=[a-z0-9])(?=[A-Z][a-z])|(?<=[A-Z])(?=[A-Z][a-z]{2})|(?<=[a-z]{4})(?=[A-Z])"
)
_NAME = re.compile(r"[^\W\d]\w*(?:(?:\.|::|/|-|#)\w+)*(?:\(.*\))?", re.DOTALL)

RAREST = 8  # bits: one document in 256; beyond, rarity is that of typing errors and proper names
LEAST_DOCUMENTS = 16  # with fewer, every word would be common


def words(text: str) -> list[tuple[int, int]]:
    """Find the words of a text as a reader counts them, punctuation included.

    Returns:
        Start and end of each word; in scripts without spaces every character is one.

    >>> words("Use os.path, 今日")
    [(0, 3), (4, 12), (13, 14), (14, 15)]
    """
    return [match.span() for match in _WORD.finditer(text)]


def terms(text: str) -> list[str]:
    """List a text's terms: lower case, names taken apart.

    >>> terms("A ThreadPoolExecutor's max_workers, HTTPServer")
    ['a', 'thread', 'pool', 'executor', 's', 'max', 'workers', 'http', 'server']
    """
    found: list[str] = []
    for term in _TERM.findall(text):
        if term.islower():  # most are, and need no taking apart
            found.append(term)
        else:
            found += [part.lower() for part in _HUMP.split(term)]
    return found


def in_words(name: str) -> str:
    """Put a name into words; leave what is words already.

    >>> in_words("concurrent.futures.ThreadPoolExecutor")
    'concurrent futures thread pool executor'
    >>> in_words("How iOS apps use HTTP")
    'How iOS apps use HTTP'
    """
    if _NAME.fullmatch(name):
        return " ".join(term for term, _ in groupby(terms(name.partition("(")[0])))
    return " ".join(name.split())


class Rarity(Protocol):
    """Tells how rare a term is."""

    def rarity(self, term: str) -> int:
        """Tell in whole bits how rare a term is, from 0 to `RAREST`."""


@dataclass(frozen=True)
class Rarities:
    """Rarities of the terms of one passage; any other term counts as unseen."""

    bits: Mapping[str, int]

    @classmethod
    def of(cls, found: Iterable[str], vocabulary: Rarity) -> "Rarities":
        """Look terms up."""
        return cls({term: vocabulary.rarity(term) for term in found})

    def rarity(self, term: str) -> int:
        """Tell in whole bits how rare a term is."""
        return self.bits.get(term, RAREST)


@dataclass(frozen=True)
class Vocabulary:
    """In how many documents of a corpus each term occurs.

    Attributes:
        documents: Number of documents.
        frequencies: Documents that hold a term, by term.
    """

    documents: int
    frequencies: Mapping[str, int]

    @classmethod
    def count(cls, documents: Iterable[Iterable[str]]) -> "Vocabulary":
        """Count the terms of documents, each given as its passages.

        >>> Vocabulary.count([["a b"], ["a", "a"]]).frequencies["a"]
        2
        """
        frequencies: Counter[str] = Counter()
        number = 0
        for passages in documents:
            number += 1
            frequencies.update({term for passage in passages for term in terms(passage)})
        return cls(number, frequencies)

    def rarity(self, term: str) -> int:
        """Tell in whole bits how rare a term is: 0 in over half of the documents, 8 in one of 256.

        Whole bits of a share, and no more than 8, so that a corpus can grow without changing
        which words of an old passage count as telling.

        >>> Vocabulary(1000, {"the": 900, "lock": 60}).rarity("lock")
        4
        """
        documents = max(self.documents, LEAST_DOCUMENTS)
        share = documents // max(self.frequencies.get(term, 1), 1)
        return min(max(share.bit_length() - 1, 0), RAREST)
