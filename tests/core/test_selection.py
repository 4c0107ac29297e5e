"""The better model: what decides."""

import numpy as np

from tasks.core.selection import beats


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
