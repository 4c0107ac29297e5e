"""A saved encoder is the same one in a new process, in its own format and in others'."""

import json
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from safetensors import safe_open
from safetensors.torch import load_file, save_file

from tasks.contracts import BurnishError, fingerprint_folder
from tasks.core.encoder import Encoder
from tasks.model_files import load_encoder, save_encoder

Make = Callable[..., Encoder]
ARCHITECTURES = ("bert", "distilbert", "modernbert", "mpnet", "roberta", "xlm-roberta")
TEXTS = ["the ship sails on the dark sea", "", "Zebra-42 ünïcode 漢字", "gold mine", "bread " * 200]
LAYERS = range(1, 4)

ENCODE_ALL = """
import json, sys
import numpy
from sentence_transformers import SentenceTransformer
request = json.load(sys.stdin)
vectors = {}
for folder in request["folders"]:
    model = SentenceTransformer(folder, device="cpu", local_files_only=True)
    vectors[folder + "/query"] = model.encode_query(request["texts"])
    vectors[folder + "/document"] = model.encode_document(request["texts"])
numpy.savez(request["vectors"], **vectors)
"""


@pytest.fixture(scope="module")
def by_strangers(
    make_encoder: Make, tmp_path_factory: pytest.TempPathFactory
) -> tuple[Path, dict[str, np.ndarray], str]:
    """Cut every architecture at every layer, save, and encode with each in one new process."""
    root = tmp_path_factory.mktemp("cuts")
    folders = []
    for architecture in ARCHITECTURES:
        encoder = make_encoder(architecture)
        for layer in LAYERS:
            folders.append(root / architecture / str(layer))
            save_encoder(encoder.cut(layer), folders[-1])
    request = {"folders": [str(f) for f in folders], "texts": TEXTS, "vectors": f"{root}/v.npz"}
    process = subprocess.run(
        [sys.executable, "-c", ENCODE_ALL],
        input=json.dumps(request),
        capture_output=True,
        text=True,
        check=False,
    )
    assert process.returncode == 0, process.stderr
    return root, dict(np.load(root / "v.npz")), process.stderr


@pytest.mark.parametrize("architecture", ARCHITECTURES)
def test_layer_k_is_the_cut_model_in_a_new_process(
    make_encoder: Make,
    by_strangers: tuple[Path, dict[str, np.ndarray], str],
    architecture: str,
) -> None:
    root, vectors, _ = by_strangers
    encoder = make_encoder(architecture)
    for kind in ("query", "document"):
        embeddings = encoder.encode(TEXTS, kind, LAYERS)
        for layer in LAYERS:
            theirs = vectors[f"{root}/{architecture}/{layer}/{kind}"]
            np.testing.assert_allclose(theirs, embeddings[:, layer - 1], rtol=0, atol=1e-5)


def test_loading_elsewhere_makes_no_weights_up(
    by_strangers: tuple[Path, dict[str, np.ndarray], str],
) -> None:
    *_, stderr = by_strangers
    assert "MISSING" not in stderr
    assert "newly initialized" not in stderr


@pytest.mark.parametrize("architecture", ARCHITECTURES)
def test_cut_folder_says_and_holds_k_layers(
    by_strangers: tuple[Path, dict[str, np.ndarray], str], architecture: str
) -> None:
    root, *_ = by_strangers
    for layer in LAYERS:
        folder = root / architecture / str(layer)
        config = json.loads((folder / "config.json").read_text())
        assert config.get("num_hidden_layers", config.get("n_layers")) == layer
        assert len(config.get("layer_types", range(layer))) == layer
        with safe_open(folder / "model.safetensors", framework="pt") as weights:
            names = list(weights.keys())
        numbers = {int(part) for name in names for part in name.split(".") if part.isdigit()}
        assert numbers == set(range(layer))
        assert not [name for name in names if "pooler" in name]


@pytest.mark.parametrize("pooling", ["mean", "cls", "max"])
@pytest.mark.parametrize("normalize", [True, False])
def test_loads_what_it_saved(
    make_encoder: Make, tmp_path: Path, pooling: str, normalize: bool
) -> None:
    prompts = {"query": "find: ", "document": "text: "}
    encoder = make_encoder(pooling=pooling, normalize=normalize, prompts=prompts, max_tokens=17)
    save_encoder(encoder, tmp_path)
    loaded = load_encoder(tmp_path, device="cpu")
    assert (loaded.pooling, loaded.normalize, loaded.max_tokens) == (pooling, normalize, 17)
    assert dict(loaded.prompts) == prompts
    assert not loaded.model.training
    expected = encoder.encode(TEXTS, "query", LAYERS)
    np.testing.assert_array_equal(loaded.encode(TEXTS, "query", LAYERS), expected)


def test_same_encoder_gives_the_same_bytes(
    make_encoder: Make, tmp_path: Path, architecture: str
) -> None:
    encoder = make_encoder(architecture)
    save_encoder(encoder, tmp_path / "fresh")
    encoder.encode(TEXTS, "query", [1])  # leaves its truncation in the tokenizer
    save_encoder(encoder, tmp_path / "used")
    save_encoder(load_encoder(tmp_path / "used"), tmp_path / "again")
    expected = fingerprint_folder(tmp_path / "fresh")
    assert fingerprint_folder(tmp_path / "used") == expected
    assert fingerprint_folder(tmp_path / "again") == expected
    for file in (path for path in (tmp_path / "again").rglob("*") if path.is_file()):
        assert str(tmp_path).encode() not in file.read_bytes()
        assert file.stat().st_mode & 0o044 == 0o044  # another user's worker can read it


def test_needs_no_sentence_transformers(
    make_encoder: Make, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "sentence_transformers", None)
    save_encoder(make_encoder(), tmp_path)
    assert load_encoder(tmp_path).layers == 3


def test_plain_transformers_folder(make_encoder: Make, tmp_path: Path, architecture: str) -> None:
    encoder = make_encoder(architecture, prompts={})
    encoder.model.save_pretrained(tmp_path)
    encoder.tokenizer.save_pretrained(tmp_path)
    loaded = load_encoder(tmp_path)
    assert (loaded.pooling, loaded.normalize, dict(loaded.prompts)) == ("mean", True, {})
    positions = 98 if architecture in {"bert", "distilbert", "modernbert"} else 96
    assert loaded.max_tokens == positions
    loaded.encode(["bread " * 200], "query", [3])  # as long as it may be
    expected = encoder.encode(["gold mine"], "query", LAYERS)
    np.testing.assert_allclose(loaded.encode(["gold mine"], "query", LAYERS), expected, atol=1e-6)


@pytest.fixture
def folder(make_encoder: Make, tmp_path: Path) -> Path:
    """Give the folder of a saved tiny BERT, for a test to spoil."""
    save_encoder(make_encoder(), tmp_path / "model")
    return tmp_path / "model"


def change(file: Path, **values: Any) -> None:  # noqa: ANN401 - what JSON holds
    """Set values in a JSON file; None removes one."""
    content = json.loads(file.read_text()) | values
    file.write_text(json.dumps({name: v for name, v in content.items() if v is not None}))


@pytest.mark.parametrize(
    ("content", "pooling"),
    [
        ({"embedding_dimension": 32, "pooling_mode": "max", "include_prompt": True}, "max"),
        ({"embedding_dimension": 32, "pooling_mode": ["cls"]}, "cls"),
        ({"word_embedding_dimension": 32, "pooling_mode_cls_token": True}, "cls"),
        ({"word_embedding_dimension": 32, "pooling_mode_mean_tokens": True}, "mean"),
        ({"word_embedding_dimension": 32}, "mean"),
    ],
)
def test_reads_every_form_of_the_pooling(folder: Path, content: dict, pooling: str) -> None:
    (folder / "1_Pooling/config.json").write_text(json.dumps(content))
    assert load_encoder(folder).pooling == pooling


@pytest.mark.parametrize(
    ("similarity", "normalize"), [(None, True), ("cosine", True), ("dot", False)]
)
def test_cosine_models_are_normalised(folder: Path, similarity: str, normalize: bool) -> None:
    modules = json.loads((folder / "modules.json").read_text())
    (folder / "modules.json").write_text(json.dumps(modules[:2]))
    change(folder / "config_sentence_transformers.json", similarity_fn_name=similarity)
    assert load_encoder(folder).normalize == normalize


def test_reads_the_prompt_of_documents_under_its_other_names(folder: Path) -> None:
    prompts = {"query": "q: ", "passage": "p: ", "document": ""}
    change(folder / "config_sentence_transformers.json", prompts=prompts)
    assert dict(load_encoder(folder).prompts) == {"query": "q: ", "document": "p: "}


def test_reads_a_transformer_in_a_folder_of_its_own(folder: Path) -> None:
    expected = load_encoder(folder).encode(TEXTS, "query", LAYERS)
    modules = json.loads((folder / "modules.json").read_text())
    modules[0]["path"] = "0_Transformer"
    (folder / "modules.json").write_text(json.dumps(modules))
    (folder / "0_Transformer").mkdir()
    for file in [*folder.glob("*token*"), *folder.glob("model*"), folder / "config.json"]:
        shutil.move(file, folder / "0_Transformer" / file.name)
    shutil.move(folder / "sentence_bert_config.json", folder / "0_Transformer")
    np.testing.assert_array_equal(load_encoder(folder).encode(TEXTS, "query", LAYERS), expected)


def _make_pickle(folder: Path) -> None:
    torch.save(load_file(folder / "model.safetensors"), folder / "pytorch_model.bin")
    (folder / "model.safetensors").unlink()


def _drop_tensor(folder: Path) -> None:
    weights = load_file(folder / "model.safetensors")
    del weights["encoder.layer.1.output.dense.weight"]
    save_file(weights, folder / "model.safetensors", metadata={"format": "pt"})


def _slice_layers_alone(folder: Path) -> None:
    # The cut that everyone writes first: the configuration still says 3 layers.
    encoder = load_encoder(folder)
    config = (folder / "config.json").read_text()
    del encoder.model.get_submodule("encoder.layer")[1:]
    encoder.model.save_pretrained(folder)
    (folder / "config.json").write_text(config)


def _add_module(folder: Path) -> None:
    modules = json.loads((folder / "modules.json").read_text())
    dense = {"idx": 3, "name": "3", "path": "3_Dense", "type": "sentence_transformers.models.Dense"}
    (folder / "modules.json").write_text(json.dumps([*modules, dense]))


def _leave_prompt_out(folder: Path) -> None:
    change(folder / "1_Pooling/config.json", include_prompt=False)


def _take_padding_away(folder: Path) -> None:
    settings = {"pad_token": None, "tokenizer_class": "PreTrainedTokenizerFast"}
    change(folder / "tokenizer_config.json", **settings)


SPOILED: dict[str, tuple[Callable[[Path], object], str]] = {
    "no model": (shutil.rmtree, "There is no model in"),
    "pickle": (_make_pickle, "are pickles \\(pytorch_model.bin\\)"),
    "no weights": (lambda folder: (folder / "model.safetensors").unlink(), "no weights in"),
    "half a file": (
        lambda folder: (folder / "model.safetensors").write_bytes(b"\x01\x02"),
        "cannot be loaded",
    ),
    "lacks a tensor": (_drop_tensor, "lack 1 tensors .*layer.1.output.dense.weight"),
    "layers sliced alone": (_slice_layers_alone, "lack 32 tensors"),
    "architecture": (
        lambda folder: change(folder / "config.json", model_type="gpt2"),
        "'gpt2' cannot be cut.*bert, distilbert, modernbert",
    ),
    "broken JSON": (
        lambda folder: (folder / "modules.json").write_text("["),
        "modules.json cannot be read",
    ),
    "module": (_add_module, "is made of Transformer, Pooling, Normalize, Dense"),
    "pooling": (
        lambda folder: change(folder / "1_Pooling/config.json", pooling_mode="lasttoken"),
        "pools by lasttoken",
    ),
    "two poolings": (
        lambda folder: change(folder / "1_Pooling/config.json", pooling_mode_cls_token=True),
        "pools by cls and mean",
    ),
    "prompt left out": (_leave_prompt_out, "leaves the prompt's tokens out"),
    "no tokenizer": (
        lambda folder: [file.unlink() for file in folder.glob("tokenizer*")],
        "tokenizer in .* knows no words",
    ),
    "no padding token": (_take_padding_away, "no padding token"),
    "lower case": (
        lambda folder: (
            change(folder / "sentence_bert_config.json", do_lower_case=True),
            change(folder / "tokenizer_config.json", do_lower_case=False),
        ),
        "asks for lower case",
    ),
}


@pytest.mark.parametrize("case", SPOILED)
def test_says_why_a_folder_cannot_be_used(folder: Path, case: str) -> None:
    spoil, message = SPOILED[case]
    spoil(folder)
    with pytest.raises(BurnishError, match=message):
        load_encoder(folder)


def test_takes_safetensors_where_there_is_a_pickle_too(folder: Path) -> None:
    (folder / "pytorch_model.bin").write_bytes(b"not even a pickle")
    assert load_encoder(folder).layers == 3


def test_missing_head_is_no_missing_weight(make_encoder: Make, folder: Path) -> None:
    # A model of someone else's that has the head: read without it, saved without it.
    weights = load_file(folder / "model.safetensors")
    weights |= {"pooler.dense.weight": torch.eye(32), "pooler.dense.bias": torch.zeros(32)}
    save_file(weights, folder / "model.safetensors", metadata={"format": "pt"})
    encoder = load_encoder(folder)
    expected = make_encoder().encode(TEXTS, "query", LAYERS)
    np.testing.assert_array_equal(encoder.encode(TEXTS, "query", LAYERS), expected)
    assert not [name for name in encoder.model.state_dict() if "pooler" in name]
