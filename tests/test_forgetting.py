"""What was forgotten beyond what is allowed refuses the best candidate, and is no test question."""

from pathlib import Path

import numpy as np

from tasks.contracts import Scores
from tasks.forgetting import keep_knowledge
from tasks.gate import Verdict
from tasks.report import pick
from tests.test_gate import DRAW, STRONG, WEAK, decide, row


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


def test_a_handful_of_questions_proves_no_knowledge(tmp_path: Path) -> None:
    for questions, is_champion in ((5, False), (6, True)):
        rows = [general(system, STRONG[:questions]) for system in ("tuned", "base")]
        verdict = keep(tmp_path, rows, 0.05)
        assert verdict.is_champion == is_champion
        assert ("too few to tell (at least 6)" in verdict.reason) != is_champion


def test_that_nothing_was_measured_is_told(tmp_path: Path) -> None:
    rows = [row("tuned", STRONG), row("base", WEAK)]
    verdict = keep(tmp_path, rows, 0.05)
    assert verdict.is_champion
    assert "forgotten of other subjects is not known" in verdict.reason
    assert "not measured" not in keep(tmp_path, rows, None).reason


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
