"""The janitor ends what is surely dead, and touches nothing else."""

import os
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tasks.janitor import (
    LONGEST_SECONDS,
    PROCESS_TAG,
    describe_process,
    end_dead_runs,
    find_place,
    is_dead,
)
from tasks.registry import CHECKPOINT_TAG, Registry

NOW = 1_000_000.0


def describe_gone() -> str:
    """Return what a process that has ended said of itself."""
    code = "from tasks.janitor import describe_process; print(describe_process())"
    return subprocess.check_output([sys.executable, "-c", code], text=True).strip()


def test_a_process_is_dead_only_if_nobody_can_doubt_it() -> None:
    own, gone = describe_process(), describe_gone()
    assert not is_dead(own, NOW, NOW)
    assert is_dead(gone, NOW, NOW)
    place, number, created = own.split("/")
    assert is_dead(f"{place}/{number}/{int(created) - 100}", NOW, NOW)  # the number was given anew
    assert not is_dead(f"elsewhere/{gone.partition('/')[2]}", NOW, NOW)
    for unreadable in ("", "x", f"{place}/x/y", f"{place}//"):
        assert not is_dead(unreadable, NOW, NOW)
    for process in ("", "elsewhere/1/2"):
        assert not is_dead(process, NOW, NOW + LONGEST_SECONDS - 1)
        assert is_dead(process, NOW, NOW + LONGEST_SECONDS + 1)


def test_a_process_that_ended_and_was_not_waited_for_is_dead() -> None:
    if not hasattr(os, "fork"):
        pytest.skip("no fork")
    import psutil

    child = os.fork()
    if child == 0:
        os._exit(0)
    time.sleep(0.2)
    created = psutil.Process(child).create_time()
    assert is_dead(f"{find_place()}/{child}/{created:.0f}", NOW, NOW)
    os.waitpid(child, 0)


def test_only_our_dead_runs_are_ended(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    registry = Registry(tmp_path, "burnish")
    assert end_dead_runs(registry) == 0  # there is no experiment yet
    ours, gone = {CHECKPOINT_TAG: "c0ffee"}, describe_gone()
    experiment = registry.experiment_id
    runs = {
        name: registry.client.create_run(experiment, tags=tags).info.run_id
        for name, tags in {
            "dead": ours | {PROCESS_TAG: gone},
            "other model": {CHECKPOINT_TAG: "bad", PROCESS_TAG: gone},
            "alive": ours | {PROCESS_TAG: describe_process()},
            "elsewhere": ours | {PROCESS_TAG: "elsewhere/1/2"},
            "a person's": {PROCESS_TAG: gone},
        }.items()
    }
    assert end_dead_runs(registry) == 2
    assert end_dead_runs(registry) == 0
    states = {name: registry.client.get_run(run).info.status for name, run in runs.items()}
    assert states == dict.fromkeys(runs, "RUNNING") | {"dead": "KILLED", "other model": "KILLED"}
