"""Adopting a base: from a folder, from a package, and every way it can be wrong."""

import shutil
from pathlib import Path

import pytest

from tasks import adopt as adopt_module
from tasks.adopt import adopt
from tasks.contracts import BurnishError, Checkpoint
from tasks.model_files import load_encoder


def test_a_folder_is_taken_in_whole_and_named_by_its_content(
    checkpoint: Checkpoint, tmp_path: Path
) -> None:
    taken = adopt(str(checkpoint.path), tmp_path / "a")
    assert taken.fingerprint == adopt(str(checkpoint.path), tmp_path / "b").fingerprint
    assert load_encoder(taken.path).layers == 3
    assert taken.facts["bytes"] > 0


def test_code_and_pickles_are_left_behind(checkpoint: Checkpoint, tmp_path: Path) -> None:
    folder = tmp_path / "model"
    shutil.copytree(checkpoint.path, folder)
    (folder / "modeling_custom.py").write_text("raise SystemExit")
    (folder / "pytorch_model.bin").write_bytes(b"\x80\x04")
    names = {file.name for file in adopt(str(folder), tmp_path / "root").path.rglob("*")}
    assert not {"modeling_custom.py", "pytorch_model.bin"} & names


def test_pickled_weights_alone_are_refused(checkpoint: Checkpoint, tmp_path: Path) -> None:
    folder = tmp_path / "model"
    shutil.copytree(checkpoint.path, folder)
    (folder / "model.safetensors").rename(folder / "pytorch_model.bin")
    with pytest.raises(BurnishError, match="no weights as safetensors"):
        adopt(str(folder), tmp_path / "root")


def test_a_folder_that_is_no_model_is_refused(tmp_path: Path) -> None:
    with pytest.raises(BurnishError, match=r"is no model: it has no config\.json"):
        adopt(str(tmp_path), tmp_path / "root")


def test_a_model_that_is_nowhere_is_refused_with_what_to_do(tmp_path: Path) -> None:
    with pytest.raises(BurnishError, match="no folder, no installed package that ships a model"):
        adopt("no-such-model", tmp_path / "root")


def test_a_package_that_ships_a_model_is_found(
    checkpoint: Checkpoint, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    class File:
        name = "config.json"

        def locate(self) -> Path:
            return checkpoint.path / "config.json"

    monkeypatch.setattr(adopt_module.importlib.metadata, "files", lambda name: [File()])
    assert adopt("a-package", tmp_path / "root").facts["base"] == "a-package"
