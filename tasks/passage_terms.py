"""Terms of passages, kept across runs: reading words is most of what a query costs."""

from collections.abc import Sequence
from pathlib import Path

import pyarrow as pa

from .core import vocabulary
from .core.splits import digest
from .core.vocabulary import terms
from .memo import Memo
from .stage import fingerprint_code

TERMS = pa.list_(pa.string())


def read_terms(root: Path, texts: Sequence[str]) -> pa.ChunkedArray:
    """Return the distinct terms of each text, sorted; what was read before is not read again.

    Args:
        root: Folder of all nouns.
        texts: Composed passages.

    Returns:
        (texts,) lists of strings.
    """
    keys = [digest(text)[:32] for text in texts]
    items = dict(zip(keys, texts, strict=True))
    memo = Memo(root, "terms", {"code": fingerprint_code(vocabulary)}, TERMS)
    found = memo.fill(items, lambda some: [sorted(set(terms(text))) for text in some])
    if len(items) == len(keys):
        return found
    places = {key: place for place, key in enumerate(items)}
    return found.take(pa.array([places[key] for key in keys], pa.int64()))
