"""What is good enough to keep and what is better: the layer to cut to, and the gate's question."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike

from .statistics import CONFIDENCE, RESAMPLES, paired_bootstrap

ROUNDING = 1e-9  # a loss of exactly the tolerance is within it, whatever the last bit says


@dataclass(frozen=True)
class LayerRow:
    """One layer beside the best: `difference`, `low`, and `high` are its value minus the best's."""

    layer: int
    value: float
    difference: float
    low: float
    high: float
    cost: float
    is_within: bool


@dataclass(frozen=True)
class Choice:
    """The layer to keep, the one it was measured against, and why, for a person to read."""

    layer: int
    best_layer: int
    reason: str
    rows: tuple[LayerRow, ...]


class Comparison(NamedTuple):
    """How much better a candidate is than its opponent, per query, and whether that is luck."""

    difference: float
    low: float
    high: float
    is_beyond_chance: bool


def choose_layer(
    values: Mapping[int, ArrayLike],
    costs: Mapping[int, float],
    *,
    tolerance: float,
    resamples: int = RESAMPLES,
    seed: int = 0,
) -> Choice:
    """Choose the cheapest layer that surely loses no more than `tolerance` against the best.

    A layer is within tolerance if the low end of the paired 95 % bootstrap interval of its
    difference to the best layer is at least `-tolerance * mean(best)`; so few or noisy queries
    cut fewer layers, never more. The best itself always is.

    Args:
        values: Layer to (queries,) values of one metric, the same queries at every layer.
        costs: Layer to the cost of encoding a passage, in any unit.
        tolerance: Largest loss accepted, as a fraction of the best layer's mean, 0 to 1.
        resamples: Number of resampled means behind an interval.
        seed: Seed of the resampling.

    Returns:
        The choice, with one row per layer in the order of layers.

    Raises:
        ValueError: no layer, a layer without a cost, no queries, or a tolerance outside 0 to 1.

    >>> choice = choose_layer({1: [0.2, 0.3], 2: [0.49, 0.6], 3: [0.5, 0.6]},
    ...                       {1: 1.0, 2: 2.0, 3: 3.0}, tolerance=0.05)
    >>> choice.layer, choice.best_layer
    (2, 3)
    """
    if not values or values.keys() - costs.keys():
        lacking = sorted(values.keys() - costs.keys())
        raise ValueError(f"Each layer needs values and a cost; without a cost: {lacking or 'all'}.")
    if not 0 <= tolerance < 1:
        raise ValueError(f"The tolerance is a fraction from 0 to below 1, not {tolerance}.")
    series = {layer: np.asarray(values[layer], dtype=np.float64) for layer in sorted(values)}
    means = {layer: float(array.mean()) for layer, array in series.items()}
    if max(means.values()) > 0:
        best = min(means, key=lambda layer: (-means[layer], costs[layer], layer))
    else:  # nothing was found at any layer: no ground to cut on
        best = max(means)
    allowed = tolerance * means[best]
    rows = []
    for layer, array in series.items():
        difference, low, high = paired_bootstrap(
            array, series[best], resamples=resamples, seed=seed
        )
        is_within = layer == best or (low >= -allowed - ROUNDING and means[best] > 0)
        rows.append(LayerRow(layer, means[layer], difference, low, high, costs[layer], is_within))
    within = [row for row in rows if row.is_within]
    chosen = min(within, key=lambda row: (row.cost, -row.value, row.layer))
    reason = _reason(chosen, rows, best, allowed, series[best].size)
    return Choice(chosen.layer, best, reason, tuple(rows))


def beats(
    candidate: ArrayLike,
    opponent: ArrayLike,
    *,
    resamples: int = RESAMPLES,
    seed: int = 0,
    confidence: float = CONFIDENCE,
) -> Comparison:
    """Tell whether `candidate` is better than `opponent` beyond chance.

    It is when the whole interval of the paired difference lies above zero and enough queries
    differ at all: a bootstrap of two queries is sure of anything, but by the sign test five
    better ones of five still happen by chance (p = .06).

    Args:
        candidate: (queries,) values of the new system.
        opponent: (queries,) values of the old one, of the same queries in the same order.
        resamples: Number of resampled means.
        seed: Seed of the resampling.
        confidence: Confidence of the interval, and of the sign test's bound.

    Raises:
        ValueError: the two have different shapes, no queries, or a value that is not finite.

    >>> beats([0.75] * 6, [0.5] * 6).is_beyond_chance, beats([0.75] * 5, [0.5] * 5).is_beyond_chance
    (True, False)
    """
    interval = paired_bootstrap(
        candidate, opponent, resamples=resamples, seed=seed, confidence=confidence
    )
    differing = np.count_nonzero(np.asarray(candidate) != np.asarray(opponent))
    by_luck = 2 * 0.5**differing  # sign test, all of them in favour
    is_beyond_chance = interval.low > 0 and by_luck <= 1 - confidence
    return Comparison(*interval, is_beyond_chance=bool(is_beyond_chance))


def _reason(chosen: LayerRow, rows: list[LayerRow], best: int, allowed: float, queries: int) -> str:
    top = next(row for row in rows if row.layer == best)
    if top.value <= 0:
        return (
            f"No layer finds anything in {queries} queries, so nothing is cut: layer {best} stays."
        )
    if chosen.layer != best:
        share = f", at {100 * chosen.cost / top.cost:.0f} % of its cost" if top.cost else ""
        return (
            f"Layer {chosen.layer} scores {chosen.value:.3f}, the best layer, {best}, "
            f"{top.value:.3f} over {queries} queries: a difference of {_interval(chosen)}, "
            f"within the {-allowed:+.3f} allowed{share}."
        )
    cheaper = [row for row in rows if row.cost < top.cost]
    if not cheaper:
        return f"Layer {best} scores best, {top.value:.3f} over {queries} queries, and is cheapest."
    near = max(cheaper, key=lambda row: row.low)
    return (
        f"Layer {best} scores best, {top.value:.3f} over {queries} queries, and no cheaper layer "
        f"surely stays within the {-allowed:+.3f} allowed: the nearest, layer {near.layer}, "
        f"differs by {_interval(near)}."
    )


def _interval(row: LayerRow) -> str:
    return f"{row.difference:+.3f} (95 % interval {row.low:+.3f} to {row.high:+.3f})"
