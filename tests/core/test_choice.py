"""The cheapest cell that surely loses little: against a slow reference, budgets, luck, and ties."""

import itertools
from collections.abc import Mapping
from typing import Any

import numpy as np
import pytest

from tasks.core.choice import Choice, choose_cell
from tasks.core.explanation import explain, explain_unaffordable
from tasks.core.prices import Cell, Price, UnaffordableError, find_front
from tasks.core.statistics import paired_bootstrap

Values = Mapping[Cell, np.ndarray]


def price(cell: Cell) -> Price:
    """Price a cell as a model of ten numbers a layer might."""
    return Price(float(cell.layer), 10.0 + cell.layer, 4 * cell.dimension, 0.5 * cell.layer)


def choose(values: Values, **settings: Any) -> Choice:  # noqa: ANN401
    chosen_by = {"own_pooling": "mean", "tolerance": 0.05, "min_queries": 1} | settings
    return choose_cell(values, {cell: price(cell) for cell in values}, **chosen_by)


def layers(values: Mapping[int, Any]) -> dict[Cell, np.ndarray]:
    return {Cell(layer, "mean", 8): np.asarray(found) for layer, found in values.items()}


def layer_of(values: Mapping[int, Any], **settings: Any) -> int:  # noqa: ANN401
    return choose(layers(values), **settings).chosen.cell.layer


def choose_slowly(values: Values, tolerance: float, budget: float, seed: int) -> Cell | None:
    """Choose as the rules are told: of one pooling, latency first, a budget of bytes a vector."""
    ways = len({cell[1:] for cell in values})
    best = max(values, key=lambda cell: values[cell].mean())
    within, kept = [], []
    for cell, found in values.items():
        if 4 * cell.dimension > budget:
            continue
        kept.append(cell)
        generator = np.random.default_rng(seed)
        drawn = generator.integers(0, len(found), size=(400, len(found)))
        lost = (found - values[best])[drawn].mean(axis=1)
        low = np.quantile(lost, 0.05 / ways / 2)
        if cell == best or low >= -tolerance * values[best].mean():
            within.append(cell)
    if within:
        return min(within, key=lambda cell: (cell.layer, cell.dimension))
    return max(kept, key=lambda cell: values[cell].mean()) if kept else None


@pytest.mark.parametrize("seed", range(20))
def test_equals_a_slow_reference(seed: int) -> None:
    generator = np.random.default_rng(seed)
    hardness = generator.random(60)
    values = {
        Cell(layer, "mean", dimension): hardness * (1 - 0.3 / layer - 0.4 / dimension)
        + generator.normal(0, 0.05, 60)
        for layer, dimension in itertools.product(range(1, 7), (4, 8, 16)[: 1 + seed % 3])
    }
    for tolerance, most in itertools.product((0.0, 0.05, 0.2), (64, 32, 16)):
        chosen = choose(
            values, tolerance=tolerance, budget={"bytes_per_vector": most}, resamples=400, seed=seed
        ).chosen.cell
        assert chosen == choose_slowly(values, tolerance, most, seed)


def test_takes_the_cheapest_within_tolerance() -> None:
    hardness = np.random.default_rng(0).random(200)
    values = {6: hardness, 4: 0.97 * hardness, 2: 0.9 * hardness}
    choice = choose(layers(values))
    assert (choice.chosen.cell.layer, choice.best.cell.layer) == (4, 6)
    assert [row.is_within for row in choice.rows] == [False, True, True]
    assert layer_of(values, tolerance=0.15) == 2
    assert layer_of(values, tolerance=0.0) == 6


def test_rows_hold_the_paired_bootstrap() -> None:
    generator = np.random.default_rng(0)
    values = layers({1: generator.random(50), 3: generator.random(50) + 0.5})
    row = choose(values, tolerance=0.1, resamples=300, seed=9).rows[0]
    expected = paired_bootstrap(*values.values(), resamples=300, seed=9)
    assert (row.difference, row.low, row.high) == pytest.approx(tuple(expected))


def test_noise_keeps_the_layers_that_the_mean_alone_would_cut() -> None:
    generator = np.random.default_rng(0)
    best = generator.random(20)
    noise = generator.normal(0, 0.3, 20)
    near = best * 0.98 + noise - noise.mean()
    assert layer_of({3: near, 6: best}) == 6
    many = {3: np.tile(near, 400), 6: np.tile(best, 400)}  # the same means, surely
    assert layer_of(many, resamples=500) == 3


def test_a_handful_of_queries_cuts_nothing() -> None:
    for queries in (1, 5, 29):  # that agree: the interval is a point
        values = layers({3: np.full(queries, 0.99), 4: np.ones(queries), 6: np.ones(queries)})
        choice = choose(values, min_queries=30)
        assert choice.chosen.cell.layer == choice.best.cell.layer == 6
        assert [row.is_within for row in choice.rows] == [False, False, True]
        assert "nothing but the best is on fewer than 30 queries" in explain(choice, {})
        limited = choose(values, min_queries=30, budget={"milliseconds": 2})
        assert (limited.chosen.cell.layer, limited.chosen.is_within) == (4, False)
        assert "on fewer than 30 queries" in explain(limited, {"milliseconds": 2})
    enough = layers({3: np.full(30, 0.99), 4: np.ones(30), 6: np.ones(30)})
    assert choose(enough, min_queries=30).chosen.cell.layer == 3


def test_more_ways_on_offer_ask_for_surer_intervals() -> None:
    generator = np.random.default_rng(3)
    best = generator.random(200)
    noise = generator.normal(0, 0.06, 200)
    near = best * 0.97 + noise - noise.mean()
    few = {Cell(3, "mean", 8): near, Cell(6, "mean", 8): best}
    poor = {
        Cell(layer, pooling, dimension): 0.1 * best
        for layer in (3, 6) for pooling in ("cls", "max", "lasttoken") for dimension in (4, 8)
    }  # fmt: skip
    alone, among_many = choose(few), choose(few | poor)
    assert (alone.confidence, among_many.confidence) == pytest.approx((0.95, 1 - 0.05 / 7))
    assert (alone.chosen.cell.layer, among_many.chosen.cell.layer) == (3, 6)


def test_luck_among_poolings_does_not_replace_the_trained_one() -> None:
    generator = np.random.default_rng(0)
    own = generator.random(100)
    luck = generator.normal(0, 0.1, 100)
    lucky, better = own + luck - luck.mean() + 0.005, own + luck - luck.mean() + 0.06
    cells = Cell(3, "mean", 8), Cell(3, "max", 8)
    for tolerance in (0.0, 0.2):  # is the own one within tolerance or not: both
        chosen = choose(dict(zip(cells, (own, better), strict=True)), tolerance=tolerance).chosen
        assert chosen.cell.pooling == "max"
    choice = choose(dict(zip(cells, (own, lucky), strict=True)), tolerance=0.2)
    assert (choice.chosen.cell.pooling, choice.best.cell.pooling) == ("mean", "max")
    swapped = choose(dict(zip(cells, (own, lucky), strict=True)), tolerance=0.2, own_pooling="max")
    assert swapped.chosen.cell.pooling == "max"


def test_preference_says_what_is_cheap() -> None:
    same = np.full(30, 0.5)
    cells = [Cell(layer, "mean", size) for layer, size in ((1, 16), (2, 4), (3, 8))]
    prices = dict(
        zip(cells, (Price(1, 30, 64), Price(2, 20, 16), Price(3, 10, 32)), strict=True)
    )  # of which each is cheapest in one respect
    found = {
        prefer: choose_cell(
            dict.fromkeys(cells, same), prices, own_pooling="mean", tolerance=0.05, prefer=prefer
        ).chosen.cell.layer
        for prefer in ("latency", "index", "size")
    }
    assert found == {"latency": 1, "index": 2, "size": 3}


def test_of_equals_the_shorter_vectors() -> None:
    same = np.full(30, 0.5)
    values = {Cell(layer, "mean", size): same for layer in (2, 3) for size in (4, 8)}
    assert choose(values).chosen.cell == Cell(2, "mean", 4)


def test_a_budget_is_kept_within_tolerance_and_beyond_it() -> None:
    values = layers({1: np.full(30, 0.2), 2: np.full(30, 0.5), 3: np.full(30, 0.96),
                     4: np.full(30, 1.0)})  # fmt: skip
    assert choose(values, tolerance=0.01, budget={"milliseconds": 2}).chosen.cell.layer == 4
    for limit in ({"milliseconds": 1.2}, {"megabytes": 12.5}):
        choice = choose(values, tolerance=0.01, budget=limit)  # type: ignore[arg-type]
        assert choice.chosen.cell.layer == 2
        assert not choice.chosen.is_within
        assert choice.runner_up is not None
        assert choice.runner_up.cell.layer == 1
        told = explain(choice, limit)  # type: ignore[arg-type]
        for part in ("Layer 2 scores 0.500", "the best, layer 4, 1.000", "-0.500", "not surely",
                     "what the budget costs", "leaves 2 of 4"):  # fmt: skip
            assert part in told
    # a budget never makes a cell within tolerance, nor the others any worse
    assert [row.is_within for row in choose(values, budget={"megabytes": 99}).rows] == [
        row.is_within for row in choose(values).rows
    ]


def test_a_budget_that_nothing_keeps_says_what_would() -> None:
    values = {Cell(layer, "mean", size): np.ones(9) for layer in (2, 3) for size in (4, 8)}
    budget = {"megabytes": 11.0, "bytes_per_vector": 16.0}
    with pytest.raises(UnaffordableError) as raised:
        choose(values, budget=budget)
    assert raised.value.nearest == Cell(2, "mean", 4)
    told = explain_unaffordable(raised.value, budget)  # type: ignore[arg-type]
    assert "Set --truncate.max-megabytes to at least 12," in told
    assert "max-bytes-per-vector" not in told  # this one is kept
    assert choose(values, budget=budget | {"megabytes": 12.0}).chosen.cell == Cell(2, "mean", 4)


def test_what_was_not_measured_is_beyond_any_budget() -> None:
    unmeasured = Price(1.0, 10.0, 32)
    with pytest.raises(UnaffordableError):
        choose_cell(
            {Cell(1, "mean", 8): np.ones(3)}, {Cell(1, "mean", 8): unmeasured},
            own_pooling="mean", tolerance=0.05, budget={"milliseconds": 1e9},
        )  # fmt: skip


def test_the_runner_up_is_what_is_chosen_without_the_chosen() -> None:
    generator = np.random.default_rng(1)
    hardness = generator.random(100)
    values = {
        Cell(layer, pooling, size): hardness * (1 - 0.2 / layer - 0.1 / size) + noise
        for layer, pooling, size in itertools.product(range(1, 6), ("mean", "max"), (4, 8))
        for noise in [generator.normal(0, 0.02, 100)]
    }
    choice = choose(values)
    assert choice.chosen != choice.best
    without = {cell: found for cell, found in values.items() if cell != choice.chosen.cell}
    assert choice.runner_up is not None
    assert choice.runner_up.cell == choose(without).chosen.cell
    assert choose(layers({1: np.ones(3)})).runner_up is None


def test_cost_decides_not_depth() -> None:
    values = layers({1: np.full(30, 0.5), 2: np.full(30, 0.5)})
    prices = dict(zip(values, (Price(9, 1, 4), Price(1, 1, 4)), strict=True))
    chosen = choose_cell(values, prices, own_pooling="mean", tolerance=0.05).chosen
    assert chosen.cell.layer == 2


def test_a_cheap_layer_may_be_the_best() -> None:
    choice = choose(layers({2: np.full(30, 0.6), 6: np.full(30, 0.5)}))
    assert (choice.chosen.cell.layer, choice.best.cell.layer) == (2, 2)
    assert "is cheapest" in explain(choice, {})


def test_exactly_the_tolerance_is_within() -> None:
    assert layer_of({1: np.full(30, 0.95), 2: np.ones(30)}) == 1


def test_nothing_found_cuts_nothing() -> None:
    nothing = {
        Cell(layer, pooling, size): np.zeros(5)
        for layer, pooling, size in itertools.product((1, 6), ("mean", "max"), (4, 8))
    }
    choice = choose(nothing)
    assert choice.chosen.cell == Cell(6, "mean", 8)
    assert "nothing is cut" in explain(choice, {})
    limited = choose(nothing, budget={"megabytes": 12})
    assert limited.chosen.cell == Cell(1, "mean", 8)
    assert "only the budget cuts" in explain(limited, {"megabytes": 12})


def test_reason_has_the_numbers_the_price_and_the_runner_up() -> None:
    values = layers({3: np.full(40, 0.39), 4: np.full(40, 0.395), 6: np.full(40, 0.4)})
    reason = explain(choose(values), {})
    for part in ("Layer 3", "0.390", "0.400", "40 queries", "-0.010", "-0.020", "50 %",
                 "1.5 ms (3 GFLOPs) a passage, 13 MB of weights, and 32 bytes a vector",
                 "Runner-up: layer 4, 0.395, -0.005"):  # fmt: skip
        assert part in reason
    kept = explain(choose(values, tolerance=0.01), {})
    for part in ("Layer 6", "0.400", "layer 4", "-0.005", "-0.004"):
        assert part in kept


def test_cells_are_named_by_what_differs() -> None:
    values = {Cell(layer, pooling, 8): np.full(9, layer / 6.0)
              for layer in (3, 6) for pooling in ("mean", "max")}  # fmt: skip
    told = explain(choose(values, tolerance=0.0), {})
    assert "Layer 6 (mean pooling)" in told
    assert "numbers" not in told


def test_refuses_nonsense() -> None:
    cell = Cell(7, "mean", 8)
    with pytest.raises(ValueError, match="price"):
        choose_cell({cell: np.ones(3)}, {}, own_pooling="mean", tolerance=0.05)
    with pytest.raises(ValueError, match="tolerance"):
        choose({cell: np.ones(3)}, tolerance=5)
    with pytest.raises(ValueError, match="same queries"):
        choose(layers({1: np.ones(3), 2: np.ones(4)}))


def test_the_front_is_what_nothing_beats() -> None:
    generator = np.random.default_rng(0)
    points = [(float(x), float(y)) for x, y in generator.integers(0, 12, size=(60, 2))]
    front = {points[number] for number in find_front(points)}
    beaten = {
        point for point in points
        if any(o != point and o[0] <= point[0] and o[1] >= point[1] for o in points)
    }  # fmt: skip
    assert front == set(points) - beaten
