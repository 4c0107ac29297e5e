"""What training does with the weights: polish, then blend."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from .core.batches import Query
from .core.encoder import Encoder
from .core.weights import blend_weights, copy_weights
from .memory import release_memory
from .polish import polish

if TYPE_CHECKING:
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
) -> dict[str, Any]:
    """Train `encoder` in place; the arguments are those of `polish`.

    Returns:
        The numbers worth telling.
    """
    cut = replace(encoder, max_tokens=min(config.max_tokens, encoder.max_tokens))
    start = copy_weights(cut.model)
    polished = polish(cut, exits, dimensions, by_passage, texts, documents, config, state)
    blend_weights(cut.model, start, config.blend)
    release_memory()
    return _tell(polished)


def _tell(losses: Sequence[float]) -> dict[str, Any]:
    tenth = max(1, len(losses) // 10)
    return {
        "steps": len(losses),
        "first_loss": _mean(losses[:tenth]),
        "last_loss": _mean(losses[-tenth:]),
    }


def _mean(values: Sequence[float]) -> float:
    return round(sum(values) / len(values), 4)
