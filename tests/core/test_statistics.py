"""The bootstrap equals a loop, needs little memory, and covers what it says it covers."""

import numpy as np
import pytest

from tasks.core import statistics
from tasks.core.statistics import bootstrap_mean, bootstrap_means, paired_bootstrap


def slow_bootstrap(values: np.ndarray, resamples: int, seed: int) -> tuple[float, float, float]:
    generator = np.random.default_rng(seed)
    means = []
    for _ in range(resamples):
        drawn = generator.integers(0, len(values), size=len(values))
        means.append(np.mean([values[i] for i in drawn]))
    return float(np.mean(values)), *np.quantile(means, [0.025, 0.975])


def test_equals_a_loop_over_resamples() -> None:
    values = np.random.default_rng(3).random(37)
    assert bootstrap_mean(values, resamples=500, seed=11) == pytest.approx(
        slow_bootstrap(values, 500, 11)
    )


@pytest.mark.parametrize("cells", [1, 37, 1000])
def test_blocks_do_not_change_the_result(cells: int, monkeypatch: pytest.MonkeyPatch) -> None:
    values = np.random.default_rng(3).random(37)
    whole = bootstrap_mean(values, resamples=300, seed=1)
    monkeypatch.setattr(statistics, "BLOCK_CELLS", cells)
    assert bootstrap_mean(values, resamples=300, seed=1) == pytest.approx(whole)


def test_rows_are_the_rows_one_by_one() -> None:
    rows = np.random.default_rng(3).random((4, 50))
    together = bootstrap_means(rows, resamples=200, seed=2)
    alone = [bootstrap_mean(row, resamples=200, seed=2) for row in rows]
    np.testing.assert_allclose(together, alone)


def test_seed_decides() -> None:
    values = np.random.default_rng(3).random(50)
    first, again = (bootstrap_mean(values, resamples=200, seed=2) for _ in range(2))
    assert first == again
    assert first != bootstrap_mean(values, resamples=200, seed=3)


def test_interval_covers_the_mean_about_as_often_as_it_says() -> None:
    generator = np.random.default_rng(0)
    samples = generator.random((200, 60))
    hits = sum(
        low <= 0.5 <= high
        for _, low, high in (bootstrap_mean(row, resamples=400, seed=5) for row in samples)
    )
    assert 0.88 <= hits / len(samples) <= 1.0


def test_paired_interval_is_that_of_the_differences() -> None:
    generator = np.random.default_rng(1)
    hardness = generator.random(80)  # shared: it must cancel
    a, b = hardness + 0.02, hardness + generator.normal(0, 0.001, 80)
    paired = paired_bootstrap(a, b, resamples=500)
    assert paired == bootstrap_mean(a - b, resamples=500)
    alone = bootstrap_mean(a, resamples=500)
    assert paired.high - paired.low < (alone.high - alone.low) / 20
    swapped = paired_bootstrap(b, a, resamples=500)
    np.testing.assert_allclose(
        [swapped.value, swapped.low, swapped.high], [-paired.value, -paired.high, -paired.low]
    )


@pytest.mark.parametrize("values", [[], [0.5, float("nan")]])
def test_refuses_what_has_no_mean(values: list[float]) -> None:
    with pytest.raises(ValueError, match="query"):
        bootstrap_mean(values)


def test_refuses_unpaired_values() -> None:
    with pytest.raises(ValueError, match="same queries"):
        paired_bootstrap([1.0], [1.0, 2.0])
