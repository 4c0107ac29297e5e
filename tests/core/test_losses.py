"""InfoNCE and triplet: slow references, PyTorch's cross-entropy, what they leave in peace."""

from math import exp, log

import pytest
import torch
from torch.nn import functional

from tasks.core.losses import Negatives, infonce, triplet
from tests.core.batch import Batch, make_batch, mean, slow_mean, slow_products

SEEDS = range(10)


def slow_classify(scores: list[float], relations: list[int], temperature: float) -> list[float]:
    """Return the loss of each positive of a row."""
    negatives = sum(exp(s / temperature) for s, r in zip(scores, relations, strict=True) if r < 0)
    return [
        -log(exp(s / temperature) / (exp(s / temperature) + negatives))
        for s, r in zip(scores, relations, strict=True)
        if r > 0
    ]


def slow_infonce(batch: Batch, temperature: float) -> float:
    def loss_of(scores: list[float], relations: list[int], _: list[float]) -> float | None:
        losses = slow_classify(scores, relations, temperature)
        return mean(losses) if losses else None

    return slow_mean(batch, loss_of)


def slow_backward(batch: Batch, temperature: float) -> float:
    """Classify each document's queries, a positive weighing what its query does."""
    total = weight = 0.0
    for j in range(len(batch.documents)):
        column = batch.relations[:, j].tolist()
        scores = slow_products(batch.documents[j], batch.queries)
        losses = slow_classify(scores, column, temperature)
        weights = [
            float(w) for w, relation in zip(batch.weights, column, strict=True) if relation > 0
        ]
        if losses:
            total += mean([w * loss for w, loss in zip(weights, losses, strict=True)])
            weight += mean(weights)
    return total / weight


def slow_triplet(batch: Batch, margin: float, negatives: Negatives) -> float:
    def loss_of(scores: list[float], relations: list[int], _: list[float]) -> float | None:
        pairs = list(zip(scores, relations, strict=True))
        positives = [s for s, r in pairs if r > 0]
        wrong = [s for s, r in pairs if r < 0]
        if not positives:
            return None
        if negatives == "hardest":
            return mean([max(0.0, margin + max(wrong) - s) for s in positives])
        hinges = [max(0.0, margin + n - s) for s in positives for n in wrong]
        violating = [hinge for hinge in hinges if hinge > 0]
        return mean(violating) if violating else 0.0

    return slow_mean(batch, loss_of)


@pytest.mark.parametrize("seed", SEEDS)
def test_infonce_equals_the_definition(seed: int) -> None:
    batch = make_batch(seed)
    found = float(infonce(*batch[:3], temperature=0.2, weights=batch.weights))
    assert found == pytest.approx(slow_infonce(batch, 0.2), rel=1e-9)


@pytest.mark.parametrize("seed", SEEDS)
def test_symmetric_infonce_is_the_mean_of_both_directions(seed: int) -> None:
    batch = make_batch(seed)
    found = float(infonce(*batch[:3], temperature=0.2, symmetric=True, weights=batch.weights))
    expected = (slow_infonce(batch, 0.2) + slow_backward(batch, 0.2)) / 2
    assert found == pytest.approx(expected, rel=1e-9)


@pytest.mark.parametrize("symmetric", [False, True])
def test_infonce_is_cross_entropy_when_each_query_has_its_own_document(symmetric: bool) -> None:
    queries, documents = make_batch(1)[:2]
    relations = 2 * torch.eye(5, dtype=torch.int8) - 1
    scores = queries @ documents[:5].T / 0.05
    expected = functional.cross_entropy(scores, torch.arange(5))
    if symmetric:
        expected = (expected + functional.cross_entropy(scores.T, torch.arange(5))) / 2
    found = infonce(queries, documents[:5], relations, symmetric=symmetric)
    assert float(found) == pytest.approx(float(expected))


@pytest.mark.parametrize("negatives", ["hardest", "all"])
@pytest.mark.parametrize("seed", SEEDS)
def test_triplet_equals_the_definition(seed: int, negatives: Negatives) -> None:
    batch = make_batch(seed)
    found = triplet(*batch[:3], margin=0.3, negatives=negatives, weights=batch.weights)
    assert float(found) == pytest.approx(slow_triplet(batch, 0.3, negatives), rel=1e-9)


def test_triplet_with_one_negative_is_pytorchs() -> None:
    queries, documents = make_batch(2)[:2]
    positives, negatives = documents[:4], documents[4:8]
    relations = torch.cat([torch.eye(4), -torch.eye(4)], dim=1)
    expected = functional.triplet_margin_with_distance_loss(
        queries[:4],
        positives,
        negatives,
        distance_function=lambda a, b: (a - b).square().sum(dim=1) / 2,
        margin=0.4,
    )
    found = triplet(queries[:4], documents[:8], relations, margin=0.4, negatives="hardest")
    assert float(found) == pytest.approx(float(expected))


@pytest.mark.parametrize("negatives", ["hardest", "all"])
def test_triplets_that_keep_the_margin_move_nothing(negatives: Negatives) -> None:
    queries = torch.eye(3, dtype=torch.float64).requires_grad_()
    loss = triplet(queries, torch.eye(3).double(), 2 * torch.eye(3) - 1, negatives=negatives)
    loss.backward()
    assert float(loss.detach()) == 0.0
    assert queries.grad is not None and float(queries.grad.abs().max()) == 0.0


def test_the_hardest_negative_alone_is_pushed() -> None:
    documents = torch.tensor([[0.6, 0.8], [0.8, 0.6], [0.7, 0.714]], dtype=torch.float64)
    query, relations = torch.tensor([[1.0, 0.0]]).double(), torch.tensor([[1, -1, -1]])

    def moved(negatives: Negatives) -> list[bool]:
        found = documents.clone().requires_grad_()
        triplet(query, found, relations, negatives=negatives).backward()
        assert found.grad is not None
        return (found.grad.abs().sum(dim=1) > 0).tolist()

    assert moved("hardest") == [True, True, False]
    assert moved("all") == [True, True, True]
