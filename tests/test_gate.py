"""The gate: beyond chance against base and champion both; people's questions come first."""

import itertools
from pathlib import Path

import numpy as np
import pytest

from tasks.contracts import BurnishError, Scores
from tasks.gate import Verdict, judge, keep_budget


def row(
    system: str,
    values: np.ndarray,
    *,
    layer: int = 3,
    origin: str = "human",
    split: str = "test",
    **changes: object,
) -> dict[str, object]:
    return {
        "system": system, "layer": layer, "pooling": "mean", "dimension": 8, "split": split,
        "origin": origin, "metric": "ndcg@10", "value": float(values.mean()), "low": 0.0,
        "high": 1.0, "cost": 1.0, "values": values.tolist(),
    } | changes  # fmt: skip


DRAW = np.random.default_rng(0)
WEAK = DRAW.uniform(0, 0.5, 80)
STRONG = WEAK + DRAW.uniform(0, 0.5, 80)


def decide(tmp_path: Path, rows: list, opponent: list | None = None) -> Verdict:
    against = None if opponent is None else Scores.write(tmp_path, opponent)
    return judge(Scores.write(tmp_path, rows), against, 3, "ndcg@10", 0.95, 0)


def test_better_than_the_base_beyond_chance_it_is_champion(tmp_path: Path) -> None:
    verdict = decide(tmp_path, [row("tuned", STRONG), row("base", WEAK)])
    assert verdict.is_champion
    assert "Champion: ndcg@10 on 80 human test questions" in verdict.reason


def test_better_by_what_may_be_chance_it_is_not(tmp_path: Path) -> None:
    slightly = WEAK + DRAW.normal(0.005, 0.3, 80)
    verdict = decide(tmp_path, [row("tuned", slightly), row("base", WEAK)])
    assert not verdict.is_champion
    assert "may be chance" in verdict.reason


def test_better_than_the_base_but_not_than_the_champion_it_is_not(tmp_path: Path) -> None:
    rows = [row("tuned", STRONG), row("base", WEAK)]
    verdict = decide(tmp_path, rows, [row("champion", STRONG)])
    assert not verdict.is_champion
    assert [c["is_beyond_chance"] for c in verdict.comparisons] == [True, False]


def test_the_chosen_layer_is_judged_not_the_best(tmp_path: Path) -> None:
    rows = [
        row("tuned", WEAK - 0.1, layer=3),
        row("tuned", STRONG, layer=6),
        row("base", WEAK, layer=6),
    ]
    assert not decide(tmp_path, rows).is_champion


def test_the_chosen_pooling_and_dimension_are_judged(tmp_path: Path) -> None:
    rows = [
        row("tuned", STRONG, pooling="max"), row("tuned", STRONG, dimension=4),
        row("tuned", WEAK - 0.1), row("base", WEAK),
    ]  # fmt: skip
    scores = Scores.write(tmp_path, rows)

    def decide(pooling: str, dimension: int) -> bool:
        return judge(
            scores, None, 3, "ndcg@10", 0.95, 0, pooling=pooling, dimension=dimension
        ).is_champion

    assert [decide("max", 8), decide("mean", 4), decide("mean", 8)] == [True, True, False]
    with pytest.raises(BurnishError, match="no row of system tuned, layer 3, pooling cls"):
        decide("cls", 8)


def test_an_opponent_scored_in_several_ways_is_met_at_its_best(tmp_path: Path) -> None:
    between = (WEAK + STRONG) / 2
    for rows in itertools.permutations([row("base", WEAK, pooling="cls"), row("base", STRONG)]):
        assert not decide(tmp_path, [row("tuned", between), *rows]).is_champion
    tuned = [row("tuned", between), row("base", WEAK)]
    assert decide(tmp_path, tuned, [row("champion", WEAK)]).is_champion
    both = [row("champion", WEAK, dimension=4), row("champion", STRONG)]
    assert not decide(tmp_path, tuned, both).is_champion


def test_the_base_is_judged_at_its_last_layer(tmp_path: Path) -> None:
    rows = [row("tuned", WEAK), row("base", WEAK * 0, layer=1), row("base", STRONG, layer=6)]
    assert not decide(tmp_path, rows).is_champion


def test_people_decide_where_they_asked(tmp_path: Path) -> None:
    rows = [
        row("tuned", WEAK), row("base", STRONG),
        row("tuned", STRONG, origin="synthetic"), row("base", WEAK, origin="synthetic"),
    ]  # fmt: skip
    assert not decide(tmp_path, rows).is_champion
    assert decide(tmp_path, rows[2:]).is_champion


def test_too_few_people_leave_it_to_the_synthetic_questions(tmp_path: Path) -> None:
    made = [row("tuned", STRONG, origin="synthetic"), row("base", WEAK, origin="synthetic")]
    for people, is_champion in ((5, True), (6, False)):
        rows = [row("tuned", WEAK[:people]), row("base", STRONG[:people]), *made]
        verdict = decide(tmp_path, rows)
        assert verdict.is_champion == is_champion
        assert ("People asked 5 only, of the 6" in verdict.reason) == is_champion
    alone = decide(tmp_path, [row("tuned", STRONG[:5]), row("base", WEAK[:5])])
    assert not alone.is_champion
    assert "on 5 human test questions" in alone.reason
    assert "People asked 5 only, of the 6" in alone.reason


def test_without_test_questions_nothing_is_proven(tmp_path: Path) -> None:
    verdict = decide(tmp_path, [row("tuned", STRONG, split="dev"), row("base", WEAK, split="dev")])
    assert not verdict.is_champion
    assert "no test question" in verdict.reason
    assert [check.is_passed for check in verdict.checks] == [False]


def test_a_budget_that_is_broken_refuses_the_best() -> None:
    best = Verdict(True, "Champion: better.", [])

    def keep(megabytes: float, speedup: float) -> Verdict:
        return keep_budget(best, megabytes, speedup, max_megabytes=50, min_speedup=1.5)

    assert keep(50, 1.5)[:3] == best[:3]
    assert keep_budget(best, 1e6, 0.1, max_megabytes=None, min_speedup=None)[:3] == best[:3]
    assert "51.0 MB is above the 50 MB allowed" in keep(51, 2).reason
    both = keep(51, 1.49)
    assert not both.is_champion
    assert "and 1.49 times the base's speed is below the 1.5 wanted. But for that" in both.reason
    assert [(check.name, check.is_passed) for check in keep(51, 2).checks] == [
        ("size", False), ("speed", True)
    ]  # fmt: skip
