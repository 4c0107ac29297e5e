"""Terms of all passages at once: the same as counting them one by one."""

from pydoc_data.topics import topics

import numpy as np
import pyarrow as pa
import pytest

from tasks.core.term_counts import count_terms, list_rarities
from tasks.core.vocabulary import Vocabulary, terms

DOCUMENTS = [text.split("\n\n") for text in topics.values()][:30]
TEXTS = [text for document in DOCUMENTS for text in document]
NUMBERS = np.repeat(np.arange(30), [len(document) for document in DOCUMENTS])
LISTS = [sorted(set(terms(text))) for text in TEXTS]


@pytest.mark.parametrize("chunk", [1, 7, 10_000])
def test_counts_and_rarities_agree_with_the_slow_reference(chunk: int) -> None:
    parts = [LISTS[start : start + chunk] for start in range(0, len(LISTS), chunk)]
    lists = pa.chunked_array(parts, pa.list_(pa.string()))
    reference = Vocabulary.count(DOCUMENTS)
    counted = count_terms(lists, NUMBERS)
    assert counted.documents == reference.documents
    assert counted.frequencies == reference.frequencies
    for found, bits in zip(LISTS, list_rarities(lists, counted), strict=True):
        assert list(bits) == [reference.rarity(term) for term in found]


def test_no_passages_have_no_terms() -> None:
    empty = pa.chunked_array([], pa.list_(pa.string()))
    assert count_terms(empty, np.zeros(0, np.int64)).documents == 0
    assert list_rarities(empty, Vocabulary(0, {})) == []
    blank = pa.chunked_array([[[], ["a"], []]], pa.list_(pa.string()))
    assert count_terms(blank, np.arange(3)).frequencies == {"a": 1}
    assert list_rarities(blank, Vocabulary(64, {"a": 1})) == [b"", b"\x06", b""]
