"""What the polish learns by: the loss that the settings name, at all exits and dimensions."""

from collections.abc import Callable, Sequence
from functools import partial
from typing import TYPE_CHECKING

from torch import Tensor

from .contracts import BurnishError
from .core.distillation import kl_divergence, margin_mse
from .core.exit_losses import exit_loss
from .core.losses import Loss, infonce, triplet
from .core.pair_losses import contrastive, cosine
from .core.teaching import TeacherLoss, add_teacher

if TYPE_CHECKING:
    from .train import TrainConfig


def make_objective(
    config: "TrainConfig", dimensions: Sequence[int], *, is_normalized: bool
) -> Callable[..., Tensor]:
    """Bind the settings: left to give are a batch's embeddings, relations, weights, and scores.

    Raises:
        BurnishError: a teacher's scores are to be learnt by embeddings that have any length.
    """
    if config.teacher != "none" and not is_normalized:
        raise BurnishError(
            f"train.teacher {config.teacher} compares cosines, but the base's embeddings are "
            "compared by inner products of any size. Leave train.teacher at none."
        )
    loss, teach = _choose(config), _choose_teacher(config)

    def objective(
        queries: Tensor,
        documents: Tensor,
        relations: Tensor,
        *,
        weights: Tensor | None = None,
        teacher_scores: Tensor | None = None,
    ) -> Tensor:
        taught = loss
        if teach is not None and teacher_scores is not None:
            taught = add_teacher(loss, teach, teacher_scores, weight=config.teacher_weight)
        return exit_loss(
            queries,
            documents,
            relations,
            loss=taught,
            exit_weight=config.exit_weight,
            distillation_weight=config.distillation_weight,
            dimensions=dimensions,
            is_normalized=is_normalized,
            weights=weights,
        )

    return objective


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


def _choose_teacher(config: "TrainConfig") -> TeacherLoss | None:
    temperature = config.temperature
    match config.teacher:
        case "none":
            return None
        case "margin_mse":  # of the cosines over the temperature, as large as infonce's
            return partial(margin_mse, scale=1 / temperature, teacher_scale=1 / temperature)
        case "kl":
            return partial(kl_divergence, temperature=temperature, teacher_temperature=temperature)
