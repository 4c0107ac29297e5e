"""What the polish learns by: the loss that the settings name, at all exits and dimensions."""

from collections.abc import Callable, Sequence
from functools import partial
from typing import TYPE_CHECKING

from torch import Tensor

from .core.exit_losses import exit_loss
from .core.losses import Loss, infonce, triplet
from .core.pair_losses import contrastive, cosine

if TYPE_CHECKING:
    from .train import TrainConfig


def make_objective(
    config: "TrainConfig", dimensions: Sequence[int], *, is_normalized: bool
) -> Callable[..., Tensor]:
    """Bind the settings: what is left to give are a batch's embeddings, relations, and weights."""
    return partial(
        exit_loss,
        loss=_choose(config),
        exit_weight=config.exit_weight,
        distillation_weight=config.distillation_weight,
        dimensions=dimensions,
        is_normalized=is_normalized,
    )


def _choose(config: "TrainConfig") -> Loss:
    match config.loss:
        case "infonce":
            return partial(infonce, temperature=config.temperature, symmetric=config.symmetric)
        case "triplet":
            bound = partial(triplet, negatives=config.triplet_negatives)
        case "contrastive":
            bound = partial(contrastive)
        case "cosine":
            return cosine
    return bound if config.margin is None else partial(bound, margin=config.margin)
