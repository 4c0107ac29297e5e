"""Texts as tokens, each text tokenized once however often it is read."""

from array import array
from collections.abc import Callable, Iterable, Sequence
from hashlib import blake2b
from itertools import islice

from .encoder import Kind

Tokenize = Callable[[Sequence[str], Kind], list[list[int]]]

TEXTS_AT_ONCE = 4096  # enough for a tokenizer's threads, few enough for its objects


class TokenStore:
    """The tokens of every text that was met, four bytes each, end to end in one array.

    A text is known by a hash of what it says, so that texts that are made anew in every batch, as
    documents with a span hidden are, need not be kept to be recognised.

    >>> met = []
    >>> def tokenize(texts, kind):
    ...     met.extend(texts)
    ...     return [[len(word) for word in text.split()] for text in texts]
    >>> store = TokenStore(tokenize)
    >>> store.tokenize(["two words", "one"], "query"), store.tokenize(["one"], "query")
    ([[3, 5], [3]], [[3]])
    >>> met
    ['two words', 'one']
    """

    def __init__(self, tokenize: Tokenize) -> None:
        """Start empty.

        Args:
            tokenize: Gives the tokens of each text, whatever the others are: numbers of at most 31
                bits and a sign.
        """
        self._tokenize = tokenize
        self._places: dict[tuple[Kind, bytes], int] = {}
        self._ids = array("i")
        self._ends = array("q", [0])

    def __len__(self) -> int:
        """Return the number of texts."""
        return len(self._places)

    def add(self, texts: Iterable[str], kind: Kind) -> None:
        """Tokenize the texts that are new, many at a time."""
        rest = iter(texts)
        while block := list(islice(rest, TEXTS_AT_ONCE)):
            self._place(block, kind)

    def tokenize(self, texts: Sequence[str], kind: Kind) -> list[list[int]]:
        """Return the tokens of each text; those of a text that is new are kept."""
        return [
            self._ids[self._ends[place] : self._ends[place + 1]].tolist()
            for place in self._place(texts, kind)
        ]

    def _place(self, texts: Sequence[str], kind: Kind) -> list[int]:
        keys = [(kind, _hash(text)) for text in texts]
        fresh = {
            key: text for key, text in zip(keys, texts, strict=True) if key not in self._places
        }
        found = self._tokenize(list(fresh.values()), kind) if fresh else []
        for key, ids in zip(fresh, found, strict=True):
            self._places[key] = len(self._places)
            self._ids.extend(ids)
            self._ends.append(len(self._ids))
        return [self._places[key] for key in keys]


def _hash(text: str) -> bytes:
    return blake2b(text.encode("utf-8", "surrogatepass"), digest_size=16).digest()
