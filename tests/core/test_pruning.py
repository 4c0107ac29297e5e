"""Leaving layers out: the one that does nothing goes first, and the model comes back as it was."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import nn

from tasks.core.encoder import Encoder
from tasks.core.layers import find_layers, keep_layers, only_layers
from tasks.core.pruning import choose_layers
from tasks.model_files import load_encoder, save_encoder

Make = Callable[..., Encoder]
QUERIES = ["which ship sails at night", "who bakes bread", "the old king", "where is the mill"]
PASSAGES = ["the captain sails on the dark sea", "a farmer bakes bread", "the king and queen",
            "the miller keeps a mill by the river", "birds fly over the forest"]  # fmt: skip


class Nothing(nn.Module):
    """A layer that hands on what it is given."""

    def forward(self, hidden: torch.Tensor, *_: object, **__: object) -> torch.Tensor:
        return hidden


def choose(encoder: Encoder, depth: int) -> tuple[int, ...]:
    return choose_layers(
        encoder, encoder.tokenize(QUERIES, "query"), encoder.tokenize(PASSAGES, "document"), depth
    )


@pytest.mark.parametrize("idle", [1, 2, 3])
def test_a_layer_that_does_nothing_is_left_out(make_encoder: Make, idle: int) -> None:
    encoder = make_encoder(layers=5)
    find_layers(encoder.model)[idle] = Nothing()
    assert choose(encoder, 4) == tuple(layer for layer in range(5) if layer != idle)


def test_the_first_and_the_last_stay(make_encoder: Make) -> None:
    encoder = make_encoder(layers=5)
    kept = choose(encoder, 2)
    assert kept == (0, 4)
    assert choose(encoder, 5) == (0, 1, 2, 3, 4)
    assert choose(encoder, 1) == (4,)


def test_what_is_chosen_is_the_best_step_by_step(make_encoder: Make) -> None:
    encoder = make_encoder(layers=5, seed=3)

    def differ(kept: tuple[int, ...]) -> float:
        smaller = replace(encoder, model=keep_layers(encoder.model, kept))
        asked = [
            model.encode(QUERIES, "query", [model.layers])[:, 0] for model in (encoder, smaller)
        ]
        seen = [
            model.encode(PASSAGES, "document", [model.layers])[:, 0] for model in (encoder, smaller)
        ]
        wanted, found = (
            np.exp(one @ other.T / 0.05 - (one @ other.T / 0.05).max(axis=1, keepdims=True))
            for one, other in zip(asked, seen, strict=True)
        )
        wanted, found = (odds / odds.sum(axis=1, keepdims=True) for odds in (wanted, found))
        return float((wanted * np.log(wanted / found)).sum(axis=1).mean())

    kept: tuple[int, ...] = (0, 1, 2, 3, 4)
    for depth in (4, 3):
        kept = min((tuple(k for k in kept if k != out) for out in kept[1:-1]), key=differ)
        assert choose(encoder, depth) == kept


def test_the_model_comes_back_as_it_was(make_encoder: Make, architecture: str) -> None:
    encoder = make_encoder(architecture)
    before, settings = encoder.encode(QUERIES, "query", [1, 2, 3]), encoder.model.config.to_dict()
    choose(encoder, 2)
    with pytest.raises(KeyError), only_layers(encoder.model, (0, 2)):
        raise KeyError
    np.testing.assert_array_equal(encoder.encode(QUERIES, "query", [1, 2, 3]), before)
    assert encoder.model.config.to_dict() == settings


def test_kept_layers_are_saved_and_read_back(
    make_encoder: Make, architecture: str, tmp_path: Path
) -> None:
    encoder = make_encoder(architecture, layers=4)
    kept = (0, 2, 3)
    smaller = replace(encoder, model=keep_layers(encoder.model, kept))
    with only_layers(encoder.model, kept):  # the whole model's own modules, not the copy
        expected = encoder.encode(QUERIES, "query", [3])
    plain = encoder.encode(QUERIES, "query", [3])
    assert encoder.layers == 4
    save_encoder(smaller, tmp_path)
    loaded = load_encoder(tmp_path)
    assert loaded.layers == loaded.model.config.num_hidden_layers == 3
    found = loaded.encode(QUERIES, "query", [3])
    np.testing.assert_allclose(found, expected, rtol=0, atol=2e-6)
    assert np.abs(found - plain).max() > 0.01


def test_a_depth_that_the_model_does_not_have_is_an_error(make_encoder: Make) -> None:
    with pytest.raises(ValueError, match="has no 9 to keep"):
        choose(make_encoder(), 9)


def test_a_single_layer_is_saved_and_read_back(
    make_encoder: Make, architecture: str, tmp_path: Path
) -> None:
    encoder = make_encoder(architecture, layers=4)
    (kept,) = choose(encoder, 1)
    assert kept == (0 if architecture == "modernbert" else 3)  # whose first has no norm of its own
    smaller = replace(encoder, model=keep_layers(encoder.model, (kept,)))
    save_encoder(smaller, tmp_path)
    np.testing.assert_allclose(
        load_encoder(tmp_path).encode(QUERIES, "query", [1]),
        smaller.encode(QUERIES, "query", [1]), rtol=0, atol=2e-6,
    )  # fmt: skip
