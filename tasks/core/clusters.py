"""Clusters: texts that say nearly the same."""

import numpy as np

from .signatures import BANDS

BLOCK_PAIRS = 1 << 18  # compared at a time, in some 20 MB
FEW = 16  # texts of a bucket that are compared in step with those of all other buckets


def find_clusters(signatures: np.ndarray, similarity: float) -> np.ndarray:
    """Cluster texts that are nearly the same: links of `similarity`, followed as far as they go.

    Texts that agree in a whole band of their signatures are compared (locality-sensitive hashing).
    What is linked is linked wherever it stands: the clusters do not depend on the order of texts,
    and another text can only join clusters, never split one.

    Args:
        signatures: (texts, 126) uint16, from `sign`.
        similarity: Least share of equal numbers that links two texts, 0.7 to 1; of texts less
            alike, too many pairs share no band.

    Returns:
        (texts,) int64: the row of the first text of each text's cluster.
    """
    rows = np.ascontiguousarray(signatures)
    whole = rows.view(np.dtype((np.void, rows.shape[1] * rows.itemsize))).ravel()
    _, first, inverse = np.unique(whole, return_index=True, return_inverse=True)
    pairs = _Pairs(rows[first], similarity)
    roots = np.arange(len(first))
    for band in np.split(pairs.signatures, BANDS, axis=1):
        roots = _link(pairs, *_fill_buckets(band), roots)
    least = np.full(len(first), len(rows))
    np.minimum.at(least, roots, first)
    clusters: np.ndarray = least[roots][inverse]
    return clusters


class _Pairs:
    """Signatures, and which pairs of them are near enough."""

    def __init__(self, signatures: np.ndarray, similarity: float) -> None:
        self.signatures = signatures
        self._least = similarity * signatures.shape[1]
        bits = np.packbits((signatures & 1).astype(np.uint8), axis=1)
        self._bits = bits.view(np.uint64)

    def choose(self, left: np.ndarray, right: np.ndarray) -> np.ndarray:
        """Return the numbers of the pairs that are near."""
        chosen = [np.empty(0, np.int64)]
        for start in range(0, len(left), BLOCK_PAIRS):
            a, b = left[start : start + BLOCK_PAIRS], right[start : start + BLOCK_PAIRS]
            # where a bit differs the number does, so this drops nothing that is near
            differing = np.bitwise_count(self._bits[a] ^ self._bits[b]).sum(axis=1)
            likely = np.flatnonzero(differing <= self.signatures.shape[1] - self._least)
            same = self.signatures[a[likely]] == self.signatures[b[likely]]
            chosen.append(start + likely[same.sum(axis=1) >= self._least])
        return np.concatenate(chosen)


def _fill_buckets(band: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return the texts that agree with another in a band, bucket by bucket.

    Args:
        band: (texts, hashes).

    Returns:
        Their rows, and for each of these the place where its bucket ends.
    """
    keys = np.zeros(len(band), np.uint64)
    for column in band.T:
        keys = (keys ^ column) * np.uint64(0x9E3779B97F4A7C15)
        keys ^= keys >> np.uint64(32)
    order = np.argsort(keys, kind="stable")
    _, sizes = np.unique(keys, return_counts=True)
    is_shared = sizes > 1
    shared = sizes[is_shared]
    return order[np.repeat(is_shared, sizes)], np.repeat(np.cumsum(shared), shared)


def _link(pairs: _Pairs, rows: np.ndarray, ends: np.ndarray, roots: np.ndarray) -> np.ndarray:
    """Join the clusters of near texts that share a bucket."""
    places = np.arange(len(rows))
    for distance in range(1, FEW):  # of all buckets at once
        places = places[places + distance < ends[places]]
        left, right = rows[places], rows[places + distance]
        apart = roots[left] != roots[right]
        left, right = left[apart], right[apart]
        near = pairs.choose(left, right)
        roots = _join(roots, left[near], right[near])
    joined = [(rows[:0], rows[:0])]
    for end in np.unique(ends[places[places + FEW < ends[places]]]):
        members = rows[np.searchsorted(ends, end) : end]
        if (roots[members] != roots[members[0]]).any():
            joined.append((members, _settle(pairs, members, roots)))
    left, right = map(np.concatenate, zip(*joined, strict=True))
    return _join(roots, left, right)


def _settle(pairs: _Pairs, members: np.ndarray, roots: np.ndarray) -> np.ndarray:
    """Compare all members of a bucket that are not of one cluster; return whom each is joined to.

    Those of the largest cluster are not compared with each other: that is what makes a bucket of
    thousands of copies cheap.
    """
    _, first, inverse = np.unique(roots[members], return_index=True, return_inverse=True)
    local = first[inverse]
    outside = np.flatnonzero(local != np.bincount(local).argmax())
    step = max(1, BLOCK_PAIRS // len(members))
    for start in range(0, len(outside), step):
        some = outside[start : start + step]
        left, right = np.nonzero(local[some][:, None] != local)
        left = some[left]
        near = pairs.choose(members[left], members[right])
        local = _join(local, left[near], right[near])
    joined: np.ndarray = members[local]
    return joined


def _join(roots: np.ndarray, left: np.ndarray, right: np.ndarray) -> np.ndarray:
    """Join the clusters of pairs; a cluster's root is its least row."""
    while len(left):
        low = np.minimum(roots[left], roots[right])
        high = np.maximum(roots[left], roots[right])
        apart = low != high
        left, right, low, high = left[apart], right[apart], low[apart], high[apart]
        roots = roots.copy()
        np.minimum.at(roots, high, low)
        while not np.array_equal(shorter := roots[roots], roots):
            roots = shorter
    return roots
