"""Splits: which documents are trained on and which are kept for evaluation."""

import hashlib
from collections.abc import Iterable, Mapping, Sequence
from typing import Literal

Split = Literal["train", "dev", "test"]

# Fewer documents than these cannot choose a layer, so small corpora give more than their fraction.
LEAST_DOCUMENTS = 3
LEAST_DIVISOR = 8  # but never more than one document in eight

_STRENGTH: Mapping[Split, int] = {"train": 0, "dev": 1, "test": 2}


def draw(*parts: object) -> float:
    """Decide by content alone: map `parts` to a number in [0, 1), the same on every machine.

    >>> draw("a", 1) == draw("a", 1) != draw("a", 2)
    True
    """
    return int(digest(*parts)[:12], 16) / 2**48


def digest(*parts: object) -> str:
    """Hash `parts` to 64 hexadecimal digits, the same on every machine."""
    joined = "\0".join(map(str, parts))
    return hashlib.sha256(joined.encode("utf-8", "surrogatepass")).hexdigest()


def assign_splits(
    document_ids: Sequence[str],
    evaluation: Mapping[str, Split],
    *,
    dev_fraction: float,
    test_fraction: float,
    families: Mapping[str, str] | None = None,
) -> dict[str, Split]:
    """Split documents by the hash of their family's id, so that none moves when others come and go.

    In a corpus too small for its fractions, the families that come next by hash fill dev and
    test up to `LEAST_DOCUMENTS`; there alone, a new document can send one of these back.

    Args:
        document_ids: Documents of the corpus, in any order.
        evaluation: Documents that answer a human dev or test question belong there, and the rest
            of their family with them.
        dev_fraction: Share of the other families kept to choose a layer; 0 keeps none.
        test_fraction: Share of the other families kept to judge the result; 0 keeps none.
        families: For a document that says much the same as others, the id that stands for all of
            them; by default no document has a family.

    Returns:
        The split of every document.

    Raises:
        ValueError: the fractions leave nothing to train on.
    """
    if dev_fraction + test_fraction >= 1:
        raise ValueError(
            f"dev_fraction {dev_fraction} and test_fraction {test_fraction} leave nothing to "
            "train on; their sum must be under 1."
        )
    family = {name: (families or {}).get(name, name) for name in document_ids}
    claimed: dict[str, Split] = {}
    for document_id, split in evaluation.items():
        name = family.get(document_id, document_id)
        claimed[name] = strongest([split, claimed.get(name, split)])
    draws = {name: draw(name) for name in family.values()}
    splits: dict[str, Split] = {
        name: claimed.get(name)
        or _by_hash(value, dev_fraction=dev_fraction, test_fraction=test_fraction)
        for name, value in draws.items()
    }
    ordered = sorted(draws, key=lambda name: (draws[name], name))
    least = min(LEAST_DOCUMENTS, len(draws) // LEAST_DIVISOR)
    if test_fraction:
        _fill_up(splits, ordered, "test", least)
    if dev_fraction:
        _fill_up(splits, reversed(ordered), "dev", least)
    return {document_id: splits[name] for document_id, name in family.items()}


def strongest(splits: Iterable[Split]) -> Split:
    """Return the split that wins: test over dev over train.

    >>> strongest(["train", "test", "dev"])
    'test'
    """
    return max(splits, key=_STRENGTH.__getitem__)


def find_straddling(
    clusters: Iterable[str], document_ids: Iterable[str], splits: Mapping[str, Split]
) -> set[str]:
    """Name the clusters of near-duplicates that more than one split has a passage of.

    Args:
        clusters: Cluster of each passage.
        document_ids: Document of each passage; one that has no split does not count.
        splits: Split of every document.

    >>> find_straddling("xxyy", "abab", {"a": "train", "b": "test"}) == {"x", "y"}
    True
    >>> find_straddling("xxyy", "abba", {"a": "train", "b": "train"})
    set()
    """
    first: dict[str, Split] = {}
    return {
        cluster
        for cluster, document_id in zip(clusters, document_ids, strict=True)
        if document_id in splits
        and first.setdefault(cluster, splits[document_id]) != splits[document_id]
    }


def _by_hash(value: float, *, dev_fraction: float, test_fraction: float) -> Split:
    if value < test_fraction:
        return "test"
    return "dev" if value < test_fraction + dev_fraction else "train"


def _fill_up(splits: dict[str, Split], candidates: Iterable[str], split: Split, least: int) -> None:
    missing = least - sum(found == split for found in splits.values())
    for document_id in candidates:
        if missing <= 0:
            return
        if splits[document_id] == "train":
            splits[document_id] = split
            missing -= 1
