"""BM25: the baseline that knows words alone."""

import logging
from collections.abc import Callable, Sequence

import bm25s
import numpy as np
from numpy.typing import NDArray

from .ranking import EMPTY, Rows, Values

# The defaults of bm25s (arXiv:2407.03618), which are Lucene's formula with Elasticsearch's b and
# the k1 of most papers.
K1 = 1.5
B = 0.75
WORD = r"(?u)\b\w+\b"


class LexicalIndex:
    """An index of words, scored by `sum over query words of idf * tf / (tf + k1 * norm)`.

    `idf = ln(1 + (N - df + .5) / (df + .5))` and `norm = 1 - b + b * words / mean words`: Lucene's
    BM25 without its rounding of lengths (Kamphuis et al. 2020, doi:10.1007/978-3-030-45442-5_4).
    Words are runs of letters, digits, and underscores in lower case, neither stemmed nor stopped:
    no language is assumed (rare words weigh most anyway), and on English corpora this scores no
    less than stop words do. What is written without spaces (Chinese, Japanese, Thai) is not cut
    into words, and BM25 is weak there.
    """

    def __init__(self, texts: Sequence[str]) -> None:
        """Index texts; a text's row is its place in `texts`."""
        tokens = _tokenize(texts)
        self._size = len(tokens)
        self._mean_length = sum(map(len, tokens)) / max(self._size, 1)
        self._index: bm25s.BM25 | None = None
        logging.getLogger("bm25s").setLevel(logging.WARNING)  # it sets itself to DEBUG
        if self._mean_length:  # bm25s cannot index no words at all
            self._index = bm25s.BM25(k1=K1, b=B, method="lucene")
            self._index.index(tokens, show_progress=False)

    def search(
        self,
        queries: Sequence[str],
        k: int,
        *,
        advance: Callable[[int], object] = lambda count: None,
    ) -> tuple[Rows, Values]:
        """Return the best texts of each query; a text without any of its words is none.

        Args:
            queries: Any number of queries.
            k: Texts wanted per query.
            advance: Told the number of queries done.

        Returns:
            Rows and scores, (queries, k), best first, equal scores by row; -1 and -inf for none.
        """
        rows = np.full((len(queries), k), EMPTY, dtype=np.int64)
        scores = np.full((len(queries), k), -np.inf, dtype=np.float32)
        for number, words in enumerate(_tokenize(queries)):
            found = self._scores(words)
            hits = np.flatnonzero(found > 0)
            if len(hits) > k:  # those that tie with the last one stay in, for the row to decide
                hits = hits[found[hits] >= -np.partition(-found[hits], k - 1)[k - 1]]
            best = hits[np.lexsort((hits, -found[hits]))][:k]
            rows[number, : len(best)] = best
            scores[number, : len(best)] = found[best]
            advance(1)
        return rows, scores

    def score(self, query: str, text: str) -> float:
        """Score a text that is not in the index, such as one with a span hidden.

        The frequencies of words stay those of the index.
        """
        if self._index is None:
            return 0.0
        (words,), (text_words,) = _tokenize([query]), _tokenize([text])
        starts = self._index.scores["indptr"]
        norm = 1 - B + B * len(text_words) / self._mean_length
        total = 0.0
        for word in words:
            number = self._index.vocab_dict.get(word)
            if number is None or number + 1 >= len(starts):
                continue
            texts = int(starts[number + 1] - starts[number])
            inverse = np.log(1 + (self._size - texts + 0.5) / (texts + 0.5))
            count = text_words.count(word)
            total += float(inverse) * count / (count + K1 * norm)
        return total

    def _scores(self, words: list[str]) -> NDArray[np.float32]:
        known = [] if self._index is None else self._index.get_tokens_ids(words)
        if self._index is None or not known:
            return np.zeros(self._size, dtype=np.float32)
        scores: NDArray[np.float32] = self._index.get_scores_from_ids(known)
        return scores


def _tokenize(texts: Sequence[str]) -> list[list[str]]:
    tokens: list[list[str]] = bm25s.tokenize(
        list(texts), stopwords=None, token_pattern=WORD, return_ids=False, show_progress=False
    )
    return tokens
