"""What to keep of a model: the cheapest layer, pooling, and length that is good enough."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike

from .prices import Cell, Measure, Preference, Price, UnaffordableError, find_nearest
from .statistics import CONFIDENCE, RESAMPLES, bootstrap_means, paired_bootstrap

MIN_QUERIES = 30  # fewer that happen to agree make an interval of no width
ROUNDING = 1e-9  # a loss of exactly the tolerance is within it, whatever the last bit says


@dataclass(frozen=True)
class CellRow:
    """One cell beside the best: `difference`, `low`, and `high` are its value minus the best's."""

    cell: Cell
    value: float
    difference: float
    low: float
    high: float
    price: Price
    is_within: bool
    """Whether it surely loses no more than the tolerance."""
    is_affordable: bool
    """Whether it keeps the budget."""


@dataclass(frozen=True)
class Choice:
    """The cell to keep, what it was measured against, and what decided."""

    chosen: CellRow
    best: CellRow
    """The one that scores best, whatever it costs."""
    runner_up: CellRow | None
    """What the same policy takes where the chosen one is not on offer; None if nothing is left."""
    rows: tuple[CellRow, ...]
    """All on offer, in the order of cells."""
    allowed: float
    """The loss accepted, in units of the metric."""
    queries: int
    min_queries: int
    """With fewer nothing but the best is within tolerance."""
    confidence: float
    """Of the rows' intervals."""
    prefer: Preference
    """What was cheap."""


def choose_cell(
    values: Mapping[Cell, ArrayLike],
    prices: Mapping[Cell, Price],
    *,
    own_pooling: str,
    tolerance: float,
    budget: Mapping[Measure, float] | None = None,
    prefer: Preference = "latency",
    min_queries: int = MIN_QUERIES,
    resamples: int = RESAMPLES,
    seed: int = 0,
) -> Choice:
    """Choose the cheapest cell inside the budget that surely loses little against the best.

    A cell is within tolerance if the low end of the paired bootstrap interval of its difference to
    the best cell is at least `-tolerance * mean(best)`; so few or noisy queries cut less, never
    more. The best itself always is; nothing else is on fewer than `min_queries`, where the interval
    says too much: one query has none. Where none of those keeps the budget, the best that keeps it
    is chosen.

    The more ways of pooling and shortening are on offer, the likelier one of them looks good by
    luck: the interval's confidence is 95 % for one way and grows as Bonferroni's for more. Of cells
    at the same price another pooling than the model's own is chosen only if it is better beyond
    chance.

    Args:
        values: Cell to (queries,) values of one metric, the same queries at every cell.
        prices: What each cell costs.
        own_pooling: The pooling that the model was trained with.
        tolerance: Largest loss accepted, as a fraction of the best cell's mean, 0 to 1.
        budget: The most a cell may cost, by measure.
        prefer: What is cheap: to encode, to store the model, or to store vectors. The other two
            decide between equals.
        min_queries: Fewest queries that prove a loss small.
        resamples: Number of resampled means behind an interval.
        seed: Seed of the resampling.

    Raises:
        ValueError: no cell, a cell without a price, no queries, or a tolerance outside 0 to 1.
        UnaffordableError: no cell keeps the budget.

    >>> cells = [Cell(layer, "mean", 8) for layer in (1, 2, 3)]
    >>> choice = choose_cell(
    ...     dict(zip(cells, ([0.2, 0.3], [0.49, 0.6], [0.5, 0.6]))),
    ...     {cell: Price(cell.layer, cell.layer, 32) for cell in cells},
    ...     own_pooling="mean", tolerance=0.05, min_queries=2)
    >>> choice.chosen.cell.layer, choice.best.cell.layer
    (2, 3)
    """
    _check(values, prices, tolerance)
    budget = budget or {}
    series = {cell: np.asarray(values[cell], dtype=np.float64) for cell in sorted(values)}
    means = {cell: float(array.mean()) for cell, array in series.items()}
    queries = next(iter(series.values())).size
    policy = _Policy(prefer, own_pooling, series, queries >= min_queries, resamples, seed)
    best = policy.find_best(means, prices)
    allowed = tolerance * means[best]
    ways = len({(cell.pooling, cell.dimension) for cell in series})
    confidence = 1 - (1 - CONFIDENCE) / ways
    intervals = bootstrap_means(
        np.stack([array - series[best] for array in series.values()]),
        resamples=resamples, seed=seed, confidence=confidence,
    )  # fmt: skip
    rows = []
    for (cell, mean), interval in zip(means.items(), intervals, strict=True):
        is_within = policy.may_cut and interval.low >= -allowed - ROUNDING and means[best] > 0
        price = prices[cell]
        rows.append(
            CellRow(
                cell, mean, *interval, price,
                is_within=cell == best or is_within, is_affordable=not price.exceeds(budget),
            )
        )  # fmt: skip
    affordable = [row for row in rows if row.is_affordable]
    if not affordable:
        raise UnaffordableError(*find_nearest(prices, budget), budget)
    chosen = policy.take(affordable)
    rest = [row for row in affordable if row is not chosen]
    by_cell = {row.cell: row for row in rows}
    return Choice(
        chosen, by_cell[best], policy.take(rest) if rest else None, tuple(rows),
        allowed, queries, min_queries, confidence, prefer,
    )  # fmt: skip


class _Policy(NamedTuple):
    prefer: Preference
    own_pooling: str
    series: Mapping[Cell, np.ndarray]
    may_cut: bool
    resamples: int
    seed: int

    def find_best(self, means: Mapping[Cell, float], prices: Mapping[Cell, Price]) -> Cell:
        """Return the cell that scores best; of those that score the same the cheapest.

        Where there is no ground to cut on, because nothing was found or next to nothing was asked,
        it is the deepest.
        """
        if self.may_cut and max(means.values()) > 0:
            orders = {cell: prices[cell].order(self.prefer) for cell in means}
            return min(
                means, key=lambda c: (-means[c], orders[c], c.pooling != self.own_pooling, c)
            )
        own = self.own_pooling
        return max(means, key=lambda c: (means[c], c.layer, c.dimension, c.pooling == own, c))

    def take(self, rows: Sequence[CellRow]) -> CellRow:
        """Return the cheapest row within tolerance; the best if none is."""
        within = [row for row in rows if row.is_within]
        if within:
            first = min(
                within, key=lambda row: (row.price.order(self.prefer), -row.value, row.cell)
            )
        else:
            by_cell = {row.cell: row for row in rows}
            means = {row.cell: row.value for row in rows}
            first = by_cell[self.find_best(means, {row.cell: row.price for row in rows})]
        return self._keep_own(first, within or rows)

    def _keep_own(self, first: CellRow, rows: Iterable[CellRow]) -> CellRow:
        """Return `first`, or the row of the model's own pooling that may be as good for as much."""
        wanted = first.cell._replace(pooling=self.own_pooling)
        own = next((row for row in rows if row.cell == wanted), None)
        if own is None or own is first or own.price != first.price:
            return first
        gain = paired_bootstrap(
            self.series[first.cell], self.series[own.cell],
            resamples=self.resamples, seed=self.seed,
        )  # fmt: skip
        return first if gain.low > 0 else own


def _check(
    values: Mapping[Cell, ArrayLike], prices: Mapping[Cell, Price], tolerance: float
) -> None:
    if not values or values.keys() - prices.keys():
        lacking = sorted(values.keys() - prices.keys())
        raise ValueError(f"Each cell needs values and a price; without one: {lacking or 'all'}.")
    if not 0 <= tolerance < 1:
        raise ValueError(f"The tolerance is a fraction from 0 to below 1, not {tolerance}.")
    if len({np.shape(array) for array in values.values()}) > 1:
        raise ValueError("Cells are compared on the same queries, in the same order.")
