"""Distillation: slow references, PyTorch's divergence, no gradient for a teacher."""

from math import exp, isnan, log

import pytest
import torch
from torch.nn import functional

from tasks.core.distillation import cosine_distance, kl_divergence, margin_mse
from tests.core.batch import Batch, make_batch, mean, slow_mean

SEEDS = range(10)


def slow_margin_mse(batch: Batch, scale: float) -> float:
    def loss_of(scores: list[float], relations: list[int], teacher: list[float]) -> float | None:
        rows = [row for row in zip(scores, relations, teacher, strict=True) if not isnan(row[2])]
        errors = [
            ((scale * s_j - scale * s_k) - (t_j - t_k)) ** 2
            for s_j, r_j, t_j in rows
            for s_k, r_k, t_k in rows
            if r_j > 0 and r_k < 0
        ]
        return mean(errors) if errors else None

    return slow_mean(batch, loss_of)


def slow_kl(batch: Batch, temperature: float, teacher_temperature: float) -> float:
    def softmax(values: list[float]) -> list[float]:
        total = sum(exp(value) for value in values)
        return [exp(value) / total for value in values]

    def loss_of(scores: list[float], relations: list[int], teacher: list[float]) -> float | None:
        rows = [
            (s, t) for s, r, t in zip(scores, relations, teacher, strict=True) if r and not isnan(t)
        ]
        wanted = softmax([t / teacher_temperature for _, t in rows])
        found = softmax([s / temperature for s, _ in rows])
        parts = [p * log(p / r) for p, r in zip(wanted, found, strict=True)]
        return sum(parts) if parts else None

    return slow_mean(batch, loss_of)


@pytest.mark.parametrize("seed", SEEDS)
def test_margin_mse_equals_the_definition(seed: int) -> None:
    batch = make_batch(seed)
    scores = batch.teacher_scores
    found = margin_mse(*batch[:3], teacher_scores=scores, scale=3.0, weights=batch.weights)
    assert float(found) == pytest.approx(slow_margin_mse(batch, 3.0), rel=1e-9)


@pytest.mark.parametrize("seed", SEEDS)
def test_kl_divergence_equals_the_definition(seed: int) -> None:
    batch = make_batch(seed)
    found = kl_divergence(
        *batch[:3],
        teacher_scores=batch.teacher_scores,
        temperature=0.3,
        teacher_temperature=0.2,
        weights=batch.weights,
    )
    assert float(found) == pytest.approx(slow_kl(batch, 0.3, 0.2), rel=1e-9)


def test_kl_divergence_is_pytorchs_when_all_is_known() -> None:
    queries, documents = make_batch(1)[:2]
    scores = torch.rand(5, 9, dtype=torch.float64)
    found = kl_divergence(queries, documents, torch.ones(5, 9), teacher_scores=scores)
    expected = functional.kl_div(
        (queries @ documents.T / 0.05).log_softmax(dim=1),
        (scores / 0.05).softmax(dim=1),
        reduction="batchmean",
    )
    assert float(found) == pytest.approx(float(expected))


@pytest.mark.parametrize("loss", [margin_mse, kl_divergence])
def test_a_student_that_scores_as_its_teacher_has_nothing_to_learn(loss: object) -> None:
    queries, documents, relations = make_batch(2)[:3]
    documents.requires_grad_()
    shifts = torch.randn(5, 1, dtype=torch.float64)  # of margins and softmaxes, nothing is told
    scores = (queries @ documents.T).detach() + shifts
    value = loss(queries, documents, relations, teacher_scores=scores)  # type: ignore[operator]
    value.backward()
    assert float(value.detach()) == pytest.approx(0.0, abs=1e-12)
    assert documents.grad is not None and float(documents.grad.abs().max()) < 1e-12


@pytest.mark.parametrize("loss", [margin_mse, kl_divergence])
def test_what_the_teacher_has_not_scored_is_masked(loss: object) -> None:
    queries, documents, relations, _, scores = make_batch(4)
    scores[:, 6] = torch.nan
    queries.requires_grad_(), documents.requires_grad_(), scores.requires_grad_()
    loss(queries, documents, relations, teacher_scores=scores).backward()  # type: ignore[operator]
    assert documents.grad is not None and queries.grad is not None
    assert bool(documents.grad.isfinite().all()) and bool(queries.grad.isfinite().all())
    assert float(documents.grad[6].abs().max()) == 0.0
    assert float(documents.grad[3].abs().max()) > 0.0
    assert scores.grad is None


@pytest.mark.parametrize("loss", [margin_mse, kl_divergence])
def test_a_teacher_that_has_scored_nothing_is_an_error(loss: object) -> None:
    batch = make_batch(5)
    scores = torch.full((5, 9), torch.nan)
    with pytest.raises(ValueError, match="the teacher has scored and a weight above 0"):
        loss(*batch[:3], teacher_scores=scores)  # type: ignore[operator]


def test_distillation_of_embeddings_reaches_the_students_alone() -> None:
    students = torch.randn(3, 4, 8, requires_grad=True)
    teachers = torch.randn(4, 8, requires_grad=True)
    cosine_distance(students, teachers).backward()
    assert teachers.grad is None
    assert students.grad is not None and float(students.grad.abs().sum()) > 0
    with torch.no_grad():
        same = cosine_distance(teachers[None] * 3, teachers)
    assert float(same) == pytest.approx(0.0, abs=1e-6)
