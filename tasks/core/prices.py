"""What can be kept of a model and what it costs: cells, their prices, and the front of both."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal, NamedTuple

Measure = Literal["milliseconds", "megabytes", "bytes_per_vector"]
Preference = Literal["latency", "size", "index"]
# What is compared first, second, and third. Latency by operations, not by the clock: they order
# the cuts of one model just as well, and the same way every time.
ORDERS: dict[Preference, tuple[str, str, str]] = {
    "latency": ("gflops", "megabytes", "bytes_per_vector"),
    "size": ("megabytes", "gflops", "bytes_per_vector"),
    "index": ("bytes_per_vector", "gflops", "megabytes"),
}


class Cell(NamedTuple):
    """A way to cut the model: layers kept, how tokens are pooled, numbers kept of an embedding."""

    layer: int
    pooling: str
    dimension: int


@dataclass(frozen=True)
class Price:
    """What a cell costs: a passage's encoding, the model's weights, and an index's vectors."""

    gflops: float
    megabytes: float
    bytes_per_vector: int
    milliseconds: float | None = None

    def order(self, prefer: Preference) -> tuple[float, ...]:
        """Return what prices are compared by: the less, the cheaper."""
        return tuple(getattr(self, name) for name in ORDERS[prefer])

    def exceeds(self, budget: Mapping[Measure, float]) -> dict[Measure, float]:
        """Return what is above the budget; something that was not measured is."""
        own = {measure: getattr(self, measure) for measure in budget}
        return {
            measure: math.inf if own[measure] is None else own[measure]
            for measure, most in budget.items()
            if own[measure] is None or own[measure] > most
        }


class UnaffordableError(ValueError):
    """No cell keeps the budget; `nearest` breaks it least."""

    def __init__(self, nearest: Cell, price: Price, budget: Mapping[Measure, float]) -> None:
        self.nearest, self.price, self.over = nearest, price, price.exceeds(budget)
        super().__init__(f"Nothing keeps the budget; {nearest} comes nearest.")


def find_nearest(
    prices: Mapping[Cell, Price], budget: Mapping[Measure, float]
) -> tuple[Cell, Price]:
    """Return the cell that breaks the fewest limits, and those the least."""

    def excess(cell: Cell) -> tuple[int, float, Cell]:
        over = prices[cell].exceeds(budget)
        return len(over), max(found / budget[measure] for measure, found in over.items()), cell

    nearest = min(prices, key=excess)
    return nearest, prices[nearest]


def find_front(points: Sequence[tuple[float, float]]) -> list[int]:
    """Return the numbers of the points that no other beats in cost and quality both (Pareto).

    Args:
        points: Cost, the less the better, and quality, the more the better.

    Returns:
        Numbers in the order of cost; of equal points the first.

    >>> find_front([(3, 0.9), (1, 0.5), (2, 0.4), (2, 0.8)])
    [1, 3, 0]
    """
    front: list[int] = []
    for number in sorted(range(len(points)), key=lambda n: (points[n][0], -points[n][1], n)):
        if not front or points[number][1] > points[front[-1]][1]:
            front.append(number)
    return front
