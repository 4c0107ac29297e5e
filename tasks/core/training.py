"""The training loop: steps that depend on nothing but their number, so that a resume is exact."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
import torch
from torch import Tensor

from .encoder import Encoder, batches_by_length
from .gradient_cache import embed_cached
from .precision import Precision
from .ranks import embed_shared, find_rank, sum_gradients


@dataclass(frozen=True)
class Schedule:
    """Learning rate by step: up linearly over `warmup_share` of the steps, then down to zero."""

    steps: int
    learning_rate: float
    warmup_share: float

    def rate(self, step: int) -> float:
        """Return the learning rate of a step, counted from 0.

        >>> [round(Schedule(10, 1.0, 0.2).rate(step), 3) for step in range(10)]
        [0.5, 1.0, 1.0, 0.875, 0.75, 0.625, 0.5, 0.375, 0.25, 0.125]
        """
        warmup = max(1, round(self.steps * self.warmup_share))
        rising = (step + 1) / warmup
        falling = (self.steps - step) / max(1, self.steps - warmup)
        return self.learning_rate * min(rising, falling, 1.0)


def make_optimizer(model: torch.nn.Module, weight_decay: float) -> torch.optim.AdamW:
    """Make AdamW that decays matrices only, not biases and norms (arXiv:1711.05101)."""
    parameters = [parameter for parameter in model.parameters() if parameter.requires_grad]
    groups = [
        {"params": [p for p in parameters if p.ndim >= 2], "weight_decay": weight_decay},
        {"params": [p for p in parameters if p.ndim < 2], "weight_decay": 0.0},
    ]
    return torch.optim.AdamW(groups, lr=0.0, fused=True)


def fit(
    encoder: Encoder,
    optimizer: torch.optim.AdamW,
    schedule: Schedule,
    loss_at: Callable[[int], Tensor],
    *,
    precision: Precision,
    max_gradient_norm: float,
    seed: int,
    has_dropout: bool = False,
    first_step: int = 0,
) -> Iterator[tuple[int, float]]:
    """Train, yielding (step, loss) after every step.

    A step draws its dropout from (seed, step) alone; with the weights and the optimizer's state of
    step n restored, the steps from n + 1 on are those of an uninterrupted run. Where several ranks
    train, each draws its own, and all step by the sum of their gradients.

    Args:
        encoder: Trained in place.
        optimizer: Of `make_optimizer`.
        schedule: Learning rate by step.
        loss_at: The loss of a step's batch.
        precision: `bfloat16` runs the forward pass in autocast; weights stay float32.
        max_gradient_norm: Gradients are scaled down to this norm.
        seed: Decides dropout.
        has_dropout: Whether the model drops out as its configuration says. Without, a step takes
            half the time and memory on a CPU, since attention need not be kept.
        first_step: Step to go on from.

    Raises:
        FloatingPointError: a gradient is not finite; the weights are those before that step.
    """
    encoder.model.train(has_dropout)
    is_mixed = resolve_precision(precision, encoder.device) == "bfloat16"
    drawn_by = [find_rank()] if find_rank() else []
    for step in range(first_step, schedule.steps):
        entropy = np.random.SeedSequence([seed, step, *drawn_by])
        torch.manual_seed(int(entropy.generate_state(1)[0]))
        for group in optimizer.param_groups:
            group["lr"] = schedule.rate(step)
        with torch.autocast(encoder.device.type, torch.bfloat16, enabled=is_mixed):
            loss = loss_at(step)
        loss.backward()  # type: ignore[no-untyped-call]
        sum_gradients(encoder.model)
        norm = torch.nn.utils.clip_grad_norm_(encoder.model.parameters(), max_gradient_norm)
        if not torch.isfinite(norm):  # one such step would make every weight not a number
            raise FloatingPointError(f"The gradient of step {step + 1} is not finite")
        optimizer.step()
        optimizer.zero_grad(set_to_none=True)
        yield step, float(loss.detach())


def resolve_precision(precision: Precision, device: torch.device) -> Precision:
    """Choose bfloat16 where the processor multiplies it natively, float32 elsewhere."""
    if precision != "auto":
        return precision
    if device.type == "cuda":
        return "bfloat16" if torch.cuda.is_bf16_supported(including_emulation=False) else "float32"
    has = torch.cpu.get_capabilities() if device.type == "cpu" else {}
    return "bfloat16" if has.get("avx512_bf16") or has.get("amx_bf16") else "float32"


def embed_batch(
    encoder: Encoder,
    texts: Sequence[str],
    kind: Literal["query", "document"],
    layers: Sequence[int],
    *,
    tokens_per_pass: int,
    texts_per_pass: int | None = None,
) -> Tensor:
    """Embed texts for training; as `embed_tokens`, whose other arguments these are.

    Args:
        encoder: Gives the embeddings.
        texts: Any number of texts.
        kind: Which prompt they get.
        layers: Layers wanted.
        tokens_per_pass: Tokens that go through the model at once.
        texts_per_pass: Texts that do.
    """

    def embed(rows: list[int]) -> Tensor:
        ids = encoder.tokenize([texts[row] for row in rows], kind)
        return _embed_passes(encoder, ids, layers, tokens_per_pass, texts_per_pass)

    return embed_shared(embed, [len(text) for text in texts])


def embed_tokens(
    encoder: Encoder,
    ids: Sequence[Sequence[int]],
    layers: Sequence[int],
    *,
    tokens_per_pass: int,
    texts_per_pass: int | None = None,
) -> Tensor:
    """Embed texts for training, texts of like length together so that little padding is computed.

    A batch that does not fit into memory is not made smaller, which would take away negatives, nor
    are gradients of several batches added up, which would not bring them back: `texts_per_pass` is
    gradient accumulation that keeps every negative.

    Args:
        encoder: Gives the embeddings.
        ids: Tokens of each text, the same on all ranks, each of which embeds its share.
        layers: Layers wanted.
        tokens_per_pass: Tokens that go through the model at once, padding included.
        texts_per_pass: At most this many texts go through it at once, and the graph of one such
            pass alone is kept in memory (`embed_cached`). Without it, those of all passes are.

    Returns:
        (layers, texts, h), with gradient, in the order of `ids`.
    """

    def embed(rows: list[int]) -> Tensor:
        own = [ids[row] for row in rows]
        return _embed_passes(encoder, own, layers, tokens_per_pass, texts_per_pass)

    return embed_shared(embed, [len(tokens) for tokens in ids])


def _embed_passes(
    encoder: Encoder,
    ids: Sequence[Sequence[int]],
    layers: Sequence[int],
    tokens_per_pass: int,
    texts_per_pass: int | None,
) -> Tensor:
    most = texts_per_pass or len(ids)
    passes = [
        rows[start : start + most]
        for rows in batches_by_length([len(tokens) for tokens in ids], tokens_per_pass)
        for start in range(0, len(rows), most)
    ]
    embed = embed_cached if texts_per_pass else _embed
    parts = [embed(encoder, [ids[row] for row in rows], layers) for rows in passes]
    places = torch.tensor(
        np.argsort([row for rows in passes for row in rows]), device=encoder.device
    )
    return torch.cat(parts, dim=1)[:, places]


def _embed(encoder: Encoder, ids: Sequence[Sequence[int]], layers: Sequence[int]) -> Tensor:
    return encoder.forward(encoder.pad(ids), layers)
