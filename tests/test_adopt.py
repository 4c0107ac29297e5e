"""Adopting a base: from a folder, from a package, and every way it can be wrong."""

import json
import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from tasks import adopt as adopt_module
from tasks.adopt import adopt
from tasks.contracts import BurnishError, Checkpoint
from tasks.core.encoder import Encoder
from tasks.model_files import load_encoder, save_encoder


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


@pytest.mark.parametrize("shortened_to", [None, 8])
def test_a_package_that_ships_a_model_is_found(
    make_encoder: Callable[..., Encoder],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    shortened_to: int | None,
) -> None:
    save_encoder(make_encoder(shortened_to=shortened_to), tmp_path / "model")

    class File:
        name = "config.json"

        def __init__(self, path: Path) -> None:
            self.path = path

        def locate(self) -> Path:
            return self.path

    found = [File(path) for path in sorted((tmp_path / "model").rglob("config.json"))]
    monkeypatch.setattr(adopt_module.importlib.metadata, "files", lambda name: found)
    taken = adopt("a-package", tmp_path / "root")
    assert taken.facts["base"] == "a-package"
    assert load_encoder(taken.path).dimension == (shortened_to or 32)


def test_pooling_and_prompts_are_decided_once(checkpoint: Checkpoint, tmp_path: Path) -> None:
    plain = adopt(str(checkpoint.path), tmp_path / "root")
    chosen = {"pooling": "max", "prompts": {"query": "which "}}
    taken = adopt(str(checkpoint.path), tmp_path / "root", **chosen)
    assert taken.fingerprint != plain.fingerprint
    assert (
        taken.fingerprint == adopt(str(checkpoint.path), tmp_path / "other", **chosen).fingerprint
    )
    encoder = load_encoder(taken.path)
    assert (encoder.pooling, dict(encoder.prompts)) == ("max", {"query": "which ", "document": ""})
    asked = replace(load_encoder(plain.path), pooling="max", prompts={"query": "which "})
    found, expected = (each.encode(["wolf sleeps"], "query", [3]) for each in (encoder, asked))
    assert (found == expected).all()


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        (
            {"model_type": "t5", "architectures": ["T5ForConditionalGeneration"]},
            "T5ForConditionalGeneration.*'t5' cannot be cut.*bert, distilbert, llama",
        ),
        (
            {"model_type": "nomic_bert", "architectures": ["NomicBertModel"]},
            "NomicBertModel.*'nomic_bert' cannot be cut",
        ),
        (
            {"architectures": ["JinaBertModel"], "auto_map": {"AutoModel": "a/b--modeling.J"}},
            "JinaBertModel.*code of its own",
        ),
    ],
)
def test_a_model_that_cannot_be_cut_is_refused_before_anything_is_made(
    checkpoint: Checkpoint, tmp_path: Path, changes: dict[str, object], message: str
) -> None:
    folder = tmp_path / "model"
    shutil.copytree(checkpoint.path, folder)
    config = json.loads((folder / "config.json").read_text())
    (folder / "config.json").write_text(json.dumps(config | changes))
    # sentence-t5 has a module of its own besides, which is not what is wrong with it
    modules = json.loads((folder / "modules.json").read_text())
    modules[2]["type"] = "sentence_transformers.models.CNN"
    (folder / "modules.json").write_text(json.dumps(modules))
    with pytest.raises(BurnishError, match=message):
        adopt(str(folder), tmp_path / "other")
    assert not (tmp_path / "other").exists()


def test_a_transformer_in_a_folder_of_its_own_is_taken_in(
    checkpoint: Checkpoint, tmp_path: Path
) -> None:
    folder = tmp_path / "model"
    shutil.copytree(checkpoint.path, folder)
    (folder / "0_Transformer").mkdir()
    modules = json.loads((folder / "modules.json").read_text())
    modules[0]["path"] = "0_Transformer"
    (folder / "modules.json").write_text(json.dumps(modules))
    for name in ("config.json", "model.safetensors", "tokenizer.json", "tokenizer_config.json"):
        (folder / name).rename(folder / "0_Transformer" / name)
    assert load_encoder(adopt(str(folder), tmp_path / "other").path).layers == 3
