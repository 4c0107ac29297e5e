"""Terms of all passages at once, as Arrow lists: document frequencies and rarities."""

from itertools import pairwise

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from .vocabulary import Rarity, Vocabulary


def count_terms(lists: pa.ChunkedArray, documents: np.ndarray) -> Vocabulary:
    """Count in how many documents each term occurs, as `Vocabulary.count` does.

    Args:
        lists: (passages,) lists of distinct terms.
        documents: (passages,) int64, the number of each passage's document.

    >>> lists = pa.chunked_array([[["a", "b"], ["a"], ["b"]]])
    >>> count_terms(lists, np.array([0, 0, 1])).frequencies
    {'a': 1, 'b': 2}
    """
    codes, dictionary = _encode(lists)
    owners = np.repeat(documents, _lengths(lists))
    # a term counts once per document: pairs of document and term, each once
    distinct = np.unique(owners * max(len(dictionary), 1) + codes)
    counts = np.bincount(distinct % max(len(dictionary), 1), minlength=len(dictionary))
    frequencies = dict(zip(dictionary.to_pylist(), counts.tolist(), strict=True))
    return Vocabulary(len(np.unique(documents)), frequencies)


def list_rarities(lists: pa.ChunkedArray, vocabulary: Rarity) -> list[bytes]:
    """Return the rarity of each passage's terms, one byte per term, in the order of the lists."""
    codes, dictionary = _encode(lists)
    bits = np.array([vocabulary.rarity(term) for term in dictionary.to_pylist()], dtype=np.uint8)
    joined = bits[codes].tobytes()
    ends = np.concatenate([[0], np.cumsum(_lengths(lists))]).tolist()
    return [joined[start:end] for start, end in pairwise(ends)]


def _encode(lists: pa.ChunkedArray) -> tuple[np.ndarray, pa.Array]:
    """Number the terms of all lists, one after the other."""
    terms = pa.chunked_array([chunk.flatten() for chunk in lists.chunks], pa.string())
    encoded = terms.dictionary_encode().unify_dictionaries()
    if not encoded.num_chunks:
        return np.zeros(0, np.int64), pa.array([], pa.string())
    codes = np.concatenate([chunk.indices.to_numpy() for chunk in encoded.chunks])
    return codes.astype(np.int64), encoded.chunk(0).dictionary


def _lengths(lists: pa.ChunkedArray) -> np.ndarray:
    return np.asarray(pc.list_value_length(lists).to_numpy(), dtype=np.int64)
