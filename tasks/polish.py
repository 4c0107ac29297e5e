"""polish: the last layer learns the pairs, and the exits follow it at a small weight."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import torch

from .core.batches import Batch, Query, build_batch, plan_epoch
from .core.encoder import Encoder
from .core.token_store import TokenStore
from .core.training import Schedule, embed_tokens
from .early_stopping import EarlyStopping
from .objective import make_objective
from .training_state import fit_kept

if TYPE_CHECKING:
    from .train import TrainConfig

POLISH = 1  # tells its random stream from the healing's


def polish(
    encoder: Encoder,
    exits: Sequence[int],
    dimensions: Sequence[int],
    by_passage: Mapping[int, Sequence[Query]],
    texts: Sequence[str],
    documents: np.ndarray,
    config: "TrainConfig",
    state: Path,
    stopping: EarlyStopping | None = None,
) -> list[float]:
    """Train `encoder` in place on the pairs by the loss that was chosen.

    Args:
        encoder: Trained in place.
        exits: Layers that learn, ascending, the last one among them.
        dimensions: Lengths that embeddings can be cut to.
        by_passage: The training queries of each passage, by corpus row.
        texts: Composed text per corpus row.
        documents: (rows of the corpus,) a number per document.
        config: How.
        state: Folder where the training state is kept.
        stopping: Ends it early, if it may.

    Returns:
        The loss of every step.
    """
    plans = plan_epochs(by_passage, config)
    batches = [rows for plan in plans for rows in plan]
    build = partial(make_batch, batches, by_passage, texts, documents, config)
    tokens = store_tokens(encoder, by_passage, map(build, range(len(plans[0]))))
    loss_at = make_loss(encoder, exits, dimensions, build, tokens, config)
    schedule = Schedule(len(batches), config.learning_rate, config.warmup_share)
    seed = config.seed + POLISH
    file = state / "polish.safetensors"
    return fit_kept(file, encoder, schedule, loss_at, config, seed=seed, stopping=stopping)


def plan_epochs(
    by_passage: Mapping[int, Sequence[Query]], config: "TrainConfig"
) -> list[list[list[int]]]:
    """Return the passages, by corpus row, of every batch of every epoch."""
    return [
        plan_epoch(
            by_passage,
            passages_per_batch=config.passages_per_batch,
            neighbours=config.neighbours,
            seed=(config.seed, POLISH, epoch),
            packing=config.packing,
        )
        for epoch in range(config.epochs)
    ]


def make_batch(
    batches: Sequence[Sequence[int]],
    by_passage: Mapping[int, Sequence[Query]],
    texts: Sequence[str],
    documents: np.ndarray,
    config: "TrainConfig",
    step: int,
) -> Batch:
    """Build the batch of a step; it depends on the step's number and the seed alone."""
    return build_batch(
        batches[step],
        by_passage,
        texts,
        documents,
        queries_per_passage=config.queries_per_passage,
        negatives_per_passage=config.negatives_per_passage,
        seed=(config.seed, POLISH, step),
    )


def make_loss(
    encoder: Encoder,
    exits: Sequence[int],
    dimensions: Sequence[int],
    build: Callable[[int], Batch],
    tokens: TokenStore,
    config: "TrainConfig",
) -> Callable[[int], torch.Tensor]:
    """Return the function that gives the loss of a step, whose batch is what `build` gives."""
    objective = make_objective(config, dimensions, is_normalized=encoder.normalize)
    embed = partial(
        embed_tokens,
        encoder,
        layers=exits,
        # What a CPU's caches hold; a GPU wants as much as its memory takes.
        tokens_per_pass=512 if encoder.device.type == "cpu" else 65_536,
        texts_per_pass=config.texts_per_pass,
    )

    def loss_at(step: int) -> torch.Tensor:
        batch = build(step)
        queries = embed(tokens.tokenize(batch.queries, "query"))
        passages = embed(tokens.tokenize(batch.documents, "document"))
        relations = torch.from_numpy(batch.relations).to(encoder.device)
        # In bfloat16 a cosine over the temperature would be off by a sixteenth.
        with torch.autocast(encoder.device.type, enabled=False):
            return objective(
                queries,
                passages,
                relations,
                weights=torch.from_numpy(batch.weights).to(encoder.device),
                teacher_scores=torch.from_numpy(batch.teacher_scores).to(encoder.device),
            )

    return loss_at


def store_tokens(
    encoder: Encoder, by_passage: Mapping[int, Sequence[Query]], batches: Iterable[Batch]
) -> TokenStore:
    """Tokenize what is trained on: all queries, and the documents of the first epoch's batches.

    What is left for later are documents of which another epoch hides other spans.
    """
    tokens = TokenStore(encoder.tokenize)
    tokens.add((query.text for queries in by_passage.values() for query in queries), "query")
    tokens.add((text for batch in batches for text in batch.documents), "document")
    return tokens
