"""What training does with the weights: polish, then blend."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from .core.adapters import adapted
from .core.batches import Query
from .core.encoder import Encoder
from .core.weights import blend_weights, copy_weights
from .early_stopping import EarlyStopping
from .memory import release_memory
from .polish import POLISH, polish

if TYPE_CHECKING:
    from .dev_score import DevSet
    from .train import TrainConfig


def run_phases(
    encoder: Encoder,
    exits: Sequence[int],
    dimensions: Sequence[int],
    by_passage: Mapping[int, Sequence[Query]],
    texts: Sequence[str],
    documents: np.ndarray,
    config: "TrainConfig",
    state: Path,
    dev: "DevSet | None" = None,
) -> dict[str, Any]:
    """Train `encoder` in place; the arguments are those of `polish`.

    Where there is a `dev` set, the polish is watched by it and may end early.

    Returns:
        The numbers worth telling.
    """
    cut = replace(encoder, max_tokens=min(config.max_tokens, encoder.max_tokens))
    start = copy_weights(cut.model)
    stopping = None if dev is None else _watch(dev, encoder, config)
    with adapted(cut.model, **_adapters(config)):
        polished = polish(
            cut, exits, dimensions, by_passage, texts, documents, config, state, stopping
        )
    blend_weights(cut.model, start, config.blend)
    release_memory()
    return _tell(polished) | ({} if stopping is None else _tell_scores(stopping))


def _watch(dev: "DevSet", encoder: Encoder, config: "TrainConfig") -> EarlyStopping:
    return EarlyStopping(
        lambda: dev.score(encoder),
        config.patience,
        looks=config.epochs * config.evaluations_per_epoch,
    )


def _adapters(config: "TrainConfig") -> dict[str, Any]:
    seed = config.seed + POLISH
    return {"rank": config.lora_rank, "alpha": config.lora_alpha, "seed": seed}


def _tell_scores(stopping: EarlyStopping) -> dict[str, Any]:
    scores = [[step, round(score, 4)] for step, score in stopping.scores.items()]
    return {"dev_scores": scores, "best_step": stopping.best_step}


def _tell(losses: Sequence[float]) -> dict[str, Any]:
    tenth = max(1, len(losses) // 10)
    return {
        "steps": len(losses),
        "first_loss": _mean(losses[:tenth]),
        "last_loss": _mean(losses[-tenth:]),
    }


def _mean(values: Sequence[float]) -> float:
    return round(sum(values) / len(values), 4)
