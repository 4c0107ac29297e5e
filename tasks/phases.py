"""The two phases of training, with their state on disk so that a killed run goes on."""

import math
import shutil
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import torch

from .core.batches import Query, build_batch, plan_epoch
from .core.encoder import Encoder
from .core.exit_losses import mean_distance
from .core.training import Schedule, blend_weights, copy_weights, embed_batch
from .memory import release_memory
from .objective import make_objective
from .progress import progress
from .training_state import fit_kept

if TYPE_CHECKING:
    from .train import TrainConfig

POLISH, TEACH = 1, 2  # tell the phases' random streams apart


class Phases:
    """Polish, then teach the exits.

    polish: the last layer learns the pairs by the loss that was chosen; the exits learn them at a
    small weight and follow the last layer in the same pass.
    teach: the exits learn the polished last layer's embedding of the training texts at the high
    learning rate that their distance asks for, while the last layer is held to its own: without
    the anchor it would drift, and the exits with it.
    """

    def __init__(
        self,
        encoder: Encoder,
        exits: Sequence[int],
        dimensions: Sequence[int],
        config: "TrainConfig",
        state: Path,
    ) -> None:
        """Set up; `state` is the folder where the training state is kept until the end."""
        self._encoder = replace(encoder, max_tokens=min(config.max_tokens, encoder.max_tokens))
        self._exits, self._dimensions = tuple(exits), tuple(dimensions)
        self._config, self._state = config, state
        # What a CPU's caches hold; a GPU wants as much as its memory takes.
        self._tokens_per_pass = 512 if encoder.device.type == "cpu" else 65_536

    def run(
        self, by_passage: Mapping[int, Sequence[Query]], texts: Sequence[str], documents: np.ndarray
    ) -> dict[str, Any]:
        """Train in place; return the numbers worth telling."""
        start = copy_weights(self._encoder.model)
        polished = self._polish(by_passage, texts, documents)
        blend_weights(self._encoder.model, start, self._config.blend)
        taught = self._teach_exits(by_passage, texts)
        release_memory()
        return {**_tell("", polished), **(_tell("exit_", taught) if taught else {})}

    def forget(self) -> None:
        """Remove the state: the result is signed."""
        shutil.rmtree(self._state, ignore_errors=True)

    def _polish(
        self, by_passage: Mapping[int, Sequence[Query]], texts: Sequence[str], documents: np.ndarray
    ) -> list[float]:
        config, encoder = self._config, self._encoder
        plans = [
            plan_epoch(
                by_passage,
                passages_per_batch=config.passages_per_batch,
                neighbours=config.neighbours,
                seed=(config.seed, POLISH, epoch),
            )
            for epoch in range(config.epochs)
        ]
        batches = [rows for plan in plans for rows in plan]
        objective = make_objective(config, self._dimensions, is_normalized=encoder.normalize)
        embed = partial(
            embed_batch,
            encoder,
            layers=self._exits,
            tokens_per_pass=self._tokens_per_pass,
            texts_per_pass=config.texts_per_pass,
        )

        def loss_at(step: int) -> torch.Tensor:
            batch = build_batch(
                batches[step],
                by_passage,
                texts,
                documents,
                queries_per_passage=config.queries_per_passage,
                negatives_per_passage=config.negatives_per_passage,
                seed=(config.seed, POLISH, step),
            )
            queries = embed(texts=batch.queries, kind="query")
            passages = embed(texts=batch.documents, kind="document")
            relations = torch.from_numpy(batch.relations).to(encoder.device)
            # In bfloat16 a cosine over the temperature would be off by a sixteenth.
            with torch.autocast(encoder.device.type, enabled=False):
                return objective(
                    queries,
                    passages,
                    relations,
                    weights=torch.from_numpy(batch.weights).to(encoder.device),
                )

        schedule = Schedule(len(batches), config.learning_rate, config.warmup_share)
        return self._fit("polish", schedule, loss_at, POLISH)

    def _teach_exits(
        self, by_passage: Mapping[int, Sequence[Query]], texts: Sequence[str]
    ) -> list[float]:
        config = self._config
        encoder = replace(
            self._encoder, max_tokens=min(config.exit_max_tokens, self._encoder.max_tokens)
        )
        # A passage and one query of it: queries are short, and more would teach little more.
        passages = [texts[row] for row in by_passage]
        asked = sorted({queries[0].text for queries in by_passage.values()})
        learnt = [*passages, *asked]
        ids = encoder.tokenize(passages, "document") + encoder.tokenize(asked, "query")
        order = _epochs(
            [len(tokens) for tokens in ids],
            config.exit_texts_per_batch,
            config.exit_epochs,
            (config.seed, TEACH),
        )
        if len(self._exits) < 2 or not order:
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
        weights = torch.ones(len(self._exits), device=encoder.device)
        weights[-1] = config.anchor_weight

        def loss_at(step: int) -> torch.Tensor:
            rows = order[step]
            students = encoder.forward(encoder.pad([ids[row] for row in rows]), self._exits)
            distances = torch.stack(
                [mean_distance(layer, teachers[rows], self._dimensions) for layer in students]
            )
            return (weights * distances).sum() / weights.sum()

        schedule = Schedule(len(order), config.exit_learning_rate, config.warmup_share)
        return self._fit("exits", schedule, loss_at, TEACH)

    def _fit(
        self, name: str, schedule: Schedule, loss_at: Callable[[int], torch.Tensor], phase: int
    ) -> list[float]:
        file = self._state / f"{name}.safetensors"
        seed = self._config.seed + phase
        return fit_kept(file, self._encoder, schedule, loss_at, self._config, seed=seed)


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


def _tell(prefix: str, losses: Sequence[float]) -> dict[str, Any]:
    tenth = max(1, len(losses) // 10)
    return {
        f"{prefix}steps": len(losses),
        f"{prefix}first_loss": _mean(losses[:tenth]),
        f"{prefix}last_loss": _mean(losses[-tenth:]),
    }


def _mean(values: Sequence[float]) -> float:
    return round(sum(values) / len(values), 4)
