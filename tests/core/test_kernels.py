"""Compiled layers: one compilation for all shapes, the same results, the same names."""

from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import Tensor

from tasks.core.encoder import Encoder
from tasks.core.kernels import compiled_layers, fast_kernels, pays_to_compile
from tasks.core.layers import find_layers

MakeEncoder = Callable[..., Encoder]
LAYERS = (1, 2, 3)


def gradients(encoder: Encoder, texts: list[str]) -> tuple[Tensor, dict[str, Tensor]]:
    encoder.model.zero_grad()
    embeddings = encoder.forward(encoder.pad(encoder.tokenize(texts, "document")), LAYERS)
    (embeddings * torch.arange(embeddings.numel()).view_as(embeddings)).sum().backward()
    grads = {
        name: parameter.grad.clone()
        for name, parameter in encoder.model.named_parameters()
        if parameter.grad is not None
    }
    return embeddings.detach(), grads


@pytest.mark.parametrize("kind", ["bert", "qwen3"])
def test_compiled_layers_give_the_same_and_are_compiled_once_for_all_layers_and_shapes(
    make_encoder: MakeEncoder, texts: list[str], kind: str
) -> None:
    torch._dynamo.reset()
    encoder = make_encoder(kind)
    batches = [texts[:3], texts[3:5], texts[2:], texts + texts]
    names = list(encoder.model.state_dict())
    expected = [gradients(encoder, batch) for batch in batches]
    compiled: list[int] = []  # one number per compilation

    def backend(graph: Any, _inputs: object) -> Any:  # noqa: ANN401 - torch's own types
        compiled.append(len(compiled))
        return graph.forward

    with compiled_layers(encoder.model, backend=backend):
        assert list(encoder.model.state_dict()) == names
        found = [gradients(encoder, batch) for batch in batches[:2]]
        found += [gradients(encoder, batch) for batch in batches[2:]]
        cut = encoder.cut(2)
    assert compiled == [0]
    for (vectors, grads), (right, right_grads) in zip(found, expected, strict=True):
        torch.testing.assert_close(vectors, right, rtol=1e-4, atol=1e-5)
        for name, gradient in right_grads.items():
            torch.testing.assert_close(grads[name], gradient, rtol=1e-3, atol=2e-3)
    gradients(encoder, texts)
    assert compiled == [0]  # afterwards it runs as it did before
    assert cut.layers == 2


@pytest.mark.parametrize(("compiles", "expected"), [(True, True), (False, False), (None, False)])
def test_on_a_processor_layers_are_compiled_only_if_asked_for(
    make_encoder: MakeEncoder, compiles: bool | None, expected: bool
) -> None:
    encoder = make_encoder()
    layers = find_layers(encoder.model)
    attention = encoder.model.config._attn_implementation
    with fast_kernels(encoder, compiles=compiles):
        assert ["forward" in vars(layer) for layer in layers] == [expected] * len(layers)
    assert not any("forward" in vars(layer) for layer in layers)
    assert encoder.model.config._attn_implementation == attention
    assert not pays_to_compile(torch.device("cpu"))
