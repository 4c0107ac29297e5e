"""How sure a mean over queries is: percentile bootstraps, plain and paired."""

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

RESAMPLES = 10_000  # the interval's ends then move by less than a hundredth of its width
CONFIDENCE = 0.95
BLOCK_CELLS = 2**22  # cells of one block of resampling weights: 32 MiB


class Interval(NamedTuple):
    """A mean over queries (or a mean difference) and its bootstrap interval."""

    value: float
    low: float
    high: float


def bootstrap_mean(
    values: ArrayLike,
    *,
    resamples: int = RESAMPLES,
    seed: int = 0,
    confidence: float = CONFIDENCE,
) -> Interval:
    """Return the mean of `values` and its percentile interval (Efron 1979).

    Args:
        values: (queries,) one value per query; queries are what is resampled.
        resamples: Number of resampled means.
        seed: Seed of the resampling; the same seed and number of queries draw the same queries.
        confidence: Share of the resampled means inside the interval.

    Raises:
        ValueError: there are no queries, or a value is not finite.

    >>> bootstrap_mean([0.5, 0.5, 0.5])
    Interval(value=0.5, low=0.5, high=0.5)
    """
    rows = np.atleast_1d(np.asarray(values, dtype=np.float64))[None, :]
    return bootstrap_means(rows, resamples=resamples, seed=seed, confidence=confidence)[0]


def bootstrap_means(
    rows: ArrayLike,
    *,
    resamples: int = RESAMPLES,
    seed: int = 0,
    confidence: float = CONFIDENCE,
) -> list[Interval]:
    """Return the interval of every row's mean, all from the same resampled queries.

    Args:
        rows: (rows, queries) several values per query.
        resamples: Number of resampled means.
        seed: Seed of the resampling.
        confidence: Share of the resampled means inside the interval.

    Raises:
        ValueError: there are no queries, or a value is not finite.
    """
    table = np.asarray(rows, dtype=np.float64)
    if table.ndim != 2 or table.shape[1] == 0:
        raise ValueError(f"A mean needs at least one query; the values have shape {table.shape}.")
    if not np.isfinite(table).all():
        raise ValueError("A value per query is not a finite number; every query must have one.")
    means = np.concatenate(
        [counts @ table.T / table.shape[1] for counts in _draws(table.shape[1], resamples, seed)]
    )
    tail = (1 - confidence) / 2
    lows, highs = np.quantile(means, [tail, 1 - tail], axis=0)
    return [
        Interval(float(value), float(low), float(high))
        for value, low, high in zip(table.mean(axis=1), lows, highs, strict=True)
    ]


def paired_bootstrap(
    a: ArrayLike,
    b: ArrayLike,
    *,
    resamples: int = RESAMPLES,
    seed: int = 0,
    confidence: float = CONFIDENCE,
) -> Interval:
    """Return the mean of `a - b` and its interval, resampling queries as pairs.

    What makes a query hard makes it hard for both, so the interval of the difference is far
    narrower than two intervals side by side (Koehn 2004).

    Args:
        a: (queries,) values of one system.
        b: (queries,) values of the other, of the same queries in the same order.
        resamples: Number of resampled means.
        seed: Seed of the resampling.
        confidence: Share of the resampled differences inside the interval.

    Raises:
        ValueError: the two have different shapes, no queries, or a value that is not finite.

    >>> paired_bootstrap([0.5, 0.75], [0.25, 0.5])
    Interval(value=0.25, low=0.25, high=0.25)
    """
    first, second = np.asarray(a, dtype=np.float64), np.asarray(b, dtype=np.float64)
    if first.shape != second.shape:
        raise ValueError(
            f"A paired comparison needs the same queries on both sides; the shapes are "
            f"{first.shape} and {second.shape}."
        )
    return bootstrap_mean(first - second, resamples=resamples, seed=seed, confidence=confidence)


def _draws(queries: int, resamples: int, seed: int) -> Iterator[NDArray[np.float64]]:
    """Yield blocks of (resamples, queries): how often each query was drawn, with replacement."""
    generator = np.random.default_rng(seed)
    block = max(1, BLOCK_CELLS // queries)
    for start in range(0, resamples, block):
        size = min(block, resamples - start)
        drawn = generator.integers(0, queries, size=(size, queries))
        drawn += np.arange(size)[:, None] * queries
        counts = np.bincount(drawn.ravel(), minlength=size * queries)
        yield counts.reshape(size, queries).astype(np.float64)
