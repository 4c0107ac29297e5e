"""A saved encoder is the same one in a new process, in its own format and in others'."""

import json
import shutil
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from safetensors import safe_open
from safetensors.torch import load_file, save_file

from tasks.contracts import BurnishError, fingerprint_folder
from tasks.core.backbones import BACKBONES
from tasks.core.encoder import Encoder
from tasks.core.pooling import POOLINGS
from tasks.model_files import load_encoder, save_encoder

Make = Callable[..., Encoder]
ARCHITECTURES = tuple(sorted(BACKBONES))
ROOT = Path(__file__).parent.parent
TEXTS = ["the ship sails on the dark sea", "", "Zebra-42 ünïcode 漢字", "gold mine", "bread " * 200]
LAYERS = range(1, 4)

# What is told apart by the folder alone: pooling, prompts left out of it, short embeddings.
VARIANTS: dict[str, dict[str, Any]] = {
    **{pooling: {"pooling": pooling} for pooling in POOLINGS},
    **{
        f"{pooling}, no prompt": {"pooling": pooling, "pools_prompt": False} for pooling in POOLINGS
    },
    "short": {"shortened_to": 8},
    "short, not normalised": {"shortened_to": 8, "normalize": False, "pooling": "lasttoken"},
}
PROMPTS = {"query": "find gold: ", "document": "text "}

ENCODE_ALL = """
import json, sys
from pathlib import Path
import numpy
from sentence_transformers import SentenceTransformer
from tasks.model_files import load_encoder
request = json.load(sys.stdin)
vectors = {}
for folder in request["folders"]:
    theirs = SentenceTransformer(folder, device="cpu", local_files_only=True)
    vectors[folder + "/query"] = theirs.encode_query(request["texts"])
    vectors[folder + "/document"] = theirs.encode_document(request["texts"])
    ours = load_encoder(Path(folder), device="cpu")
    for kind in ("query", "document"):
        embeddings = ours.encode(request["texts"], kind, [ours.layers])
        vectors[folder + "/" + kind + "/ours"] = embeddings[:, 0]
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
        for variant, settings in VARIANTS.items():
            folders.append(root / architecture / variant)
            save_encoder(
                make_encoder(architecture, prompts=PROMPTS, **settings).cut(2), folders[-1]
            )
    request = {"folders": [str(f) for f in folders], "texts": TEXTS, "vectors": f"{root}/v.npz"}
    process = subprocess.run(
        [sys.executable, "-c", ENCODE_ALL],
        cwd=ROOT,
        input=json.dumps(request),
        capture_output=True,
        text=True,
        check=False,
    )
    assert process.returncode == 0, process.stderr
    return root, dict(np.load(root / "v.npz")), process.stderr


def assert_same(found: np.ndarray, expected: np.ndarray) -> None:
    np.testing.assert_allclose(found, expected, rtol=0, atol=1e-5)
    found, expected = found.astype(np.float64), expected.astype(np.float64)
    lengths = np.linalg.norm(found, axis=1) * np.linalg.norm(expected, axis=1)
    assert ((found * expected).sum(axis=1) / lengths).min() > 1 - 1e-6


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
            folder = root / architecture / str(layer)
            assert_same(vectors[f"{folder}/{kind}"], embeddings[:, layer - 1])
            assert_same(vectors[f"{folder}/{kind}/ours"], embeddings[:, layer - 1])


@pytest.mark.parametrize("variant", VARIANTS)
@pytest.mark.parametrize("architecture", ARCHITECTURES)
def test_pooling_prompts_and_dimension_are_told_by_the_folder_alone(
    make_encoder: Make,
    by_strangers: tuple[Path, dict[str, np.ndarray], str],
    architecture: str,
    variant: str,
) -> None:
    root, vectors, _ = by_strangers
    encoder = make_encoder(architecture, prompts=PROMPTS, **VARIANTS[variant])
    # An empty text of a tokenizer that ends none leaves nothing to pool: sentence-transformers has
    # NaN there, or the prompt's first token.
    rows = [row for row, text in enumerate(TEXTS) if text or encoder.pools_prompt]
    for kind in ("query", "document"):
        expected = encoder.encode(TEXTS, kind, [2])[rows, 0]
        folder = root / architecture / variant
        scale = 1 if encoder.normalize else np.abs(expected).max()
        assert_same(vectors[f"{folder}/{kind}"][rows] / scale, expected / scale)
        assert_same(vectors[f"{folder}/{kind}/ours"][rows] / scale, expected / scale)


def test_variants_differ(make_encoder: Make) -> None:
    # Else the property above would hold of a reader that minds none of them.
    found = [
        make_encoder(prompts=PROMPTS, **settings).encode(TEXTS[:1], "query", [1])[0, 0]
        for variant, settings in VARIANTS.items()
        if "short" not in variant and variant != "lasttoken, no prompt"  # a prompt is never last
    ]
    cosines = np.array(found) @ np.array(found).T
    assert cosines[~np.eye(len(found), dtype=bool)].max() < 0.999


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
        assert config.get("max_window_layers", 0) <= layer
        numbers = {int(part) for name in names for part in name.split(".") if part.isdigit()}
        assert numbers == set(range(layer))
        assert not [name for name in names if "pooler" in name]


@pytest.mark.parametrize("pooling", POOLINGS)
@pytest.mark.parametrize("normalize", [True, False])
@pytest.mark.parametrize(("pools_prompt", "shortened_to"), [(True, None), (False, 5)])
def test_loads_what_it_saved(
    make_encoder: Make,
    tmp_path: Path,
    pooling: str,
    normalize: bool,
    pools_prompt: bool,
    shortened_to: int | None,
) -> None:
    prompts = {"query": "find: ", "document": "text: "}
    told = {"pooling": pooling, "normalize": normalize, "max_tokens": 17, "prompts": prompts}
    told |= {"pools_prompt": pools_prompt, "shortened_to": shortened_to}
    encoder = make_encoder(**told)
    save_encoder(encoder, tmp_path)
    loaded = load_encoder(tmp_path, device="cpu")
    assert {name: getattr(loaded, name) for name in told} == told
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
    pooling = "lasttoken" if architecture in {"llama", "qwen3"} else "mean"
    encoder = replace(encoder, pooling=pooling)
    assert (loaded.pooling, loaded.normalize, dict(loaded.prompts)) == (pooling, True, {})
    positions = 96 if architecture in {"mpnet", "roberta", "xlm-roberta"} else 98
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


def _project(folder: Path) -> None:
    # A dense module that turns the embedding, as sentence-t5 has one.
    save_encoder(replace(load_encoder(folder), shortened_to=8), folder)
    weights = load_file(folder / "2_Dense/model.safetensors")["linear.weight"].flip(1)
    save_file({"linear.weight": weights.contiguous()}, folder / "2_Dense/model.safetensors")


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
        "BertModel.*'gpt2' cannot be cut.*bert, distilbert, llama, modernbert",
    ),
    "encoder-decoder": (
        lambda folder: change(
            folder / "config.json", model_type="t5", architectures=["T5ForConditionalGeneration"]
        ),
        "T5ForConditionalGeneration.*'t5' cannot be cut",
    ),
    "code of its own": (
        lambda folder: change(
            folder / "config.json", auto_map={"AutoModel": "someone/code--modeling.AlibiModel"}
        ),
        "AlibiModel in the auto_map .*BertModel, which.*No setting changes this",
    ),
    "quantized": (
        lambda folder: change(folder / "config.json", quantization_config={"bits": 4}),
        "are quantized",
    ),
    "broken JSON": (
        lambda folder: (folder / "modules.json").write_text("["),
        "modules.json cannot be read",
    ),
    "module": (_add_module, "is made of Transformer, Pooling, Normalize, Dense"),
    "pooling": (
        lambda folder: change(folder / "1_Pooling/config.json", pooling_mode="weightedmean"),
        "pools by weightedmean",
    ),
    "two poolings": (
        lambda folder: change(folder / "1_Pooling/config.json", pooling_mode_cls_token=True),
        "pools by cls and mean",
    ),
    "dense module": (_project, "does more than keep the first numbers"),
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
