"""Low-rank adapters: a few trained numbers beside each weight matrix, and merged into it."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

import torch
from torch import nn

from .layers import find_layers

if TYPE_CHECKING:
    from transformers import PreTrainedModel


@contextmanager
def adapted(
    model: "PreTrainedModel", *, rank: int, alpha: float | None, seed: int
) -> Iterator[None]:
    """Train only low-rank updates of the layers' weight matrices while the context lasts (LoRA).

    W becomes W + alpha / rank * B A, with B of zeros at first (arXiv:2106.09685). At the end the
    updates are merged: what is left is the plain model, its weights named as before.

    Args:
        model: Changed in place. If the context is left by an error, it is not merged.
        rank: Rows of A; 0 leaves the model alone and all its weights trained.
        alpha: How much the updates count; twice the rank if left out.
        seed: Decides A, with nothing else.
    """
    if rank == 0:
        yield
        return
    # peft takes seconds to import.
    from peft import LoraConfig
    from peft.tuners.lora import LoraModel

    was_trained = {name: value.requires_grad for name, value in model.named_parameters()}
    config = LoraConfig(
        r=rank,
        lora_alpha=2 * rank if alpha is None else alpha,
        target_modules=find_matrices(model),
    )
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        tuner = LoraModel(model, config, "default")
    yield
    tuner.merge_and_unload()
    vars(model).pop("peft_config", None)  # the model would be taken for an adapter
    for name, value in model.named_parameters():
        value.requires_grad_(was_trained[name])


def find_matrices(model: "PreTrainedModel") -> list[str]:
    """Name the weight matrices of the transformer layers, whatever the architecture calls them."""
    layers = set(find_layers(model).modules())
    return [
        name
        for name, module in model.named_modules()
        if module in layers and isinstance(module, nn.Linear)
    ]
