"""Contrastive and cosine: slow references, and each pair judged by itself."""

import pytest
import torch

from tasks.core.pair_losses import contrastive, cosine
from tests.core.batch import Batch, make_batch, mean, slow_mean

SEEDS = range(10)


def slow_contrastive(batch: Batch, margin: float) -> float:
    def loss_of(scores: list[float], relations: list[int], _: list[float]) -> float | None:
        pairs = [(1 - s, r) for s, r in zip(scores, relations, strict=True) if r != 0]
        pull = [distance**2 for distance, r in pairs if r > 0]
        push = [(margin - distance) ** 2 for distance, r in pairs if r < 0 and distance < margin]
        halves = [mean(values) / 2 for values in (pull, push) if values]
        return sum(halves) if pairs else None

    return slow_mean(batch, loss_of)


def slow_cosine(batch: Batch, targets: list[list[float]] | None) -> float:
    rows = iter(targets or [])

    def loss_of(scores: list[float], relations: list[int], _: list[float]) -> float | None:
        wanted = next(rows) if targets else [float(r > 0) for r in relations]
        errors = [(s - t) ** 2 for s, t in zip(scores, wanted, strict=True)]
        sides = [
            [error for error, r in zip(errors, relations, strict=True) if r == sign]
            for sign in (1, -1)
        ]
        return sum(mean(side) / 2 for side in sides if side) if any(sides) else None

    return slow_mean(batch, loss_of)


@pytest.mark.parametrize("seed", SEEDS)
def test_contrastive_equals_the_definition(seed: int) -> None:
    batch = make_batch(seed)
    found = float(contrastive(*batch[:3], margin=0.9, weights=batch.weights))
    assert found == pytest.approx(slow_contrastive(batch, 0.9), rel=1e-9)


def test_contrastive_leaves_negatives_beyond_the_margin_alone() -> None:
    query = torch.tensor([[1.0, 0.0]])
    documents = torch.tensor([[0.6, 0.8], [0.0, 1.0]], requires_grad=True)
    contrastive(query, documents, torch.tensor([[-1, -1]]), margin=0.5).backward()
    assert documents.grad is not None
    assert (documents.grad.abs().sum(dim=1) > 0).tolist() == [True, False]


@pytest.mark.parametrize("seed", SEEDS)
def test_cosine_equals_the_definition(seed: int) -> None:
    batch = make_batch(seed)
    found = float(cosine(*batch[:3], weights=batch.weights))
    assert found == pytest.approx(slow_cosine(batch, None), rel=1e-9)
    targets = torch.rand(5, 9, dtype=torch.float64)
    found = float(cosine(*batch[:3], targets=targets, weights=batch.weights))
    assert found == pytest.approx(slow_cosine(batch, targets.tolist()), rel=1e-9)


def test_a_target_of_what_is_unknown_is_not_looked_at() -> None:
    queries, documents, relations = make_batch(3)[:3]
    targets = torch.rand(5, 9).double().masked_fill(relations == 0, torch.nan)
    documents.requires_grad_()
    cosine(queries, documents, relations, targets=targets).backward()
    assert documents.grad is not None and bool(documents.grad.isfinite().all())
