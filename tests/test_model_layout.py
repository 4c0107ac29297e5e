"""What a folder says of itself is read, in every form that is in use."""

import json
import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tasks.core.encoder import Encoder
from tasks.model_files import load_encoder, save_encoder
from tasks.model_layout import count_layers

Make = Callable[..., Encoder]
TEXTS = ["the ship sails on the dark sea", "", "gold mine"]
LAYERS = range(1, 4)


@pytest.fixture
def folder(make_encoder: Make, tmp_path: Path) -> Path:
    """Give the folder of a saved tiny BERT, for a test to spoil."""
    save_encoder(make_encoder(), tmp_path / "model")
    return tmp_path / "model"


def change(file: Path, **values: Any) -> None:  # noqa: ANN401 - what JSON holds
    """Set values in a JSON file; None removes one."""
    content = json.loads(file.read_text()) | values
    file.write_text(json.dumps({name: v for name, v in content.items() if v is not None}))


def test_layers_are_counted_before_a_model_is_loaded(
    make_encoder: Make, architecture: str, tmp_path: Path
) -> None:
    save_encoder(make_encoder(architecture, layers=2), tmp_path)
    assert count_layers(tmp_path) == 2


@pytest.mark.parametrize(
    ("content", "pooling"),
    [
        ({"embedding_dimension": 32, "pooling_mode": "max", "include_prompt": True}, "max"),
        ({"embedding_dimension": 32, "pooling_mode": ["cls"]}, "cls"),
        ({"word_embedding_dimension": 32, "pooling_mode_cls_token": True}, "cls"),
        ({"word_embedding_dimension": 32, "pooling_mode_mean_tokens": True}, "mean"),
        ({"word_embedding_dimension": 32}, "mean"),
        ({"embedding_dimension": 32, "pooling_mode": "lasttoken"}, "lasttoken"),
        ({"word_embedding_dimension": 32, "pooling_mode_lasttoken": True}, "lasttoken"),
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


def test_reads_the_other_form_of_a_short_embedding(folder: Path) -> None:
    expected = replace(load_encoder(folder), shortened_to=6).encode(TEXTS, "query", LAYERS)
    change(folder / "config_sentence_transformers.json", truncate_dim=6)
    np.testing.assert_array_equal(load_encoder(folder).encode(TEXTS, "query", LAYERS), expected)


def test_a_decoder_that_sees_both_sides_is_pooled_by_mean(
    make_encoder: Make, tmp_path: Path
) -> None:
    encoder = make_encoder("qwen3")
    encoder.model.config.is_causal = False
    encoder.model.save_pretrained(tmp_path)
    encoder.tokenizer.save_pretrained(tmp_path)
    assert load_encoder(tmp_path).pooling == "mean"
