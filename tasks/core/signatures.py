"""Signatures: a few numbers per text that agree as far as the texts do."""

import re
from collections.abc import Sequence
from hashlib import blake2b
from itertools import chain

import numpy as np

BANDS = 21
BAND_HASHES = 6  # two texts four fifths alike share a band with a chance of .998
HASHES = BANDS * BAND_HASHES
SHINGLE_WORDS = 3
# Scripts without spaces (Thai to Lao, Burmese, Khmer, kana, Han): each character is a word.
_WORD = re.compile(
    r"[\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff\u3040-\u30ff\u3400-\u9fff]|[^\W\u0e00-\u0eff"
    r"\u1000-\u109f\u1780-\u17ff\u3040-\u30ff\u3400-\u9fff]+"
)
_ODD = np.uint64(0x9E3779B97F4A7C15)


def sign(texts: Sequence[str]) -> np.ndarray:
    """Return the MinHash signatures of texts.

    The share of numbers in which two signatures agree estimates, within .04, the Jaccard similarity
    of the texts' sets of three consecutive words; case, spacing, and punctuation do not count. Of
    each least hash 16 bits are kept, which is enough (arXiv:0910.3349). A text's signature depends
    on it alone, and is the same on every machine.

    Args:
        texts: Texts; one without words has the signature of its characters.

    Returns:
        (texts, 126) uint16.
    """
    words = [_words(text) for text in texts]
    flat = _hash_words(words)
    shingles = flat
    for step in range(1, SHINGLE_WORDS):
        shingles = _mix(shingles[:-1] * _ODD + flat[step:])
    counts = np.array([len(found) - SHINGLE_WORDS + 1 for found in words], np.int64)
    starts = np.cumsum(counts) - counts
    gaps = np.repeat(np.arange(len(texts)) * (SHINGLE_WORDS - 1), counts)  # across two texts
    return _least(shingles[np.arange(counts.sum()) + gaps], starts)


def count_words(text: str) -> int:
    """Count words as signatures see them.

    >>> count_words("Two words."), count_words("二つの語")
    (2, 4)
    """
    return len(_WORD.findall(text))


def _words(text: str) -> list[str]:
    """Return the words of a text, made up to those of one shingle."""
    folded = text.casefold()
    words = _WORD.findall(folded) or ["".join(folded.split())]
    return words + [""] * (SHINGLE_WORDS - len(words))


def _hash_words(words: Sequence[Sequence[str]]) -> np.ndarray:
    """Hash all words of all texts, (words,) uint64; each distinct one is hashed once."""
    hashes: dict[str, int] = {}
    for word in chain.from_iterable(words):
        if word not in hashes:
            digest = blake2b(word.encode("utf-8", "surrogatepass"), digest_size=8).digest()
            hashes[word] = int.from_bytes(digest, "little")
    return np.fromiter((hashes[word] for word in chain.from_iterable(words)), np.uint64)


def _mix(values: np.ndarray) -> np.ndarray:
    """Let every bit of 64 decide about all others (the finalizer of splitmix64)."""
    values = (values ^ (values >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    values = (values ^ (values >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    mixed: np.ndarray = values ^ (values >> np.uint64(31))
    return mixed


def _least(shingles: np.ndarray, starts: np.ndarray) -> np.ndarray:
    """Return per text and hash function the least hash of its shingles, (texts, 126) uint16."""
    signatures = np.empty((len(starts), HASHES), np.uint16)
    if not len(starts):
        return signatures
    factors = _mix(np.arange(1, 2 * HASHES + 1, dtype=np.uint64) * _ODD)
    for number, (factor, summand) in enumerate(factors.reshape(HASHES, 2)):
        # multiply-shift: the upper half of (a x + b) mod 2^64, a odd
        hashes = (shingles * (factor | np.uint64(1)) + summand) >> np.uint64(32)
        signatures[:, number] = np.minimum.reduceat(hashes, starts) & np.uint64(0xFFFF)
    return signatures
