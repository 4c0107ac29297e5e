"""What is better, and whose questions tell: the gate's question."""

from collections.abc import Mapping
from itertools import count
from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike

from .statistics import CONFIDENCE, RESAMPLES, paired_bootstrap


class Comparison(NamedTuple):
    """How much better a candidate is than its opponent, per query, and whether that is luck."""

    difference: float
    low: float
    high: float
    is_beyond_chance: bool


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
    is_beyond_chance = interval.low > 0 and differing >= count_needed(confidence)
    return Comparison(*interval, is_beyond_chance=bool(is_beyond_chance))


def count_needed(confidence: float = CONFIDENCE) -> int:
    """Return how many queries, all in favour, are more than luck by the sign test.

    >>> count_needed(0.95), count_needed(0.99)
    (6, 8)
    """
    return next(queries for queries in count(1) if 2 * 0.5**queries <= 1 - confidence)


def choose_origin(questions: Mapping[str, int], least: int) -> str:
    """Return whose questions decide: people's, but for fewer than `least` beside more made ones.

    Args:
        questions: How many there are, by origin: `human` and `synthetic`.
        least: How many prove anything.

    >>> choose_origin({"human": 30, "synthetic": 300}, 30)
    'human'
    >>> choose_origin({"human": 1, "synthetic": 300}, 30), choose_origin({"human": 1}, 30)
    ('synthetic', 'human')
    """
    people, made = (questions.get(origin, 0) for origin in ("human", "synthetic"))
    return "human" if people and people >= min(least, made) else "synthetic"
