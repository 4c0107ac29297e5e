"""BM25 beside its formula, word by word."""

import re
from math import log

import numpy as np
import pytest

from tasks.core.lexical import LexicalIndex

TEXTS = [
    "The socket is closed. Close the socket again and nothing happens.",
    "Open a file for reading; the file is closed by `with`.",
    "Émile mesure la température de l'été: 37 °C",
    "x",
    "",
    "A socket, a file, and a C compiler",
]


def words(text: str) -> list[str]:
    return re.findall(r"\b\w+\b", text.lower())


def slow_bm25(query: str, text: str, texts: list[str]) -> float:
    mean = sum(len(words(other)) for other in texts) / len(texts)
    total = 0.0
    for word in words(query):
        containing = sum(word in words(other) for other in texts)
        if containing:
            idf = log(1 + (len(texts) - containing + 0.5) / (containing + 0.5))
            count = words(text).count(word)
            total += idf * count / (count + 1.5 * (1 - 0.75 + 0.75 * len(words(text)) / mean))
    return total


@pytest.mark.parametrize("query", ["closed socket", "socket socket file", "c", "Été", "the a"])
def test_scores_equal_the_formula(query: str) -> None:
    index = LexicalIndex(TEXTS)
    (rows,), (scores,) = index.search([query], len(TEXTS))
    expected = [slow_bm25(query, text, TEXTS) for text in TEXTS]
    order = sorted((-score, row) for row, score in enumerate(expected) if score > 0)
    assert [row for row in rows if row >= 0] == [row for _, row in order]
    assert scores[: len(order)] == pytest.approx([-score for score, _ in order], rel=1e-5)
    for text, score in zip(TEXTS, expected, strict=True):
        assert index.score(query, text) == pytest.approx(score)


def test_a_hidden_span_is_scored_without_its_words() -> None:
    index = LexicalIndex(TEXTS)
    masked = "Close the socket again and nothing happens."
    assert index.score("closed socket", masked) == pytest.approx(
        slow_bm25_outside("closed socket", masked)
    )
    assert index.score("closed socket", masked) < index.score("closed socket", TEXTS[0])


def slow_bm25_outside(query: str, text: str) -> float:
    """Score a text with the statistics of TEXTS, to which it does not belong."""
    mean = sum(len(words(other)) for other in TEXTS) / len(TEXTS)
    norm = 1.5 * (0.25 + 0.75 * len(words(text)) / mean)
    total = 0.0
    for word in words(query):
        containing = sum(word in words(other) for other in TEXTS)
        count = words(text).count(word)
        idf = log(1 + (len(TEXTS) - containing + 0.5) / (containing + 0.5))
        total += idf * count / (count + norm)
    return total


def test_equal_scores_come_in_order_of_rows_at_any_depth() -> None:
    index = LexicalIndex(["same words"] * 9 + ["other"])
    for k in (1, 4, 9):
        assert index.search(["words"], k)[0].tolist() == [list(range(k))]


@pytest.mark.parametrize("query", ["", "?!", "unseen"])
def test_a_query_without_known_words_finds_nothing(query: str) -> None:
    rows, scores = LexicalIndex(TEXTS).search([query], 3)
    assert rows.tolist() == [[-1, -1, -1]]
    assert np.isneginf(scores).all()


def test_texts_without_words_find_nothing() -> None:
    index = LexicalIndex(["", "?"])
    assert index.search(["word"], 2)[0].tolist() == [[-1, -1]]
    assert index.score("word", "word") == 0
