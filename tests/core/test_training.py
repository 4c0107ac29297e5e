"""The training loop: schedule, resume, exit learning, and that it learns at all."""

import pytest
import torch
from torch import nn

from tasks.core.training import Schedule, make_optimizer, resolve_precision


def test_schedule_rises_then_falls_and_never_stops_before_the_end() -> None:
    rates = [Schedule(100, 1e-3, 0.1).rate(step) for step in range(100)]
    peak = rates.index(max(rates))
    assert rates[:peak] == sorted(rates[:peak])
    assert rates[peak:] == sorted(rates[peak:], reverse=True)
    assert max(rates) == pytest.approx(1e-3)
    assert min(rates) > 0


def test_a_single_step_has_the_full_rate() -> None:
    assert Schedule(1, 1.0, 0.1).rate(0) == 1.0


def test_only_matrices_decay() -> None:
    model = nn.Sequential(nn.Linear(3, 3), nn.LayerNorm(3))
    matrices, vectors = make_optimizer(model, 0.5).param_groups
    assert [p.ndim for p in matrices["params"]] == [2] and matrices["weight_decay"] == 0.5
    assert [p.ndim for p in vectors["params"]] == [1, 1, 1] and vectors["weight_decay"] == 0.0


def test_a_named_precision_is_taken_at_its_word() -> None:
    assert resolve_precision("float32", torch.device("cpu")) == "float32"
    assert resolve_precision("auto", torch.device("cpu")) in {"float32", "bfloat16"}
