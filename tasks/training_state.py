"""Training whose state is on disk, so that a killed run goes on where it was."""

import logging
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Protocol

import torch
from safetensors.torch import load_file, save_file
from torch import Tensor

from .contracts import BurnishError, writable
from .core.encoder import Encoder
from .core.kernels import fast_kernels
from .core.precision import Precision
from .core.ranks import copy_from_first, find_rank
from .core.training import Schedule, fit, make_optimizer
from .early_stopping import EarlyStopping
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
    compile: bool | None


def fit_kept(
    file: Path,
    encoder: Encoder,
    schedule: Schedule,
    loss_at: Callable[[int], Tensor],
    config: Steps,
    *,
    seed: int,
    stopping: EarlyStopping | None = None,
) -> list[float]:
    """Train `encoder` in place, from what `file` holds to the last step.

    Where several ranks train, all read the file and the first alone writes it.

    Args:
        file: Where the state is kept; its name is the phase's.
        encoder: Trained in place; weights that ask for no gradient stay as they are.
        schedule: Learning rate by step.
        loss_at: The loss of a step's batch.
        config: How to step, and how often to save.
        seed: Decides dropout.
        stopping: Ends training early, and has the best weights come out. Without, the last do.

    Returns:
        The loss of every step, those before a restart included.

    Raises:
        BurnishError: a step does not fit into a GPU's memory, or gives no finite gradient.
    """
    model = encoder.model
    optimizer = make_optimizer(model, config.weight_decay)
    losses = load_state(file, model, optimizer, stopping) if file.exists() else []
    copy_from_first(list(model.parameters()))
    if losses:
        logger.info("%s goes on after step %d of %d", file.stem, len(losses), schedule.steps)
    saved, on_cpu = time.monotonic(), encoder.device.type == "cpu"
    with (
        _telling(file.stem, losses),
        progress(file.stem, schedule.steps, "steps") as advance,
        fast_kernels(encoder, compiles=config.compile),
    ):
        advance(len(losses))
        is_over = stopping is not None and _look(stopping, len(losses), schedule, model)
        for _, loss in fit(
            encoder,
            optimizer,
            schedule,
            loss_at,
            precision=config.precision,
            max_gradient_norm=config.max_gradient_norm,
            seed=seed,
            has_dropout=config.has_dropout,
            first_step=schedule.steps if is_over else len(losses),
        ):
            losses.append(loss)
            advance(1)
            if on_cpu and len(losses) % RELEASE_STEPS == 0:
                release_memory()
            is_over = stopping is not None and _look(stopping, len(losses), schedule, model)
            is_last = is_over or len(losses) == schedule.steps
            if is_last or time.monotonic() - saved > config.checkpoint_seconds:
                if find_rank() == 0:
                    save_state(file, model, optimizer, losses, stopping)
                saved = time.monotonic()
            if is_last:
                break
    if stopping is not None:
        stopping.put_back(model)
    return losses


@contextmanager
def _telling(phase: str, losses: list[float]) -> Iterator[None]:
    """Say what to do about steps that cannot be taken; what is saved stays as it was before."""
    try:
        yield
    except torch.OutOfMemoryError as error:
        raise BurnishError(
            f"{phase}: the GPU's memory does not hold step {len(losses) + 1}. Set "
            "train.texts_per_pass or heal.texts_per_pass, so that a step goes through the model in "
            "parts (32, say; half as many if it happens again)."
        ) from error
    except FloatingPointError as error:
        raise BurnishError(
            f"{phase}: {error}. Lower the learning rate, or set precision to float32."
        ) from error


def save_state(
    file: Path,
    model: torch.nn.Module,
    optimizer: torch.optim.Optimizer,
    losses: list[float],
    stopping: EarlyStopping | None = None,
) -> None:
    """Write weights, the optimizer's state, losses and scores so far; whole or not at all.

    Weights that are not trained, as those beside adapters, are left out.
    """
    frozen = {name for name, value in model.named_parameters() if not value.requires_grad}
    weights = model.state_dict().items()
    tensors = {f"model.{name}": value for name, value in weights if name not in frozen}
    for number, state in optimizer.state_dict()["state"].items():
        tensors |= {f"optimizer.{number}.{name}": value for name, value in state.items()}
    tensors["losses"] = torch.tensor(losses, dtype=torch.float64)
    tensors |= stopping.to_tensors() if stopping is not None else {}
    with writable(file.parent):
        file.parent.mkdir(parents=True, exist_ok=True)
        save_file(
            # One by one off the GPU, which has no room for copies of all.
            {name: value.to("cpu", copy=True).contiguous() for name, value in tensors.items()},
            file.with_suffix(".part"),
        )
        file.with_suffix(".part").rename(file)


def load_state(
    file: Path,
    model: torch.nn.Module,
    optimizer: torch.optim.Optimizer,
    stopping: EarlyStopping | None = None,
) -> list[float]:
    """Restore what `save_state` wrote; return the losses of the steps that were done."""
    tensors = load_file(file)
    model.load_state_dict(model.state_dict() | _below("model.", tensors))
    state: dict[int, dict[str, Tensor]] = {}
    for name, value in _below("optimizer.", tensors).items():
        number, key = name.split(".", 1)
        state.setdefault(int(number), {})[key] = value
    optimizer.load_state_dict({**optimizer.state_dict(), "state": state})
    if stopping is not None:
        stopping.restore(tensors)
    losses: list[float] = tensors["losses"].tolist()
    return losses


def _below(prefix: str, tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
    return {
        name.removeprefix(prefix): value
        for name, value in tensors.items()
        if name.startswith(prefix)
    }


def _look(stopping: EarlyStopping, done: int, schedule: Schedule, model: torch.nn.Module) -> bool:
    stopping.look(done, schedule.steps, model)
    return stopping.is_over
