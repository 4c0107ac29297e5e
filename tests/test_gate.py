"""The gate: beyond chance against base and champion both; people's questions come first."""

from pathlib import Path

import numpy as np

from tasks.contracts import Scores
from tasks.gate import Verdict, judge, keep_budget, keep_knowledge
from tasks.report import pick


def row(
    system: str, values: np.ndarray, *, layer: int = 3, origin: str = "human", split: str = "test"
) -> dict[str, object]:
    return {
        "system": system, "layer": layer, "pooling": "mean", "dimension": 8, "split": split,
        "origin": origin, "metric": "ndcg@10", "value": float(values.mean()), "low": 0.0,
        "high": 1.0, "cost": 1.0, "values": values.tolist(),
    }  # fmt: skip


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


def test_without_test_questions_nothing_is_proven(tmp_path: Path) -> None:
    verdict = decide(tmp_path, [row("tuned", STRONG, split="dev"), row("base", WEAK, split="dev")])
    assert not verdict.is_champion
    assert "no test question" in verdict.reason


def test_a_budget_that_is_broken_refuses_the_best() -> None:
    best = Verdict(True, "Champion: better.", [])

    def keep(megabytes: float, speedup: float) -> Verdict:
        return keep_budget(best, megabytes, speedup, max_megabytes=50, min_speedup=1.5)

    assert keep(50, 1.5) == best
    assert keep_budget(best, 1e6, 0.1, max_megabytes=None, min_speedup=None) == best
    assert "51.0 MB is above the 50 MB allowed" in keep(51, 2).reason
    both = keep(51, 1.49)
    assert not both.is_champion
    assert "and 1.49 times the base's speed is below the 1.5 wanted. But for that" in both.reason


def keep(tmp_path: Path, rows: list, max_forgotten: float | None, **kept: object) -> Verdict:
    best = Verdict(True, "Champion: better.", [])
    return keep_knowledge(
        best, Scores.write(tmp_path, rows), {"layer": 3} | kept,
        max_forgotten=max_forgotten, confidence=0.95, seed=0,
    )  # fmt: skip


def general(system: str, values: np.ndarray, **cell: object) -> dict[str, object]:
    return row(system, values, origin="general") | cell


def test_what_was_forgotten_refuses_the_best(tmp_path: Path) -> None:
    rows = [general("tuned", STRONG * 0.94), general("base", STRONG)]
    assert keep(tmp_path, rows, 0.07).is_champion
    assert "Forgotten: -0.0" in keep(tmp_path, rows, 0.07).reason
    verdict = keep(tmp_path, rows, 0.05)
    assert not verdict.is_champion
    assert "may have forgotten more than the 5 % allowed" in verdict.reason
    assert "on 80 general questions. But for that: Champion" in verdict.reason
    assert keep(tmp_path, rows, None).is_champion


def test_a_loss_that_may_be_more_than_allowed_refuses(tmp_path: Path) -> None:
    """The low end counts: a mean within what is allowed does not prove that it is."""
    noisy = STRONG - 0.02 + DRAW.normal(0, 0.3, 80)
    rows = [general("tuned", noisy - noisy.mean() + STRONG.mean() - 0.01), general("base", STRONG)]
    assert not keep(tmp_path, rows, 0.05).is_champion
    assert keep(tmp_path, rows, 0.5).is_champion


def test_the_kept_cell_is_asked_what_it_forgot(tmp_path: Path) -> None:
    rows = [
        general("tuned", STRONG), general("tuned", STRONG * 0.2, pooling="cls"),
        general("tuned", STRONG * 0.2, layer=2), general("base", STRONG),
    ]  # fmt: skip
    assert keep(tmp_path, rows, 0.05).is_champion
    assert keep(tmp_path, rows, 0.05, pooling="mean", dimension=8).is_champion
    assert not keep(tmp_path, rows, 0.05, pooling="cls").is_champion
    assert not keep(tmp_path, rows, 0.05, layer=2).is_champion


def test_general_questions_are_no_test_questions(tmp_path: Path) -> None:
    rows = [general("tuned", STRONG), general("base", WEAK)]
    assert "no test question" in decide(tmp_path, rows).reason
    rows += [row("tuned", WEAK, origin="synthetic"), row("base", STRONG, origin="synthetic")]
    assert not decide(tmp_path, rows).is_champion
    assert {found["origin"] for found in pick(rows)} == {"synthetic"}
