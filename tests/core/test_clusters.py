"""Clusters: near texts and only these, in whatever order they come."""

import numpy as np
import pytest

from tasks.core.clusters import FEW, find_clusters
from tasks.core.signatures import HASHES


def draw(count: int, seed: int) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, 2**16, (count, HASHES), dtype=np.uint16)


def change(signatures: np.ndarray, numbers: int, seed: int) -> np.ndarray:
    """Replace some numbers of each signature."""
    rng = np.random.default_rng(seed)
    changed = signatures.copy()
    for row in changed:
        row[rng.choice(HASHES, numbers, replace=False)] += 1
    return changed


def slowly(signatures: np.ndarray, similarity: float) -> np.ndarray:
    """Compare every text with every other, and follow the links."""
    near = (signatures[:, None] == signatures).sum(axis=2) >= similarity * HASHES
    clusters = np.arange(len(signatures))
    for _ in signatures:
        clusters = np.array([clusters[row].min() for row in near])
    return clusters


def corpus(seed: int) -> np.ndarray:
    """Draw texts of all kinds: alone, copies, chains, and a crowd around one."""
    alone = draw(120, seed)
    copies = change(alone[:40], 10, seed + 1)
    chain = [alone[50:51]]
    for step in range(6):
        chain.append(change(chain[-1], 12, seed + step))  # its ends are far apart
    crowd = change(np.repeat(alone[60:61], 4 * FEW, axis=0), 11, seed + 2)
    apart = change(alone[70:110], 60, seed + 3)
    return np.concatenate([alone, copies, copies[:5], *chain, crowd, apart])


@pytest.mark.parametrize("seed", range(3))
def test_clusters_are_those_of_comparing_all_with_all(seed: int) -> None:
    signatures = corpus(seed)
    found = find_clusters(signatures, 0.8)
    assert np.array_equal(found, slowly(signatures, 0.8))
    assert len(np.unique(found)) == 160
    assert np.array_equal(find_clusters(signatures, 1.0), slowly(signatures, 1.0))


def test_the_order_of_texts_changes_no_cluster() -> None:
    signatures = corpus(7)
    order = np.random.default_rng(0).permutation(len(signatures))
    forth, back = find_clusters(signatures, 0.8), find_clusters(signatures[order], 0.8)
    together = (forth[:, None] == forth)[np.ix_(order, order)]
    assert np.array_equal(together, back[:, None] == back)


def test_another_text_splits_no_cluster() -> None:
    signatures = corpus(8)
    before = find_clusters(signatures[: len(signatures) // 2], 0.8)
    after = find_clusters(signatures, 0.8)[: len(before)]
    assert (after[before] == after).all()


def test_a_crowd_of_nearly_near_texts_is_compared_in_full() -> None:
    signatures = change(np.repeat(draw(1, 3), 150, axis=0), 14, 4)  # some 27 apart from each other
    assert np.array_equal(find_clusters(signatures, 0.8), slowly(signatures, 0.8))


def test_few_pairs_at_the_threshold_are_missed() -> None:
    one = draw(2000, 5)
    found = find_clusters(np.concatenate([one, change(one, HASHES // 5, 6)]), 0.8)
    assert (found[:2000] == found[2000:]).mean() > 0.99


def test_there_may_be_nothing_to_cluster() -> None:
    assert find_clusters(draw(0, 0), 0.8).tolist() == []
    assert find_clusters(draw(1, 0), 0.8).tolist() == [0]
