"""Weights copied, put back, and blended."""

import torch
from torch import Tensor


def copy_weights(model: torch.nn.Module) -> dict[str, Tensor]:
    """Copy a model's weights by name; to main memory, of which there is more than a GPU's."""
    return {name: value.detach().to("cpu", copy=True) for name, value in model.named_parameters()}


@torch.no_grad()
def blend_weights(model: torch.nn.Module, start: dict[str, Tensor], share: float) -> None:
    """Go only a share of the way from the weights at the start to the trained ones, in place.

    What was learned survives most of the way back, what was forgotten returns sooner (WiSE-FT,
    arXiv:2109.01903).

    Args:
        model: Trained; its weights become start + share * (trained - start).
        start: Weights before training, by name.
        share: 1 keeps the trained weights, 0 returns to the start.

    >>> model = torch.nn.Linear(1, 1, bias=False)
    >>> start = {"weight": torch.tensor([[1.0]])}
    >>> _ = model.weight.data.fill_(3.0)
    >>> blend_weights(model, start, 0.25)
    >>> float(model.weight)
    1.5
    """
    for name, value in model.named_parameters():
        value.copy_(torch.lerp(start[name].to(value.device), value, share))
