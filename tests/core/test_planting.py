"""Planted answers: the estimate follows the false negatives that are really there."""

import numpy as np
import pytest

from tasks.core.negatives import Selection, find_ceilings, select_negatives
from tasks.core.planting import judge_planted, plant
from tasks.core.vocabulary import terms

QUERIES, OTHERS, COUNT = 3000, 60, 7


def mined(hidden: int, max_ratio: float | None) -> tuple[float, float]:
    """Mine where each query has `hidden` answers nobody knows of; return true and estimated rate.

    Answers score a little less than the known one, as planted ones do; all else scores far less,
    but some of it nearly as much.
    """
    generator = np.random.default_rng(hidden)

    def answers(size: tuple[int, ...]) -> np.ndarray:
        return known[:, None] * generator.normal(0.97, 0.05, size)

    known = generator.normal(0.7, 0.1, QUERIES)
    others = known[:, None] * generator.beta(2, 4, (QUERIES, OTHERS))
    scores = np.concatenate([answers((QUERIES, hidden)), others], axis=1).astype(np.float32)
    planted = answers((QUERIES, 1))[:, 0]
    names = np.arange(QUERIES * (hidden + OTHERS + 1)).reshape(QUERIES, -1)
    is_answer = np.zeros(names.size, dtype=bool)
    is_answer[names[:, :hidden]] = True
    order = np.argsort(-scores, axis=1)
    found = np.take_along_axis(names[:, :-1], order, axis=1)
    scores = np.take_along_axis(scores, order, axis=1)
    positives = names[:, -1:]
    ceilings = find_ceilings(positives, known[:, None].astype(np.float32), max_ratio)
    selection = select_negatives(
        found, scores, positives, positives, ceilings=ceilings, documents=np.arange(names.size),
        clusters=np.arange(names.size), is_allowed=np.ones(names.size, dtype=bool), count=COUNT,
    )  # fmt: skip
    truth = float(is_answer[selection.negatives].mean())
    return truth, estimate(selection, found, scores, planted, ceilings)


def estimate(
    selection: Selection, found: np.ndarray, scores: np.ndarray, planted: np.ndarray,
    ceilings: np.ndarray,
) -> float:  # fmt: skip
    floors = scores[found == selection.negatives[:, -1:]]
    result = judge_planted(
        planted, ceilings, floors, scores[:, COUNT - 1], scores[:, 0], np.ones(QUERIES),
        queries=QUERIES, kept=selection.counts.kept,
    )  # fmt: skip
    assert result.as_negatives <= result.as_naive_negatives
    return result.false_negative_rate


@pytest.mark.parametrize("hidden", [1, 2, 4])
def test_the_estimate_is_near_the_truth_and_not_below_it(hidden: int) -> None:
    truth, told = mined(hidden, 0.95)
    assert truth > 0.02
    assert 0.9 * truth < told < 1.3 * truth + 0.02


def test_a_lower_ceiling_leaves_fewer_and_the_estimate_sees_it() -> None:
    rates = [mined(2, ratio) for ratio in (0.98, 0.95, 0.9, 0.8)]
    assert [told for _, told in rates] == sorted((told for _, told in rates), reverse=True)
    assert rates[-1][0] < 0.01
    assert rates[-1][1] < 0.02


def test_where_nothing_is_hidden_little_is_estimated() -> None:
    truth, told = mined(0, 0.95)
    assert truth == 0
    assert told < 0.02


TEXT = "The pump runs dry. Check the valve first. Then open the drain. Water must flow."


def test_a_planted_answer_keeps_two_thirds_without_the_span() -> None:
    for label in "abcd":
        text = plant(TEXT, "Check the valve first.", label)
        assert text.count(".") == 2
        assert "valve" not in text
        assert set(terms(text)) < set(terms(TEXT))
    assert len({plant(TEXT, "", label) for label in "abcdefgh"}) > 1
    assert plant("one two three four five six", "", "a") == "one two three four"


def test_a_passage_that_is_all_span_is_planted_whole() -> None:
    assert plant("only this", "only this", "a").split()[0] == "only"
