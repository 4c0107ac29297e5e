"""The training loop: steps that depend on nothing but their number, so that a resume is exact."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Literal

import numpy as np
import torch
from torch import Tensor

from .encoder import Encoder, batches_by_length
from .gradient_cache import embed_cached
from .precision import Precision
from .token_store import Tokenize


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
    step n restored, the steps from n + 1 on are those of an uninterrupted run.

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
    """
    encoder.model.train(has_dropout)
    is_mixed = resolve_precision(precision, encoder.device) == "bfloat16"
    for step in range(first_step, schedule.steps):
        torch.manual_seed(int(np.random.SeedSequence([seed, step]).generate_state(1)[0]))
        for group in optimizer.param_groups:
            group["lr"] = schedule.rate(step)
        with torch.autocast(encoder.device.type, torch.bfloat16, enabled=is_mixed):
            loss = loss_at(step)
        loss.backward()  # type: ignore[no-untyped-call]
        torch.nn.utils.clip_grad_norm_(encoder.model.parameters(), max_gradient_norm)
        optimizer.step()
        optimizer.zero_grad(set_to_none=True)
        yield step, float(loss.detach())


def copy_weights(model: torch.nn.Module) -> dict[str, Tensor]:
    """Copy a model's weights by name."""
    return {name: value.detach().clone() for name, value in model.named_parameters()}


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
        value.copy_(torch.lerp(start[name], value, share))


def resolve_precision(precision: Precision, device: torch.device) -> Precision:
    """Choose bfloat16 where the processor multiplies it natively, float32 elsewhere."""
    if precision != "auto":
        return precision
    if device.type == "cuda":
        return "bfloat16" if torch.cuda.is_bf16_supported(including_emulation=False) else "float32"
    has = torch.cpu.get_capabilities() if device.type == "cpu" else {}
    return "bfloat16" if has.get("avx512_bf16") or has.get("amx_bf16") else "float32"


@contextmanager
def fast_attention(encoder: Encoder) -> Iterator[None]:
    """Attend in plain matrix products while training on a CPU.

    PyTorch's fused attention is slower there going backward at the lengths of passages (a third of
    a step); on a GPU it is what is fast.
    """
    before = encoder.model.config._attn_implementation
    if encoder.device.type == "cpu":
        encoder.model.set_attn_implementation("eager")
    try:
        yield
    finally:
        encoder.model.set_attn_implementation(before)


def embed_batch(
    encoder: Encoder,
    texts: Sequence[str],
    kind: Literal["query", "document"],
    layers: Sequence[int],
    *,
    tokens_per_pass: int,
    texts_per_pass: int | None = None,
    tokenize: Tokenize | None = None,
) -> Tensor:
    """Embed texts for training, texts of like length together so that little padding is computed.

    Args:
        encoder: Gives the embeddings.
        texts: Any number of texts.
        kind: Which prompt they get.
        layers: Layers wanted.
        tokens_per_pass: Tokens that go through the model at once, padding included.
        texts_per_pass: At most this many texts go through it at once, and the graph of one such
            pass alone is kept in memory (`embed_cached`). Without it, those of all passes are.
        tokenize: Gives the tokens of texts of a kind; by default the encoder does.

    Returns:
        (layers, texts, h), with gradient, in the order of `texts`.
    """
    ids = (tokenize or encoder.tokenize)(texts, kind)
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
