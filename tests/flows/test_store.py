"""A run on an empty machine goes on from what the store holds."""

import re
import shutil
from pathlib import Path

import pytest

from tests.flows.conftest import fingerprints, run_child


def test_an_empty_machine_repeats_nothing(
    tmp_path: Path, options: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("BURNISH_STORE", f"file://{tmp_path}/store")
    monkeypatch.setenv("MLFLOW_TRACKING_URI", f"sqlite:///{tmp_path}/mlflow.db")
    first = run_child(["retrain", *options, f"--root={tmp_path}/one"])
    assert first.returncode == 0, first.stderr[-3000:]
    before = fingerprints(tmp_path / "one")
    shutil.rmtree(tmp_path / "one")
    again = run_child(["retrain", *options, f"--root={tmp_path}/two"])
    assert again.returncode == 0, again.stderr[-3000:]
    assert len(re.findall(r"is taken from file://", again.stderr)) == 11
    assert fingerprints(tmp_path / "two") == before
    assert (tmp_path / "two" / "trained.json").exists()
