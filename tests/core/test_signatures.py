"""Signatures: agree as far as the texts do, whatever else there is."""

import hashlib
import random

import numpy as np

from tasks.core.signatures import HASHES, sign


def draw_texts(seed: int, pairs: int, words: int) -> list[str]:
    """Draw texts and, behind each, one with some words replaced."""
    rng = random.Random(seed)
    texts = []
    for _ in range(pairs):
        text = [f"w{rng.randrange(3000)}" for _ in range(words)]
        other = list(text)
        for _ in range(rng.randrange(words // 4)):
            other[rng.randrange(words)] = f"w{rng.randrange(3000)}"
        texts += [" ".join(text), " ".join(other)]
    return texts


def jaccard(one: str, two: str) -> float:
    a, b = (
        {tuple(words[start : start + 3]) for start in range(len(words) - 2)}
        for words in (one.split(), two.split())
    )
    return len(a & b) / len(a | b)


def test_signatures_estimate_the_similarity_of_three_word_sets() -> None:
    texts = draw_texts(0, pairs=600, words=100)
    signatures = sign(texts)
    estimates = (signatures[::2] == signatures[1::2]).mean(axis=1)
    true = np.array([jaccard(*pair) for pair in zip(texts[::2], texts[1::2], strict=True)])
    expected = np.sqrt((true * (1 - true) / HASHES).mean())  # of a fair MinHash
    assert abs((estimates - true).mean()) < 4 * expected / np.sqrt(len(true))
    assert np.sqrt(((estimates - true) ** 2).mean()) < 1.15 * expected
    unrelated = (signatures[:-2:2] == signatures[2::2]).mean()
    assert unrelated < 0.01


def test_a_signature_depends_on_its_text_alone() -> None:
    texts = [*draw_texts(1, pairs=5, words=30), "", "one", "one two", "?!", "二つの語がある"]
    together = sign(texts)
    for row, text in enumerate(texts):
        assert np.array_equal(sign([text])[0], together[row])
    assert np.array_equal(sign(texts[::-1]), together[::-1])
    assert len(np.unique(together[-5:], axis=0)) == 5
    assert sign([]).shape == (0, HASHES)


def test_case_spacing_and_punctuation_do_not_count() -> None:
    one, two = sign(["The port is 80, by default.", "the PORT\n is  80 by default"])
    assert np.array_equal(one, two)
    for other in ("The port is 81, by default.", "The port by default is 80."):
        assert not np.array_equal(one, sign([other])[0])


def test_scripts_without_spaces_are_compared_too() -> None:
    text = "這個港口在星期一早上關閉直到中午為止請注意時間並提前安排行程"
    one, two, other = sign([text, text.replace("中午", "晚上"), "今天天氣很好我們去公園散步吧"])
    assert 0.5 < (one == two).mean() < 0.95
    assert (one == other).mean() < 0.05


def test_signatures_are_the_same_on_every_machine() -> None:
    digest = hashlib.sha256(sign(["A text that never changes.", ""]).astype("<u2").tobytes())
    assert digest.hexdigest()[:16] == "eaf471bd542251b5"
