"""Clicks: which count as answers, what they weigh, and that none vanishes."""

import random

import pytest

from tasks.core.clicks import leave_judged, weigh_clicks
from tasks.core.questions import CLICKS, Aside, Question


def weigh(
    clicks: list[tuple[str, str, int]], **changes: float
) -> tuple[list[Question], list[Aside]]:
    settings = {"min_clicks": 2, "max_documents": 3, "weight": 1.5, "max_weight": 4.0} | changes
    return weigh_clicks(clicks, "log.csv", **settings)  # type: ignore[arg-type]


def test_the_favourites_answer() -> None:
    clicks = [("lock a file", "a", 100), ("lock a file", "b", 30), ("lock a file", "c", 20)]
    (question,), aside = weigh(clicks)
    assert question.relevances == {"a": 1, "b": 1}
    assert (question.origin, question.split, question.open_splits) == (CLICKS, "train", frozenset())
    assert [each.reason for each in aside] == ["few clicks beside the favourite: 20 on c"]


def test_slips_and_long_tails_are_set_aside() -> None:
    clicks = [("q one", "a", 1), *(("q two", name, 10) for name in "abcd")]
    (question,), aside = weigh(clicks)
    assert list(question.relevances) == ["a", "b", "c"]
    assert [each.reason.partition(":")[0] for each in aside] == [
        "too few clicks", "clicked beyond 3 documents",
    ]  # fmt: skip


def test_spellings_are_added_up_in_any_order() -> None:
    clicks = [
        ("Lock file", "a", 1), ("lock file?", "a", 1), ("lock  file", "a", 5), ("lock", "b", 9),
        ("other words", "b", 2), ("lock file", "b", 3),
    ]  # fmt: skip
    expected = weigh(clicks)
    assert [question.text for question in expected[0] if "file" in question.text] == ["lock file"]
    for seed in range(5):
        shuffled = clicks.copy()
        random.Random(seed).shuffle(shuffled)
        questions, aside = weigh(shuffled)
        assert questions == expected[0]
        assert sorted(aside) == sorted(expected[1])


@pytest.mark.parametrize(("times", "expected"), [(2, 1.5), (20, 3.0), (200, 4.0), (10**6, 4.0)])
def test_weight_grows_with_the_logarithm_up_to_a_bound(times: int, expected: float) -> None:
    (question,), _ = weigh([("q", "a", times)])
    assert question.weight == pytest.approx(expected)


def test_every_click_is_accounted_for() -> None:
    chance = random.Random(0)
    clicks = [
        (f"query {chance.randrange(40)}", f"d{chance.randrange(9)}", chance.randint(1, 9))
        for _ in range(500)
    ]
    questions, aside = weigh(clicks)
    kept = sum(len(question.relevances) for question in questions)
    assert kept + len(aside) == len({(query, document) for query, document, _ in clicks})


def test_judgments_go_before_clicks() -> None:
    questions, _ = weigh([("Lock a file", "a", 9), ("wait", "b", 9)])
    judged = Question("human:1", "lock a file?", {"z": 1}, "dev", frozenset(), "f")
    kept, aside = leave_judged(questions, [judged])
    assert [question.text for question in kept] == ["wait"]
    assert [each.reason for each in aside] == ["judged by people too"]
