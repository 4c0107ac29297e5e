"""heal: the exits learn to embed as the polished last layer does."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import torch

from .core.batches import Query
from .core.encoder import Encoder
from .core.exit_losses import mean_distance
from .core.training import Schedule, embed_at_once
from .progress import progress
from .training_state import fit_kept

if TYPE_CHECKING:
    from .train import TrainConfig

HEAL = 2  # tells its random stream from the polish's


def heal(
    encoder: Encoder,
    exits: Sequence[int],
    dimensions: Sequence[int],
    by_passage: Mapping[int, Sequence[Query]],
    texts: Sequence[str],
    config: "TrainConfig",
    state: Path,
) -> list[float]:
    """Teach the exits of `encoder`, in place, the last layer's embedding of the training texts.

    They learn at the high rate that their distance asks for, while the last layer is held to what
    it was: without the anchor it would drift, and the exits with it.

    Args:
        encoder: Trained in place.
        exits: Layers that learn, ascending, the last one among them.
        dimensions: Lengths that embeddings can be cut to.
        by_passage: The training queries of each passage, by corpus row.
        texts: Composed text per corpus row.
        config: How, and for how long.
        state: Folder where the training state is kept.

    Returns:
        The loss of every step; none if there is nothing to teach.
    """
    encoder = replace(encoder, max_tokens=min(config.exit_max_tokens, encoder.max_tokens))
    # A passage and one query of it: queries are short, and more would teach little more.
    passages = [texts[row] for row in by_passage]
    asked = sorted({queries[0].text for queries in by_passage.values()})
    learnt = [*passages, *asked]
    ids = encoder.tokenize(passages, "document") + encoder.tokenize(asked, "query")
    order = _epochs(
        [len(tokens) for tokens in ids],
        config.exit_texts_per_batch,
        config.exit_epochs,
        (config.seed, HEAL),
    )
    if len(exits) < 2 or not order:
        return []
    used = sorted({row for rows in order for row in rows})
    teachers = torch.zeros(len(ids), encoder.dimension, device=encoder.device)
    with progress("what the exits are to learn", len(used), "texts") as advance:
        for kind in ("document", "query"):
            rows = [row for row in used if (row < len(passages)) == (kind == "document")]
            found = encoder.encode(
                [learnt[row] for row in rows], kind, [encoder.layers], advance=advance
            )
            teachers[rows] = torch.from_numpy(found[:, 0]).to(encoder.device)
    weights = torch.ones(len(exits), device=encoder.device)
    weights[-1] = config.anchor_weight

    def loss_at(step: int) -> torch.Tensor:
        rows = order[step]
        students = embed_at_once(encoder, [ids[row] for row in rows], exits)
        distances = torch.stack(
            [mean_distance(layer, teachers[rows], dimensions) for layer in students]
        )
        return (weights * distances).sum() / weights.sum()

    schedule = Schedule(len(order), config.exit_learning_rate, config.warmup_share)
    seed = config.seed + HEAL
    return fit_kept(state / "exits.safetensors", encoder, schedule, loss_at, config, seed=seed)


def _epochs(lengths: list[int], size: int, epochs: float, seed: tuple[int, ...]) -> list[list[int]]:
    """Batch rows for some epochs, rows of like length together, batches in random order."""
    batches: list[list[int]] = []
    for epoch in range(math.ceil(epochs)):
        random = np.random.default_rng((*seed, epoch))
        rows = random.permutation(len(lengths))
        rows = rows[np.argsort(np.asarray(lengths)[rows], kind="stable")]
        made = [rows[start : start + size].tolist() for start in range(0, len(rows), size)]
        share = min(1.0, epochs - epoch)
        batches += [
            made[index] for index in random.permutation(len(made))[: round(share * len(made))]
        ]
    return batches
