"""reproduce: from a version to the same fingerprints, and to what changed where they differ."""

import json
import shutil
from pathlib import Path

import pytest

from flows.promote import open_registry
from flows.reproduce import PAID, hand_down_paid, read_lineage, restore_settings, tell_changes
from flows.retrain import describe_settings, seeded
from flows.settings import RetrainConfig
from tasks.contracts import BurnishError
from tasks.provenance import describe_code, describe_environment
from tests.flows.conftest import run_child


def test_settings_are_restored_with_every_seed() -> None:
    given = {
        "seed": 7, "sources": ["a, b", "c#d=e"], "train": {"seed": 3, "exits": [1, 2]},
        "mine": {"max_ratio": None},
    }  # fmt: skip
    used = seeded(RetrainConfig.model_validate(given))
    recorded = {"settings": json.loads(json.dumps(describe_settings(used)))}
    restored = restore_settings(recorded, used.root)
    assert restored == used
    assert seeded(restored) == used
    assert (restored.synthesize.seed, restored.train.seed) == (7, 3)


def test_what_was_paid_for_is_taken_along_after_a_kill_too(tmp_path: Path) -> None:
    root, folder = tmp_path / "root", tmp_path / "again"
    for name in PAID:
        (root / "memo" / name).mkdir(parents=True)
        (root / "memo" / name / "part").write_text(f"all of {name}")
    first, second, *_ = PAID
    # a killed process left one memo whole, by now with more in it, and the half of another
    (folder / "memo" / first).mkdir(parents=True)
    (folder / "memo" / first / "part").write_text("more")
    (folder / "memo" / f"{second}.unfinished").mkdir()
    (folder / "memo" / f"{second}.unfinished" / "part").write_text("all")
    hand_down_paid(root, folder)
    found = {file.parent.name: file.read_text() for file in folder.rglob("part")}
    assert found == {name: f"all of {name}" for name in PAID} | {first: "more"}


def test_settings_of_other_code_are_named() -> None:
    recorded = {"settings": {"train.gone": 1}, "commit": "abc123"}
    with pytest.raises(BurnishError, match=r"train\.gone\. Check out commit abc123"):
        restore_settings(recorded, Path("again"))


def test_what_changed_is_told() -> None:
    same = describe_code() | {"environment": describe_environment()}
    assert tell_changes(same) == ""
    packages = same["environment"]["packages"] | {"torch": "1.0", "gone": "2"}
    other = same | {"code": "c0ffee"}
    other["environment"] = same["environment"] | {"packages": packages, "threads": 99}
    told = tell_changes(other)
    assert told.startswith("code changed from c0ffee (commit ")
    assert tell_changes(same | {"commit": "another"}) == ""
    assert "threads from 99 to " in told
    assert "2 packages changed (gone 2 to None, torch 1.0 to " in told


def test_a_version_is_made_again_and_compared(
    tmp_path: Path, options: list[str], documents: Path
) -> None:
    copied = shutil.copytree(documents, tmp_path / "documents")
    root = tmp_path / "root"
    # started elsewhere, with a name that means nothing here
    arguments = [*options, "--sources=documents", "--seed=5", f"--root={root}"]
    arguments.remove(f"--sources={documents}")
    first = run_child(["retrain", *arguments], folder=tmp_path)
    assert first.returncode == 0, first.stderr[-3000:]
    again = run_child(["reproduce", "1", f"--root={root}"])
    assert again.returncode == 0, again.stderr[-3000:]
    assert again.stdout.count("the same") == 9  # eight nouns, and code and environment
    # a registry was neither needed nor touched, and nothing was taken from the first run
    assert not (root / "reproduced/1/mlflow.db").exists()
    assert "Cached" not in again.stderr
    registry = open_registry(root, "burnish")
    assert len(registry.client.search_model_versions("name = 'burnish'")) == 1
    lineage = read_lineage(registry, registry.client.get_model_version("burnish", "1"))
    assert lineage["environment"]["packages"]["torch"]
    # other documents: the first difference is the corpus
    (copied / "00.md").write_text("# Something else\n\nThe old captain sings at night.\n")
    shutil.rmtree(root / "reproduced")
    other = run_child(["reproduce", "1", f"--root={root}"])
    assert other.returncode == 1
    assert "the first that differs is corpus. Look at the documents" in other.stderr
