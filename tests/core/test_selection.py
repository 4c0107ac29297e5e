"""The cheapest layer that surely loses little, and the better model: what decides."""

import numpy as np
import pytest

from tasks.core.selection import beats, choose_layer
from tasks.core.statistics import paired_bootstrap

COSTS = {layer: float(layer) for layer in range(1, 7)}


def test_takes_the_cheapest_within_tolerance() -> None:
    hardness = np.random.default_rng(0).random(200)
    values = {6: hardness, 4: 0.97 * hardness, 2: 0.9 * hardness}
    choice = choose_layer(values, COSTS, tolerance=0.05)
    assert (choice.layer, choice.best_layer) == (4, 6)
    assert [row.is_within for row in choice.rows] == [False, True, True]
    assert choose_layer(values, COSTS, tolerance=0.15).layer == 2
    assert choose_layer(values, COSTS, tolerance=0.0).layer == 6


def test_rows_hold_the_paired_bootstrap() -> None:
    generator = np.random.default_rng(0)
    values = {1: generator.random(50), 3: generator.random(50) + 0.5}
    row = choose_layer(values, COSTS, tolerance=0.1, resamples=300, seed=9).rows[0]
    expected = paired_bootstrap(values[1], values[3], resamples=300, seed=9)
    assert (row.difference, row.low, row.high) == pytest.approx(tuple(expected))


def test_noise_keeps_the_layers_that_the_mean_alone_would_cut() -> None:
    generator = np.random.default_rng(0)
    best = generator.random(20)
    noise = generator.normal(0, 0.3, 20)
    near = best * 0.98 + noise - noise.mean()
    assert choose_layer({3: near, 6: best}, COSTS, tolerance=0.05).layer == 6
    many = {3: np.tile(near, 400), 6: np.tile(best, 400)}  # the same means, surely
    assert choose_layer(many, COSTS, tolerance=0.05, resamples=500).layer == 3


def test_cost_decides_not_depth() -> None:
    same = np.full(30, 0.5)
    assert choose_layer({1: same, 2: same}, {1: 9.0, 2: 1.0}, tolerance=0.05).layer == 2


def test_a_cheap_layer_may_be_the_best() -> None:
    choice = choose_layer({2: np.full(30, 0.6), 6: np.full(30, 0.5)}, COSTS, tolerance=0.05)
    assert (choice.layer, choice.best_layer) == (2, 2)
    assert "cheapest" in choice.reason


def test_exactly_the_tolerance_is_within() -> None:
    values = {1: np.full(30, 0.95), 2: np.ones(30)}
    assert choose_layer(values, COSTS, tolerance=0.05).layer == 1


def test_nothing_found_cuts_nothing() -> None:
    choice = choose_layer({1: np.zeros(5), 6: np.zeros(5)}, COSTS, tolerance=0.05)
    assert choice.layer == 6
    assert "nothing is cut" in choice.reason


def test_reason_has_the_numbers() -> None:
    values = {3: np.full(40, 0.39), 6: np.full(40, 0.4)}
    reason = choose_layer(values, COSTS, tolerance=0.05).reason
    for part in ("Layer 3", "0.390", "0.400", "40 queries", "-0.010", "-0.020", "50 %"):
        assert part in reason
    kept = choose_layer(values, COSTS, tolerance=0.01).reason
    for part in ("Layer 6", "0.400", "layer 3", "-0.010", "-0.004"):
        assert part in kept


def test_refuses_nonsense() -> None:
    with pytest.raises(ValueError, match="cost"):
        choose_layer({7: np.ones(3)}, COSTS, tolerance=0.05)
    with pytest.raises(ValueError, match="tolerance"):
        choose_layer({1: np.ones(3)}, COSTS, tolerance=5)
    with pytest.raises(ValueError, match="same queries"):
        choose_layer({1: np.ones(3), 2: np.ones(4)}, COSTS, tolerance=0.05)


def test_beats_needs_an_interval_above_zero() -> None:
    generator = np.random.default_rng(1)
    opponent = generator.random(100)
    noise = generator.normal(0, 0.1, 100)
    noise -= noise.mean()
    assert beats(opponent + noise + 0.05, opponent).is_beyond_chance
    assert not beats(opponent + noise + 0.005, opponent).is_beyond_chance
    assert not beats(opponent - 0.05, opponent).is_beyond_chance


def test_beats_is_not_fooled_by_a_handful_of_queries() -> None:
    opponent = np.zeros(300)
    candidate = opponent.copy()
    candidate[:5] = 1.0  # the interval excludes zero, but five of five is a coin's luck
    comparison = beats(candidate, opponent)
    assert comparison.low > 0
    assert not comparison.is_beyond_chance
