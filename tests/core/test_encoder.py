"""One pass sees every layer as a cut model would, whatever else is in the batch."""

import copy
from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest
import torch
from torch.utils.flop_counter import FlopCounterMode
from transformers import GPT2Config, GPT2Model

from tasks.core.backbones import BACKBONES
from tasks.core.encoder import Encoder, batches_by_length
from tasks.core.pooling import POOLINGS, shorten

Make = Callable[..., Encoder]
CLOSE = {"rtol": 0, "atol": 2e-6}


def every(encoder: Encoder) -> range:
    return range(encoder.layers + 1)


def test_layer_k_is_the_model_cut_to_k(
    make_encoder: Make, architecture: str, texts: list[str]
) -> None:
    encoder = make_encoder(architecture)
    embeddings = encoder.encode(texts, "query", every(encoder))
    for layer in every(encoder)[1:]:
        cut = encoder.cut(layer)
        assert cut.layers == cut.model.config.num_hidden_layers == layer
        alone = cut.encode(texts, "query", [layer])
        np.testing.assert_allclose(embeddings[:, layer], alone[:, 0], **CLOSE)


def test_layers_differ(make_encoder: Make, architecture: str, texts: list[str]) -> None:
    # Else the property above would hold of an encoder that returns one layer for all.
    embeddings = make_encoder(architecture).encode(texts, "query", range(4))
    cosines = np.einsum("tkd,tld->tkl", embeddings, embeddings)
    assert cosines[:, ~np.eye(4, dtype=bool)].max() < 0.99


def test_last_layer_is_what_the_model_returns(
    make_encoder: Make, architecture: str, texts: list[str]
) -> None:
    encoder = make_encoder(architecture, normalize=False, prompts={})
    embeddings = encoder.encode(texts, "document", [encoder.layers])[:, 0]
    for text, embedding in zip(texts, embeddings, strict=True):
        tokens = encoder.tokenizer(text, truncation=True, max_length=96, return_tensors="pt")
        with torch.inference_mode():
            hidden = encoder.model(**tokens).last_hidden_state
        np.testing.assert_allclose(embedding, hidden[0].mean(dim=0), rtol=0, atol=2e-5)


@pytest.mark.parametrize("architecture", ["llama", "modernbert", "qwen3"])
def test_final_norm_is_applied_to_every_layer(
    make_encoder: Make, architecture: str, texts: list[str]
) -> None:
    encoder = make_encoder(architecture)
    assert encoder.backbone.final_norm is not None
    without = copy.deepcopy(encoder.model)
    setattr(without, encoder.backbone.final_norm, torch.nn.Identity())
    bare = replace(encoder, model=without)
    normed, unnormed = (each.encode(texts, "query", every(encoder)) for each in (encoder, bare))
    assert (normed * unnormed).sum(axis=-1).max() < 0.99


@pytest.mark.parametrize("pooling", POOLINGS)
def test_result_depends_on_the_text_alone(
    make_encoder: Make, architecture: str, texts: list[str], pooling: str
) -> None:
    encoder = make_encoder(architecture, pooling=pooling)
    together = encoder.encode(texts, "query", every(encoder), batch_tokens=100_000)
    alone = encoder.encode(texts, "query", every(encoder), batch_tokens=1)
    np.testing.assert_allclose(together, alone, **CLOSE)
    order = np.random.default_rng(0).permutation(len(texts))
    shuffled = encoder.encode([texts[row] for row in order], "query", every(encoder))
    np.testing.assert_allclose(together[order], shuffled, **CLOSE)


@pytest.mark.parametrize("pooling", POOLINGS)
def test_pooling_matches_a_loop_over_tokens(
    make_encoder: Make, texts: list[str], pooling: str
) -> None:
    encoder = make_encoder(pooling=pooling, normalize=False)
    ids = encoder.tokenize(texts, "query")
    with torch.inference_mode():
        found = encoder.forward(encoder.pad(ids), every(encoder)).numpy()
    reference = {
        "mean": lambda tokens: sum(tokens) / len(tokens),
        "cls": lambda tokens: tokens[0],
        "max": lambda tokens: [max(values) for values in zip(*tokens, strict=True)],
        "lasttoken": lambda tokens: tokens[-1],
    }[pooling]
    for row, tokens in enumerate(ids):
        with torch.inference_mode():
            outputs = encoder.model(torch.tensor([tokens]), output_hidden_states=True)
        for layer in every(encoder):
            expected = reference(outputs.hidden_states[layer][0].numpy())
            np.testing.assert_allclose(found[layer, row], expected, rtol=0, atol=2e-5)


def test_poolings_of_one_pass_are_those_of_a_pass_each(
    make_encoder: Make, architecture: str, texts: list[str]
) -> None:
    encoder = make_encoder(architecture)
    poolings = ("max", "lasttoken", "mean", "cls", "max")
    passes = []
    encoder.model.register_forward_pre_hook(lambda *_: passes.append(1))
    found = encoder.encode_poolings(texts, "query", [3, 0, 2], poolings, batch_tokens=100_000)
    assert len(passes) == 1
    assert found.shape == (len(texts), 5, 3, encoder.dimension)
    for number, pooling in enumerate(poolings):
        alone = replace(encoder, pooling=pooling).encode(texts, "query", [3, 0, 2])
        np.testing.assert_allclose(found[:, number], alone, **CLOSE)
    cosines = np.einsum("pd,qd->pq", *[found[3, :4, 1]] * 2)  # of tokens that met no other yet
    assert cosines[~np.eye(4, dtype=bool)].max() < 0.99


@pytest.mark.parametrize("normalize", [True, False])
def test_cut_to_a_cell_is_that_cell_of_the_whole(
    make_encoder: Make, texts: list[str], normalize: bool
) -> None:
    encoder = make_encoder("qwen3", normalize=normalize)
    cell = encoder.cut(2, pooling="lasttoken", dimension=8)
    assert (cell.layers, cell.pooling, cell.dimension) == (2, "lasttoken", 8)
    found = cell.encode(texts, "query", [2])[:, 0]
    assert found.shape == (len(texts), 8)
    whole = encoder.encode_poolings(texts, "query", [2], ["lasttoken"])[:, 0, 0]
    shortened = shorten(torch.from_numpy(whole), 8, normalize=normalize)
    np.testing.assert_allclose(found, shortened, rtol=0, atol=1e-5)
    if normalize:
        np.testing.assert_allclose(np.linalg.norm(found, axis=1), 1, rtol=0, atol=1e-6)
    assert cell.cut(1).dimension == 8
    for dimension in (0, 33):
        with pytest.raises(ValueError, match=f"no first {dimension}"):
            encoder.cut(2, dimension=dimension)


def test_layers_come_as_asked_for(make_encoder: Make, texts: list[str]) -> None:
    encoder = make_encoder()
    embeddings = encoder.encode(texts, "query", every(encoder))
    some = encoder.encode(texts, "query", [3, 1, 1])
    np.testing.assert_allclose(some, embeddings[:, [3, 1, 1]], **CLOSE)
    assert encoder.encode([], "query", [1, 3]).shape == (0, 2, encoder.dimension)


def test_refuses_layers_that_are_not_there(make_encoder: Make) -> None:
    encoder = make_encoder()
    for layer in (-1, 0, 4):
        with pytest.raises(ValueError, match=f"Layer {layer} is not one of the layers 1 to 3"):
            encoder.cut(layer)
    for layer in (-1, 4):
        with pytest.raises(ValueError, match=f"Layer {layer} is not one of the layers 0 to 3"):
            encoder.encode(["a"], "query", [layer])


def test_refuses_an_architecture_it_cannot_cut(make_encoder: Make) -> None:
    config = GPT2Config(n_layer=1, n_embd=8, n_head=1, vocab_size=8)
    with pytest.raises(ValueError, match=r"gpt2.*bert, distilbert, llama, modernbert"):
        Encoder(GPT2Model(config), make_encoder().tokenizer, "mean", True, 8, {})


def test_gradients_reach_exactly_the_layers_below(make_encoder: Make, architecture: str) -> None:
    encoder = make_encoder(architecture)
    encoder.model.train()
    batch = encoder.pad(encoder.tokenize(["the ship sails", "gold"], "document"))
    embeddings = encoder.forward(batch, [0, 2])
    assert embeddings.shape == (2, 2, encoder.dimension)
    (embeddings * torch.randn_like(embeddings)).sum().backward()
    layers = encoder.model.get_submodule(encoder.backbone.layers)
    reached = [
        any(weight.grad is not None and weight.grad.any() for weight in layer.parameters())
        for layer in layers
    ]
    assert reached == [True, True, False]
    assert encoder.model.get_input_embeddings().weight.grad.any()


def test_encoding_ignores_and_keeps_the_training_mode(make_encoder: Make, texts: list[str]) -> None:
    encoder = make_encoder()
    expected = encoder.encode(texts, "query", [3])
    encoder.model.train()
    np.testing.assert_array_equal(encoder.encode(texts, "query", [3]), expected)
    assert encoder.model.training
    layers = encoder.model.get_submodule("encoder.layer")
    assert not any(layer._forward_pre_hooks for layer in layers)


def test_output_is_float32_under_autocast(make_encoder: Make, architecture: str) -> None:
    encoder = make_encoder(architecture)
    batch = encoder.pad(encoder.tokenize(["the ship sails", "gold"], "document"))
    exact = encoder.forward(batch, every(encoder))
    with torch.autocast("cpu", torch.bfloat16):
        mixed = encoder.forward(batch, every(encoder))
    assert mixed.dtype == torch.float32
    assert (exact * mixed).sum(dim=-1).min() > 0.99


def test_prompts_go_before_the_texts_of_their_kind(make_encoder: Make) -> None:
    encoder = make_encoder(prompts={"query": "what is "})
    plain = make_encoder(prompts={})
    assert encoder.tokenize(["gold"], "query") == plain.tokenize(["what is gold"], "query")
    assert encoder.tokenize(["gold"], "document") == plain.tokenize(["gold"], "document")


@pytest.mark.parametrize("pooling", POOLINGS)
def test_prompt_is_read_but_not_pooled_where_it_is_left_out(
    make_encoder: Make, architecture: str, pooling: str
) -> None:
    settings = {"pooling": pooling, "normalize": False, "prompts": {"query": "find gold "}}
    encoder = make_encoder(architecture, pools_prompt=False, **settings)
    texts = ["the ship sails", "gold"]
    found = encoder.encode(texts, "query", every(encoder))
    (prompt,) = make_encoder(architecture, prompts={}).tokenize(["find gold "], "query")
    apart = len(prompt) - (prompt[-1] in encoder.tokenizer.all_special_ids)
    for row, tokens in enumerate(make_encoder(architecture, **settings).tokenize(texts, "query")):
        assert 0 < apart < len(tokens)
        # Hides the prompt from the pooling by hand; what is left still attends to it.
        batch = encoder.pad([tokens])
        mask = torch.tensor([[0] * apart + [1] * (len(tokens) - apart)])
        with torch.inference_mode():
            expected = encoder.forward({**batch, "pooled_mask": mask}, every(encoder))
        np.testing.assert_allclose(found[row], expected[:, 0], rtol=0, atol=2e-5)
    included = replace(encoder, pools_prompt=True).encode(texts, "query", every(encoder))
    is_last = pooling == "lasttoken"  # which is not the prompt's anyway
    assert np.allclose(found, included, rtol=0, atol=2e-5) == is_last
    documents = replace(encoder, pools_prompt=True).encode(texts, "document", [3])
    np.testing.assert_array_equal(encoder.encode(texts, "document", [3]), documents)


def test_long_texts_are_cut_at_max_tokens(make_encoder: Make) -> None:
    encoder = make_encoder(max_tokens=5)
    (ids,) = encoder.tokenize(["gold " * 50], "document")
    assert len(ids) == 5
    assert ids[-1] == encoder.tokenizer.sep_token_id


def test_cut_leaves_the_whole_model_as_it_was(make_encoder: Make, architecture: str) -> None:
    encoder = make_encoder(architecture)
    before = encoder.encode(["gold"], "query", [3])
    cut = encoder.cut(1)
    with torch.no_grad():
        for weight in cut.model.parameters():
            weight.zero_()
    assert encoder.layers == encoder.model.config.num_hidden_layers == 3
    np.testing.assert_array_equal(encoder.encode(["gold"], "query", [3]), before)


def test_cut_configuration_says_what_is_left(make_encoder: Make, architecture: str) -> None:
    config = make_encoder(architecture).cut(2).model.config
    for name in BACKBONES[architecture].per_layer:
        assert len(getattr(config, name)) == 2
    for name in BACKBONES[architecture].counts:
        assert getattr(config, name) <= 2
    # A list as long as the model was deep, or a higher count, would have been forgotten.
    left = {name: value for name, value in config.to_dict().items() if "layer" in name}
    assert not [name for name, value in left.items() if isinstance(value, list) and len(value) == 3]
    assert not [name for name, value in left.items() if type(value) is int and value == 3]


def test_gflops_match_a_count_of_the_pass(make_encoder: Make, architecture: str) -> None:
    encoder = make_encoder(architecture)
    (ids,) = encoder.tokenize(["the ship sails on the dark sea"], "document")
    encoder.model.set_attn_implementation("eager")  # the counter does not know the fused kernel
    for layer in every(encoder)[1:]:
        with FlopCounterMode(display=False) as counter, torch.no_grad():
            encoder.cut(layer).forward(encoder.pad([ids]), [layer])
        assert encoder.gflops(len(ids), layer) == pytest.approx(counter.get_total_flops() / 1e9)
    assert encoder.gflops(len(ids)) == encoder.gflops(len(ids), 3)
    assert encoder.gflops(len(ids), 0) == 0


@pytest.mark.parametrize("batch_tokens", [1, 10, 33, 1000])
def test_batches_hold_every_text_once_within_bounds(batch_tokens: int) -> None:
    lengths = np.random.default_rng(1).integers(1, 30, size=50).tolist()
    batches = list(batches_by_length(lengths, batch_tokens))
    assert sorted(row for rows in batches for row in rows) == list(range(50))
    for rows in batches:
        size = len(rows) * max(lengths[row] for row in rows)
        assert size <= batch_tokens or len(rows) == 1


def test_a_cut_may_compute_with_the_weights_of_the_whole(
    make_encoder: Make, architecture: str
) -> None:
    encoder = make_encoder(architecture)
    borrowed = encoder.cut(2, copies_weights=False)
    own = {id(tensor) for tensor in encoder.model.parameters()}
    assert {id(tensor) for tensor in borrowed.model.parameters()} <= own
    assert (encoder.layers, borrowed.layers) == (3, 2)
    found, expected = (
        one.encode(["the ship", "gold"], "document", [2]) for one in (borrowed, encoder.cut(2))
    )
    assert np.array_equal(found, expected)
