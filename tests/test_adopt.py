"""Adopting a base: from a folder, from a package, and every way it can be wrong."""

import json
import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any, get_args

import pytest
import torch
from safetensors.torch import load_file, save_file
from transformers import (
    AlbertConfig,
    AutoModel,
    GemmaConfig,
    GPT2Config,
    PreTrainedConfig,
    T5Config,
)

from flows.command import parse
from flows.reproduce import restore_settings
from flows.retrain import describe_settings, take_in
from flows.settings import RetrainConfig
from tasks import adopt as adopt_module
from tasks.adopt import AdoptConfig, adopt
from tasks.contracts import BurnishError, Checkpoint
from tasks.core.encoder import Encoder
from tasks.core.pooling import POOLINGS
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
    chosen = AdoptConfig(pooling="max", query_prompt="which ")
    taken = adopt(str(checkpoint.path), tmp_path / "root", config=chosen)
    again = adopt(str(checkpoint.path), tmp_path / "other", config=chosen)
    assert taken.fingerprint != plain.fingerprint
    assert taken.fingerprint == again.fingerprint
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
            "JinaBertModel.*code of its own.*J in the auto_map.*No setting.*is not supported",
        ),
        ({"quantization_config": {"bits": 4}}, "are quantized"),
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


def test_changes_of_the_base_come_from_the_options() -> None:
    options = ["--adopt.pooling=cls", "--adopt.query-prompt", "query, please: ",
               "--adopt.document-prompt="]  # fmt: skip
    parsed = parse(["retrain", *options])
    assert isinstance(parsed, RetrainConfig)
    assert parsed.adopt == AdoptConfig(
        pooling="cls", query_prompt="query, please: ", document_prompt=""
    )
    assert describe_settings(parsed)["adopt.query_prompt"] == "query, please: "
    assert restore_settings({"settings": describe_settings(parsed)}, parsed.root) == parsed
    assert RetrainConfig.model_validate({}).adopt == AdoptConfig()


def test_every_pooling_can_be_chosen() -> None:
    choices, none = get_args(AdoptConfig.model_fields["pooling"].annotation)
    assert (get_args(choices), none) == (POOLINGS, type(None))


def test_the_chain_starts_from_the_changed_base(checkpoint: Checkpoint, tmp_path: Path) -> None:
    changes = AdoptConfig(pooling="cls", document_prompt="text ")
    (tmp_path / "documents").mkdir()
    (tmp_path / "documents" / "a.md").write_text("# One\n\nThe ship sails.\n")
    config = RetrainConfig(
        base=str(checkpoint.path), sources=(str(tmp_path / "documents"),), root=tmp_path / "chain",
        adopt=changes,
    )  # fmt: skip
    encoder = load_encoder(take_in(config).base.path)
    # the base's prompt of queries stays: it was not named
    assert (encoder.pooling, encoder.prompts) == (
        "cls",
        {"query": "query: ", "document": "text "},
    )
    emptied = config.model_copy(update={"adopt": AdoptConfig(query_prompt="")})
    assert load_encoder(take_in(emptied).base.path).prompts["query"] == ""


@pytest.mark.parametrize(
    ("architecture", "changes", "message"),
    [
        ("llama", {"pooling": "cls"}, "cls, but in a llama model the first token sees none"),
        ("qwen3", {"pooling": "cls"}, "Choose lasttoken or mean"),
        ("bert", {"query_prompt": "gold " * 99}, "query-prompt takes 101 tokens of the 96"),
        ("qwen3", {"document_prompt": "gold " * 99}, "document-prompt takes .* Shorten it"),
    ],
)
def test_a_change_that_the_base_cannot_bear_is_refused(
    make_encoder: Callable[..., Encoder],
    make_checkpoint: Callable[..., Checkpoint],
    tmp_path: Path,
    architecture: str,
    changes: dict[str, str],
    message: str,
) -> None:
    base = make_checkpoint(make_encoder(architecture, pooling="mean"))
    with pytest.raises(BurnishError, match=message):
        adopt(str(base.path), tmp_path / "other", config=AdoptConfig.model_validate(changes))
    assert not (tmp_path / "other" / "checkpoint").exists()


def test_a_decoder_that_sees_all_may_take_its_first_token(
    make_encoder: Callable[..., Encoder],
    make_checkpoint: Callable[..., Checkpoint],
    tmp_path: Path,
) -> None:
    encoder = make_encoder("llama")
    encoder.model.config.is_causal = False
    config = AdoptConfig(pooling="cls")
    taken = adopt(str(make_checkpoint(encoder).path), tmp_path / "other", config=config)
    assert load_encoder(taken.path).pooling == "cls"


FOREIGN: dict[str, tuple[type[PreTrainedConfig], dict[str, Any]]] = {
    "t5": (T5Config, {"d_model": 16, "num_layers": 2, "num_heads": 2}),
    "albert": (AlbertConfig, {"hidden_size": 16, "num_hidden_layers": 4, "num_attention_heads": 2}),
    "gpt2": (GPT2Config, {"n_embd": 16, "n_layer": 2, "n_head": 2}),
    "gemma": (GemmaConfig, {"hidden_size": 16, "num_hidden_layers": 2, "num_attention_heads": 2}),
}


@pytest.mark.parametrize("model_type", FOREIGN)
def test_an_architecture_that_cannot_be_cut_ends_the_chain_before_it_starts(
    tmp_path: Path, model_type: str
) -> None:
    make_config, sizes = FOREIGN[model_type]
    model = AutoModel.from_config(make_config(vocab_size=50, **sizes))
    model.save_pretrained(tmp_path / "model")
    (tmp_path / "documents").mkdir()
    (tmp_path / "documents" / "a.md").write_text("# One\n\nThe ship sails.\n")
    config = RetrainConfig(
        base=str(tmp_path / "model"), sources=(str(tmp_path / "documents"),),
        root=tmp_path / "root",
    )  # fmt: skip
    with pytest.raises(BurnishError, match=f"Models of type '{model_type}' cannot be cut.*bert,"):
        take_in(config)
    assert not (tmp_path / "root" / "checkpoint").exists()


@pytest.mark.parametrize(
    ("architecture", "native"), [("modernbert", "ModernBertModel"), ("qwen3", "Qwen3Model")]
)
def test_code_beside_a_type_that_transformers_has_is_left_alone(
    make_encoder: Callable[..., Encoder],
    tmp_path: Path,
    caplog: pytest.LogCaptureFixture,
    architecture: str,
    native: str,
) -> None:
    encoder, folder = make_encoder(architecture), tmp_path / "model"
    save_encoder(encoder, folder)
    _name_code(folder, f"modeling_own.{native}")
    (folder / "modeling_own.py").write_text("raise SystemExit('was run')")
    taken = adopt(str(folder), tmp_path / "root")
    assert f"names code of its own, {native}, which is not run" in caplog.text
    assert "auto_map" not in (taken.path / "config.json").read_text()
    found = load_encoder(taken.path).encode(["wolf sleeps"], "query", [3])
    assert (found == encoder.encode(["wolf sleeps"], "query", [3])).all()
    caplog.clear()
    adopt(str(taken.path), tmp_path / "root")
    assert "code of its own" not in caplog.text


def test_code_with_weights_of_its_own_is_refused(
    make_encoder: Callable[..., Encoder], tmp_path: Path
) -> None:
    folder = tmp_path / "model"
    save_encoder(make_encoder("modernbert"), folder)
    _name_code(folder, "org/name--modeling_own.ModernBertModel")
    weights = load_file(folder / "model.safetensors")
    added = weights | {"layers.1.attn.bias_of_its_own": torch.zeros(4), "head.weight": torch.eye(2)}
    save_file(added, folder / "model.safetensors", metadata={"format": "pt"})
    with pytest.raises(BurnishError, match=r"have 1 tensors .*layers\.1\.attn\.bias_of_its_own"):
        adopt(str(folder), tmp_path / "root")
    name = "layers.0.mlp.Wi.weight"
    save_file({key: value for key, value in weights.items() if key != name},
              folder / "model.safetensors", metadata={"format": "pt"})  # fmt: skip
    with pytest.raises(BurnishError, match=f"lack 1 tensors .*{name}"):
        adopt(str(folder), tmp_path / "root")


def _name_code(folder: Path, path: str) -> None:
    config = json.loads((folder / "config.json").read_text())
    named = {"AutoConfig": "configuration_own.OwnConfig", "AutoModel": path}
    (folder / "config.json").write_text(json.dumps(config | {"auto_map": named}))
