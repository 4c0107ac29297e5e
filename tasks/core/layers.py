"""The layers of a transformer: all read in one pass, cut off, and counted."""

import copy
import itertools
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from typing import Any

from torch import Tensor, nn
from transformers import PreTrainedModel

from .backbones import Backbone, backbone_of


def find_layers(model: PreTrainedModel) -> nn.ModuleList:
    """Return the transformer layers of a model, the first one first."""
    layers = model.get_submodule(_backbone(model).layers)
    assert isinstance(layers, nn.ModuleList)
    return layers


def read_layers(
    model: PreTrainedModel,
    inputs: Mapping[str, Tensor],
    layers: Sequence[int],
    reached: Callable[[int, Tensor], object],
) -> None:
    """Run a model once and show what it would return if it were cut to each of some layers.

    That is what leaves the layer, passed through the norm that the architecture applies last. A
    layer is shown as soon as it is reached, so that its token vectors need not be kept.

    Args:
        model: The whole model.
        inputs: Its arguments.
        layers: Layers wanted, in any order; 0 is what enters the first one.
        reached: Called once for each layer, with its number and (texts, tokens, dimension).
    """
    backbone, last = _backbone(model), len(find_layers(model))
    norm = (
        nn.Identity() if backbone.final_norm is None else model.get_submodule(backbone.final_norm)
    )
    with ExitStack() as stack:
        for layer in set(layers) - {last}:

            def hook(_: nn.Module, entering: tuple[Any, ...], layer: int = layer) -> None:
                reached(layer, norm(entering[0]))

            stack.callback(find_layers(model)[layer].register_forward_pre_hook(hook).remove)
        # A decoder would keep the keys and values of all tokens for tokens to come.
        output = model(**inputs, **({"use_cache": False} if backbone.is_decoder else {}))
    if last in layers:  # the model has applied its final norm to this one itself
        reached(last, output.last_hidden_state)


def cut_layers(
    model: PreTrainedModel, layer: int, *, copies_weights: bool = True
) -> PreTrainedModel:
    """Return a copy that has the first `layer` layers only, in weights and in configuration.

    Without `copies_weights` the copy computes with the model's own, and takes next to no memory.
    """
    return keep_layers(model, range(layer), copies_weights=copies_weights)


def keep_layers(
    model: PreTrainedModel, kept: Sequence[int], *, copies_weights: bool = True
) -> PreTrainedModel:
    """Return a copy that has some of the layers only, in weights and in configuration.

    Args:
        model: The whole model.
        kept: Which layers, numbered from 0, ascending.
        copies_weights: Without, the copy computes with the model's own, and takes next to no
            memory.
    """
    with only_layers(model, kept):
        shared = () if copies_weights else itertools.chain(model.parameters(), model.buffers())
        return copy.deepcopy(model, {id(tensor): tensor for tensor in shared})


@contextmanager
def only_layers(model: PreTrainedModel, kept: Sequence[int]) -> Iterator[None]:
    """Let a model have some of its layers only for a while, in weights and in configuration."""
    backbone, config, layers = _backbone(model), model.config, find_layers(model)
    settings = ("num_hidden_layers", *backbone.per_layer, *backbone.counts)
    before = {name: getattr(config, name) for name in settings}
    after: dict[str, Any] = {"num_hidden_layers": len(kept)}
    after |= {name: [before[name][layer] for layer in kept] for name in backbone.per_layer}
    after |= {name: min(before[name], len(kept)) for name in backbone.counts}
    try:
        model.set_submodule(backbone.layers, nn.ModuleList(layers[layer] for layer in kept))
        for name, value in after.items():
            setattr(config, name, value)
        yield
    finally:
        model.set_submodule(backbone.layers, layers)
        for name, value in before.items():
            setattr(config, name, value)


def count_gflops(model: PreTrainedModel, tokens: int, layer: int) -> float:
    """Return the cost of reading `tokens` tokens with the first layers, in 10⁹ operations.

    Matrix products alone are counted, a multiplication and an addition each as one. Attention
    counts in full: tokens that a window or a decoder's order hides are masked, not skipped.
    """
    layers, config = find_layers(model)[:layer], model.config
    weights = sum(
        module.weight.numel() for module in layers.modules() if isinstance(module, nn.Linear)
    )
    heads = config.num_attention_heads
    head_size = getattr(config, "head_dim", None) or config.hidden_size // heads
    attention = 2 * len(layers) * tokens * heads * head_size  # queries · keys, weights · values
    return float(2 * tokens * (weights + attention) / 1e9)


@contextmanager
def evaluating(model: nn.Module) -> Iterator[None]:
    """Run a model without dropout, and leave it in the mode it was in."""
    was_training = model.training
    model.eval()
    try:
        yield
    finally:
        model.train(was_training)


def _backbone(model: PreTrainedModel) -> Backbone:
    return backbone_of(model.config.model_type)
