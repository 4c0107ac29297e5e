"""A run's name tells what came of it, and of a failed one where and why."""

from pathlib import Path
from typing import Any
from uuid import UUID

import pytest
from prefect import flow
from prefect.client.orchestration import get_client
from prefect.runtime import flow_run

from flows.outcome import (
    MOST_CHARACTERS,
    find_stage,
    name_failure,
    name_outcome,
    name_run,
    tell_failure,
)
from tasks.contracts import BurnishError, Checkpoint
from tasks.train import TrainConfig, train
from tests.small_nouns import make_nouns


def compare(opponent: str, difference: float, *, is_better: bool) -> dict[str, Any]:
    return {
        "opponent": opponent, "difference": difference, "low": difference - 0.01,
        "high": difference + 0.01, "is_beyond_chance": is_better,
    }  # fmt: skip


def check(name: str, *, is_passed: bool) -> dict[str, Any]:
    return {"name": name, "is_passed": is_passed, "found": "…"}


BASE = compare("base", 0.1204, is_better=True)
BETTER = compare("champion", 0.031, is_better=True)
SAME = compare("champion", 0.004, is_better=False)
WORSE = compare("champion", -0.052, is_better=False)


@pytest.mark.parametrize(
    ("champion", "changes", "told"),
    [
        ("7", {"comparisons": [BASE, BETTER]}, "champion 7: +.031 over 6"),
        ("7", {"comparisons": [BASE], "opponent": ""}, "champion 7: +.120 over the base"),
        ("7", {"comparisons": []}, "champion 7: proven"),  # a person promoted it
        ("6", {"comparisons": [BASE, SAME]}, "kept 6: not beyond chance"),
        ("6", {"comparisons": [BASE, WORSE]}, "kept 6: worse than the champion (-.052)"),
        ("", {"comparisons": [SAME | {"opponent": "base"}]}, "no champion: not beyond chance"),
        ("6", {"checks": [check("size", is_passed=False)]}, "kept 6: too large"),
        (
            "6",
            {"checks": [check("size", is_passed=True), check("speed", is_passed=False)]},
            "kept 6: too slow",
        ),
        (
            "6",
            {"checks": [check("forgotten of what it knew", is_passed=False)]},
            "kept 6: forgot too much",
        ),
        ("", {"checks": [check("test questions", is_passed=False)], "comparisons": []},
         "no champion: no test question"),
        ("6", {"checks": [check("free to move", is_passed=False)]},
         "kept 6: moved or withdrawn meanwhile"),
        ("8", {"champion_moved": True}, "kept 8: 7 was champion before"),
    ],
)  # fmt: skip
def test_outcomes(champion: str, changes: dict[str, Any], told: str) -> None:
    facts = {"version": "7", "opponent": "6", "comparisons": [BASE, BETTER], "checks": []}
    assert name_outcome(facts | changes, champion) == told


@pytest.mark.parametrize(
    ("error", "told"),
    [
        (BurnishError("The disk is full: no. Free space."), "failed: The disk is full: no"),
        (KeyError(), "failed: KeyError"),
        (
            BurnishError("postgresql://me:secret@host/db does not answer"),
            "failed: postgresql://me@host/db does not answer",
        ),
    ],
)
def test_failures_outside_stages(error: BaseException, told: str) -> None:
    with pytest.raises(type(error)) as caught:
        raise error
    assert name_failure(caught.value) == told


def test_a_name_is_short() -> None:
    name = name_failure(BurnishError("very " * 100))
    assert len(name) <= MOST_CHARACTERS
    assert name.endswith("…")


def fail_in_training(checkpoint: Checkpoint, words: tuple[str, ...]) -> None:
    nouns = make_nouns(checkpoint.root, words)
    corpus = nouns.corpus.model_copy(update={"path": checkpoint.root / "corpus" / "gone"})
    train(corpus, nouns.pairs, nouns.triplets, checkpoint, TrainConfig())


def read_name(identifier: UUID) -> str:
    with get_client(sync_client=True) as client:
        return client.read_flow_run(identifier).name


def test_a_failed_run_names_its_stage(checkpoint: Checkpoint, words: tuple[str, ...]) -> None:
    seen = []

    @flow(name="inner", persist_result=False)
    def inner() -> None:
        fail_in_training(checkpoint, words)

    @flow(name="outer", persist_result=False, on_failure=[tell_failure])
    def outer() -> None:
        seen.append(UUID(str(flow_run.id)))
        inner()

    with pytest.raises(BurnishError) as caught:
        outer()
    assert find_stage(caught.value) == "train"  # through the flow inside
    assert read_name(seen[0]).startswith("failed in train: Corpus ")


def test_a_run_is_named_and_its_value_still_returned() -> None:
    @flow(persist_result=False)
    def ends() -> UUID:
        name_run("nothing new")
        return UUID(str(flow_run.id))

    assert read_name(ends()) == "nothing new"
    name_run("outside of any run")  # is nobody's name, and no error


def test_without_a_server_of_its_own_a_run_is_named_too(tmp_path: Path) -> None:
    import os
    import subprocess
    import sys

    code = (
        "import flows\nfrom prefect import flow\nfrom prefect.runtime import flow_run\n"
        "from flows.outcome import name_run\nfrom prefect.client.orchestration import get_client\n"
        "@flow(persist_result=False)\n"
        "def ends():\n"
        "    name_run('nothing new')\n"
        "    with get_client(sync_client=True) as client:\n"
        "        print('NAME', client.read_flow_run(flow_run.id).name)\n"
        "ends()\n"
    )
    kept = {name: value for name, value in os.environ.items() if not name.startswith("PREFECT_")}
    ended = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=False,
        env=kept | {"PREFECT_HOME": str(tmp_path)},
    )  # fmt: skip
    assert "NAME nothing new" in ended.stdout, ended.stderr[-2000:]
