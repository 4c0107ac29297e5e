"""Gradient caching: the gradients of the whole batch, in the memory of one pass."""

from collections.abc import Callable
from functools import partial

import pytest
import torch
from torch import Tensor

from tasks.core.encoder import Encoder
from tasks.core.exit_losses import exit_loss
from tasks.core.losses import infonce
from tasks.core.training import Schedule, embed_batch, fit, make_optimizer

MakeEncoder = Callable[..., Encoder]
LAYERS = (1, 2, 3)
ALL = 10**6  # tokens or texts in a single pass


def make_texts(words: tuple[str, ...], count: int) -> list[str]:
    return [" ".join(words[n : n + 1 + n % 7]) for n in range(count)]


def compute(encoder: Encoder, words: tuple[str, ...], **passes: int | None) -> Tensor:
    """Compute the loss with exits, Matryoshka dimensions, and weights, all on."""
    embed = partial(embed_batch, encoder, layers=LAYERS, **{"tokens_per_pass": ALL} | passes)
    queries = embed(texts=make_texts(words[40:], 10), kind="query")
    documents = embed(texts=make_texts(words, 13), kind="document")
    relations = torch.full((10, 13), -1, dtype=torch.int8)
    relations[:, :10].fill_diagonal_(1)
    relations[2, 5] = relations[3] = 0
    return exit_loss(
        queries,
        documents,
        relations,
        loss=partial(infonce, symmetric=True),
        exit_weight=0.3,
        distillation_weight=0.2,
        dimensions=(8, 16, 32),
        weights=torch.linspace(0.5, 2.0, 10),
    )


def gradients(encoder: Encoder, words: tuple[str, ...], **passes: int | None) -> dict[str, Tensor]:
    encoder.model.zero_grad()
    compute(encoder, words, **passes).backward()
    return {
        name: parameter.grad.clone()
        for name, parameter in encoder.model.named_parameters()
        if parameter.grad is not None
    }


def difference(found: dict[str, Tensor], expected: dict[str, Tensor]) -> float:
    """Return the largest difference, as a share of the largest gradient."""
    assert found.keys() == expected.keys()
    most = max(float(gradient.abs().max()) for gradient in expected.values())
    return max(float((found[name] - expected[name]).abs().max()) for name in expected) / most


@pytest.mark.parametrize("texts_per_pass", [1, 4, ALL])
@pytest.mark.parametrize(("dtype", "tolerance"), [(torch.float32, 1e-5), (torch.float64, 1e-12)])
def test_gradients_are_the_plain_ones_with_exits_dimensions_and_weights(
    make_encoder: MakeEncoder,
    words: tuple[str, ...],
    texts_per_pass: int,
    dtype: torch.dtype,
    tolerance: float,
) -> None:
    encoder = make_encoder()
    encoder.model.to(dtype)
    plain = gradients(encoder, words)
    assert all(float(gradient.abs().max()) > 0 for name, gradient in plain.items())
    cached = gradients(encoder, words, texts_per_pass=texts_per_pass)
    assert difference(cached, plain) < tolerance
    few = {"tokens_per_pass": 20, "texts_per_pass": texts_per_pass}
    assert difference(gradients(encoder, words, **few), plain) < tolerance


def test_every_architecture_has_the_plain_gradients(
    make_encoder: MakeEncoder, words: tuple[str, ...], architecture: str
) -> None:
    encoder = make_encoder(architecture)
    cached = gradients(encoder, words, texts_per_pass=3)
    assert difference(cached, gradients(encoder, words)) < 1e-5


def test_dropout_is_the_same_when_a_pass_is_done_again(
    make_encoder: MakeEncoder, words: tuple[str, ...]
) -> None:
    encoder = make_encoder()
    encoder.model.train()

    def draw(seed: int, texts_per_pass: int | None) -> tuple[dict[str, Tensor], Tensor]:
        torch.manual_seed(seed)
        found = gradients(encoder, words, tokens_per_pass=20, texts_per_pass=texts_per_pass)
        return found, torch.rand(3)

    plain, after = draw(1, None)
    cached, after_cached = draw(1, ALL)  # passes are those of 20 tokens in both
    assert difference(cached, plain) == 0.0
    assert difference(draw(2, ALL)[0], plain) > 1e-2  # dropout is on
    assert torch.equal(after, after_cached)


def test_the_loss_is_the_plain_one(make_encoder: MakeEncoder, words: tuple[str, ...]) -> None:
    encoder = make_encoder()
    plain, cached = (compute(encoder, words, texts_per_pass=most) for most in (None, 2))
    assert float(cached.detach()) == pytest.approx(float(plain.detach()), rel=1e-6)


def test_embeddings_alone_are_kept(make_encoder: MakeEncoder, words: tuple[str, ...]) -> None:
    encoder = make_encoder()

    def kept(texts: int, texts_per_pass: int | None) -> int:
        sizes: list[int] = []

        def keep(tensor: Tensor) -> Tensor:
            sizes.append(tensor.numel())
            return tensor

        with torch.autograd.graph.saved_tensors_hooks(keep, lambda tensor: tensor):
            embed_batch(
                encoder, make_texts(words, texts), "document", LAYERS,
                tokens_per_pass=ALL, texts_per_pass=texts_per_pass,
            )  # fmt: skip
        return sum(sizes)

    assert kept(40, 4) < 40 * 32
    assert kept(40, None) > 100 * kept(40, 4)


def test_what_is_done_again_is_done_in_the_same_precision(
    make_encoder: MakeEncoder, words: tuple[str, ...]
) -> None:
    encoder = make_encoder()
    seen: list[torch.dtype] = []
    linear = next(m for m in encoder.model.encoder.modules() if isinstance(m, torch.nn.Linear))
    linear.register_forward_hook(lambda _module, _inputs, output: seen.append(output.dtype))
    steps = fit(
        encoder, make_optimizer(encoder.model, 0.0), Schedule(1, 1e-3, 0.0),
        lambda _: compute(encoder, words, texts_per_pass=5),
        precision="bfloat16", max_gradient_norm=1.0, seed=0,
    )  # fmt: skip
    list(steps)
    passes = 2 + 3  # of 10 queries and 13 documents
    assert seen == [torch.bfloat16] * 2 * passes
