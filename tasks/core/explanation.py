"""A choice in plain words: what was kept, why, what it costs, and what came second."""

import math
from collections.abc import Iterable, Mapping

from .choice import CellRow, Choice
from .prices import Cell, Measure, Price, UnaffordableError

UNITS: dict[Measure, str] = {
    "milliseconds": "ms a passage",
    "megabytes": "MB of weights",
    "bytes_per_vector": "bytes a vector",
}


def explain(choice: Choice, budget: Mapping[Measure, float]) -> str:
    """Tell why a cell was chosen, what the budget had to do with it, its price, and the runner-up.

    Args:
        choice: What was chosen, of what.
        budget: What the cells were allowed to cost.
    """
    cells = [row.cell for row in choice.rows]
    told = [_tell_why(choice, cells)]
    if budget:
        left = sum(row.is_affordable for row in choice.rows)
        told.append(f"The budget, {tell_budget(budget)}, leaves {left} of {len(cells)}.")
    told.append(f"It takes {tell_price(choice.chosen.price)}.")
    if choice.runner_up is not None:
        second = choice.runner_up
        beside = "the best" if second is choice.best else _tell_difference(choice, second)
        told.append(
            f"Runner-up: {name_cell(second.cell, cells)}, {second.value:.3f}, {beside}, "
            f"{tell_price(second.price)}."
        )
    return " ".join(told)


def explain_unaffordable(error: UnaffordableError, budget: Mapping[Measure, float]) -> str:
    """Tell that nothing keeps the budget, and which budget something would keep."""
    cell, price = error.nearest, error.price
    needed = [
        f"--truncate.max-{measure.replace('_', '-')} to at least {_round_up(least)}"
        for measure, least in error.over.items()
    ]
    return (
        f"Nothing that the model can be cut to keeps the budget of {tell_budget(budget)}. Nearest "
        f"comes layer {cell.layer} with {cell.pooling} pooling and {cell.dimension} numbers: "
        f"{tell_price(price)}. Set {' and '.join(needed)}, train an earlier exit, evaluate "
        "shorter embeddings, or start from a smaller base."
    )


def name_cell(cell: Cell, others: Iterable[Cell] = ()) -> str:
    """Name a cell by its layer, and by whatever else tells it from the others.

    >>> name_cell(Cell(4, "mean", 64), [Cell(4, "mean", 64), Cell(4, "mean", 384)])
    'layer 4 (64 numbers)'
    """
    told = []
    others = list(others)
    if len({other.pooling for other in others}) > 1:
        told.append(f"{cell.pooling} pooling")
    if len({other.dimension for other in others}) > 1:
        told.append(f"{cell.dimension} numbers")
    return f"layer {cell.layer}" + (f" ({', '.join(told)})" if told else "")


def tell_price(price: Price) -> str:
    """Tell what a cell costs.

    >>> tell_price(Price(gflops=0.7, megabytes=58.21, bytes_per_vector=1536, milliseconds=1.842))
    '1.84 ms (0.7 GFLOPs) a passage, 58.2 MB of weights, and 1,536 bytes a vector'
    """
    passage = f"{shorten(price.gflops)} GFLOPs a passage"
    if price.milliseconds is not None:
        passage = f"{shorten(price.milliseconds)} ms ({shorten(price.gflops)} GFLOPs) a passage"
    return (
        f"{passage}, {shorten(price.megabytes)} MB of weights, and "
        f"{price.bytes_per_vector:,} bytes a vector"
    )


def tell_budget(budget: Mapping[Measure, float]) -> str:
    """Tell the limits.

    >>> tell_budget({"milliseconds": 2.0, "megabytes": 60})
    'at most 2 ms a passage and 60 MB of weights'
    """
    limits = [f"{most:,g} {UNITS[measure]}" for measure, most in budget.items()]
    return f"at most {' and '.join(limits)}"


def shorten(number: float) -> str:
    """Write a number with the digits that matter.

    >>> shorten(0.12345), shorten(58.21), shorten(1234.5)
    ('0.123', '58.2', '1,234')
    """
    return f"{number:,.0f}" if number >= 100 else f"{number:.3g}"


def _tell_why(choice: Choice, cells: list[Cell]) -> str:
    chosen, best = choice.chosen, choice.best
    name, top = name_cell(chosen.cell, cells), name_cell(best.cell, cells)
    asked = f"{choice.queries} queries"
    if best.value <= 0:
        kept = "so nothing is cut" if chosen is best else "so only the budget cuts"
        return f"No layer finds anything in {asked}, {kept}: {name} stays."
    name = name.capitalize()
    if chosen is best:
        return f"{name} scores best, {best.value:.3f} over {asked}, {_tell_cheaper(choice, cells)}."
    beside = (
        f"{name} scores {chosen.value:.3f}, the best, {top}, {best.value:.3f} over {asked}: "
        f"a difference of {_tell_difference(choice, chosen)}"
    )
    allowed = f"the {-choice.allowed:+.3f} allowed{_tell_few(choice)}"
    if chosen.is_within:
        return f"{beside}, within {allowed}{_tell_shares(chosen.price, best.price)}."
    return (
        f"{beside}, not surely within {allowed}. That is what the budget costs: nothing that keeps "
        "it is within, and of what keeps it this one scores best."
    )


def _tell_cheaper(choice: Choice, cells: list[Cell]) -> str:
    """Tell how near what is cheaper than the best came."""
    own = choice.best.price.order(choice.prefer)
    cheaper = [row for row in choice.rows if row.price.order(choice.prefer) < own]
    if not cheaper:
        return "and is cheapest"
    cheaper = [row for row in cheaper if row.is_affordable]
    if not cheaper:
        return "and nothing cheaper keeps the budget"
    if few := _tell_few(choice):
        return f"and nothing cheaper is surely as good{few}"
    near = max(cheaper, key=lambda row: row.low)
    return (
        f"and nothing cheaper surely stays within the {-choice.allowed:+.3f} allowed: the nearest, "
        f"{name_cell(near.cell, cells)}, differs by {_tell_difference(choice, near)}"
    )


def _tell_few(choice: Choice) -> str:
    """Tell that there are too few queries to cut by, if so."""
    if choice.queries >= choice.min_queries:
        return ""
    return f", as nothing but the best is on fewer than {choice.min_queries} queries"


def _tell_shares(price: Price, best: Price) -> str:
    told = []
    if best.gflops and price.gflops != best.gflops:
        told.append(f"at {100 * price.gflops / best.gflops:.0f} % of its cost")
    if price.bytes_per_vector != best.bytes_per_vector:
        share = 100 * price.bytes_per_vector / best.bytes_per_vector
        told.append(f"with vectors of {share:.0f} % the length")
    return f", {' and '.join(told)}" if told else " and no dearer"


def _tell_difference(choice: Choice, row: CellRow) -> str:
    interval = f"{100 * choice.confidence:.3g} % interval {row.low:+.3f} to {row.high:+.3f}"
    return f"{row.difference:+.3f} ({interval})"


def _round_up(number: float) -> str:
    """Write a limit that the number keeps: rounding must not put it below."""
    return f"{math.ceil(number * 100) / 100:.2f}".rstrip("0").rstrip(".")
