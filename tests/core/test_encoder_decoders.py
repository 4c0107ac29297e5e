"""Decoders: causal, padded on either side, pooled at the last token, trained and cut too."""

from collections.abc import Callable

import numpy as np
import pytest
import torch
from tokenizers import processors

from tasks.core.encoder import Encoder
from tasks.core.pooling import POOLINGS

Make = Callable[..., Encoder]
DECODERS = ("llama", "qwen3")
QUERIES = ["who sails at night", "what bakes the bread", "gold in a mine", "which wolf sleeps"]
PASSAGES = [
    "the crew of a ship sails on the dark sea when it is night",
    "every oven in the village bakes bread",
    "a deep mine in the mountain has gold",
    "the old wolf sleeps in its forest",
]


@pytest.mark.parametrize("attention", ["sdpa", "eager"])
@pytest.mark.parametrize("architecture", [*DECODERS, "bert"])
def test_a_token_of_a_decoder_sees_none_after_it(
    make_encoder: Make, architecture: str, attention: str
) -> None:
    # Training uses plain attention on a CPU, which is handed its mask; the fused one makes its own.
    encoder = make_encoder(architecture, pooling="cls", prompts={})
    encoder.model.set_attn_implementation(attention)
    encoder.model.train(False)
    batch = encoder.pad(encoder.tokenize(["gold in a mine", "gold " * 9], "document"))
    with torch.no_grad():
        short, long = encoder.forward(batch, [3])[0]
    assert torch.allclose(short, long, atol=1e-5) == (architecture in DECODERS)


@pytest.mark.parametrize("pooling", POOLINGS)
@pytest.mark.parametrize("architecture", DECODERS)
def test_padding_on_the_left_changes_nothing(
    make_encoder: Make, architecture: str, pooling: str, texts: list[str]
) -> None:
    encoder = make_encoder(architecture, pooling=pooling)
    ids = encoder.tokenize(texts, "query")
    longest = max(map(len, ids))
    left = {
        "input_ids": torch.tensor([[5] * (longest - len(row)) + row for row in ids]),
        "attention_mask": torch.tensor(
            [[0] * (longest - len(row)) + [1] * len(row) for row in ids]
        ),
    }
    with torch.inference_mode():
        found, expected = (encoder.forward(batch, range(4)) for batch in (left, encoder.pad(ids)))
    torch.testing.assert_close(found, expected, rtol=0, atol=1e-5)


def test_last_token_has_read_the_whole_text(make_encoder: Make) -> None:
    encoder = make_encoder("llama", pooling="lasttoken", prompts={})
    first, second = encoder.encode(["a ship at sea", "a gold at sea"], "document", [3])[:, 0]
    assert first @ second < 0.999
    # Its vector is that of the text alone, not of padding that a longer text brings.
    with_long = encoder.encode(["a ship at sea", "sea " * 20], "document", [3])[0, 0]
    np.testing.assert_allclose(with_long, first, rtol=0, atol=2e-6)


@pytest.mark.parametrize("pooling", POOLINGS)
def test_a_text_without_tokens_is_zero(make_encoder: Make, pooling: str) -> None:
    # A decoder's tokenizer need not add any token to an empty text.
    encoder = make_encoder("qwen3", pooling=pooling, prompts={})
    encoder.tokenizer.backend_tokenizer.post_processor = processors.ByteLevel()
    assert encoder.tokenize([""], "document") == [[]]
    assert not encoder.encode([""], "document", range(4)).any()
    mixed = encoder.encode(["gold", ""], "document", range(4))
    assert not mixed[1].any()
    np.testing.assert_allclose(
        mixed[0], encoder.encode(["gold"], "document", range(4))[0], rtol=0, atol=2e-6
    )


def contrast(queries: torch.Tensor, passages: torch.Tensor) -> torch.Tensor:
    """Cross-entropy of each layer's in-batch cosines over a temperature of .05."""
    answers = torch.arange(len(QUERIES))
    losses = [
        torch.nn.functional.cross_entropy(query @ passage.T / 0.05, answers)
        for query, passage in zip(queries, passages, strict=True)
    ]
    return torch.stack(losses).mean()


@pytest.mark.parametrize("architecture", DECODERS)
def test_train_score_cut(make_encoder: Make, architecture: str) -> None:
    encoder = make_encoder(architecture, pooling="lasttoken")
    encoder.model.set_attn_implementation("eager")  # as training does on a CPU
    optimizer = torch.optim.AdamW(encoder.model.parameters(), lr=3e-3)
    batches = [
        encoder.pad(encoder.tokenize(texts, kind))
        for texts, kind in ((QUERIES, "query"), (PASSAGES, "document"))
    ]
    losses = []
    for _ in range(12):
        loss = contrast(*(encoder.forward(batch, [1, 2, 3]) for batch in batches))
        loss.backward()
        assert all(weight.grad is not None for weight in encoder.model.parameters())
        optimizer.step()
        optimizer.zero_grad()
        losses.append(loss.item())
    assert losses[-1] < 0.3 * losses[0]
    encoder.model.set_attn_implementation("sdpa")
    queries, passages = (
        encoder.encode(texts, kind, [1, 2, 3])
        for texts, kind in ((QUERIES, "query"), (PASSAGES, "document"))
    )
    for layer in range(3):
        products = queries[:, layer] @ passages[:, layer].T
        assert (products.argmax(axis=1) == np.arange(4)).all()
        alone = encoder.cut(layer + 1).encode(PASSAGES, "document", [layer + 1])[:, 0]
        np.testing.assert_allclose(alone, passages[:, layer], rtol=0, atol=2e-6)


@pytest.mark.parametrize("architecture", DECODERS)
def test_gradient_does_not_depend_on_padding(make_encoder: Make, architecture: str) -> None:
    encoder = make_encoder(architecture, pooling="lasttoken")
    encoder.model.set_attn_implementation("eager")
    ids = encoder.tokenize(PASSAGES[:2], "document")
    target = torch.randn(encoder.dimension, generator=torch.Generator().manual_seed(0))

    def gradients(*batches: list[list[int]]) -> list[torch.Tensor]:
        encoder.model.zero_grad()
        for rows in batches:
            (encoder.forward(encoder.pad(rows), [2, 3]) @ target).sum().backward()
        return [weight.grad.clone() for weight in encoder.model.parameters()]

    assert len(ids[0]) != len(ids[1])
    for together, apart in zip(gradients(ids), gradients(ids[:1], ids[1:]), strict=True):
        torch.testing.assert_close(together, apart, rtol=1e-4, atol=1e-5)
