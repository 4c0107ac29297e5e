"""Training whose state is on disk, so that a killed run goes on where it was."""

import logging
import time
from collections.abc import Callable
from pathlib import Path
from typing import Protocol

import torch
from safetensors.torch import load_file, save_file

from .contracts import writable
from .core.encoder import Encoder
from .core.kernels import fast_attention
from .core.precision import Precision
from .core.training import Schedule, fit, make_optimizer
from .memory import release_memory
from .progress import progress

logger = logging.getLogger(__name__)

RELEASE_STEPS = 16  # often enough that little piles up, rare enough to cost nothing


class Steps(Protocol):
    """How steps are made, and how often the state is saved; see `train.TrainConfig`."""

    weight_decay: float
    max_gradient_norm: float
    precision: Precision
    has_dropout: bool
    checkpoint_seconds: float


def fit_kept(
    file: Path,
    encoder: Encoder,
    schedule: Schedule,
    loss_at: Callable[[int], torch.Tensor],
    config: Steps,
    *,
    seed: int,
) -> list[float]:
    """Train `encoder` in place, from what `file` holds to the last step.

    Args:
        file: Where the state is kept; its name is the phase's.
        encoder: Trained in place.
        schedule: Learning rate by step.
        loss_at: The loss of a step's batch.
        config: How to step, and how often to save.
        seed: Decides dropout.

    Returns:
        The loss of every step, those before a restart included.
    """
    model = encoder.model
    optimizer = make_optimizer(model, config.weight_decay)
    losses = load_state(file, model, optimizer) if file.exists() else []
    if losses:
        logger.info("%s goes on after step %d of %d", file.stem, len(losses), schedule.steps)
    saved = time.monotonic()
    with progress(file.stem, schedule.steps, "steps") as advance, fast_attention(encoder):
        advance(len(losses))
        for _, loss in fit(
            encoder,
            optimizer,
            schedule,
            loss_at,
            precision=config.precision,
            max_gradient_norm=config.max_gradient_norm,
            seed=seed,
            has_dropout=config.has_dropout,
            first_step=len(losses),
        ):
            losses.append(loss)
            advance(1)
            if len(losses) % RELEASE_STEPS == 0:
                release_memory()
            is_last = len(losses) == schedule.steps
            if is_last or time.monotonic() - saved > config.checkpoint_seconds:
                save_state(file, model, optimizer, losses)
                saved = time.monotonic()
    return losses


def save_state(
    file: Path, model: torch.nn.Module, optimizer: torch.optim.Optimizer, losses: list[float]
) -> None:
    """Write weights, the optimizer's state, and the losses so far; whole or not at all."""
    tensors = {f"model.{name}": value for name, value in model.state_dict().items()}
    for number, state in optimizer.state_dict()["state"].items():
        tensors |= {f"optimizer.{number}.{name}": value for name, value in state.items()}
    tensors["losses"] = torch.tensor(losses, dtype=torch.float64)
    with writable(file.parent):
        file.parent.mkdir(parents=True, exist_ok=True)
        save_file(
            {name: value.contiguous().clone() for name, value in tensors.items()},
            file.with_suffix(".part"),
        )
        file.with_suffix(".part").rename(file)


def load_state(file: Path, model: torch.nn.Module, optimizer: torch.optim.Optimizer) -> list[float]:
    """Restore what `save_state` wrote; return the losses of the steps that were done."""
    tensors = load_file(file)
    model.load_state_dict(
        {
            name.removeprefix("model."): value
            for name, value in tensors.items()
            if name.startswith("model.")
        }
    )
    state: dict[int, dict[str, torch.Tensor]] = {}
    for name, value in tensors.items():
        if name.startswith("optimizer."):
            _, number, key = name.split(".", 2)
            state.setdefault(int(number), {})[key] = value
    optimizer.load_state_dict({**optimizer.state_dict(), "state": state})
    losses: list[float] = tensors["losses"].tolist()
    return losses
