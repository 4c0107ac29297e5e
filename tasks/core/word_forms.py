"""How rare a word is by its form alone: whatever else a corpus holds, it stays as rare."""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache

from .vocabulary import RAREST

NUMBER = 3  # bits
UNSPACED = 4  # bits of a character that is a word


@dataclass(frozen=True)
class WordForms:
    """Guesses rarities: none for function words, and more for longer words (Zipf's law of brevity).

    Function words are those of the languages that BM25 has lists for; in others length must do.
    """

    def rarity(self, term: str) -> int:
        """Tell in whole bits how rare a term of this form is, from 0 to `RAREST`.

        >>> [WordForms().rarity(term) for term in ("which", "gene", "septicaemia", "2019", "冠")]
        [0, 4, 7, 3, 4]
        """
        if term in _function_words():
            return 0
        if term.isdigit():
            return NUMBER
        if len(term) == 1:
            return 2 if term.isascii() else UNSPACED
        return min(len(term) // 2 + 2, RAREST)


@cache
def _function_words() -> Mapping[str, None]:
    import bm25s.stopwords

    lists = (words for name, words in vars(bm25s.stopwords).items() if name.startswith("STOPWORDS"))
    return dict.fromkeys(word for words in lists for word in words)
