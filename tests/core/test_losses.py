"""InfoNCE over relations: a slow reference, PyTorch's cross-entropy, gradients, invariances."""

import numpy as np
import pytest
import torch
from torch import Tensor
from torch.nn import functional

from tasks.core.losses import cosine_distance, exit_loss, infonce


def slow_infonce(
    queries: Tensor, documents: Tensor, relations: Tensor, temperature: float
) -> float:
    per_query = []
    for i in range(len(queries)):
        scores = [float(queries[i] @ document) / temperature for document in documents]
        negatives = sum(np.exp(s) for s, r in zip(scores, relations[i], strict=True) if r < 0)
        losses = [
            -np.log(np.exp(s) / (np.exp(s) + negatives))
            for s, r in zip(scores, relations[i], strict=True)
            if r > 0
        ]
        if losses:
            per_query.append(np.mean(losses))
    return float(np.mean(per_query))


def make_case(seed: int) -> tuple[Tensor, Tensor, Tensor]:
    torch.manual_seed(seed)
    queries = functional.normalize(torch.randn(5, 8, dtype=torch.float64), dim=1)
    documents = functional.normalize(torch.randn(9, 8, dtype=torch.float64), dim=1)
    relations = torch.randint(-1, 2, (5, 9))
    relations[0, 3] = 1
    relations[4] = -1  # a query without a positive is left out
    return queries, documents, relations


@pytest.mark.parametrize("seed", range(20))
def test_equals_the_definition(seed: int) -> None:
    queries, documents, relations = make_case(seed)
    found = float(infonce(queries, documents, relations, temperature=0.2))
    assert found == pytest.approx(slow_infonce(queries, documents, relations, 0.2), rel=1e-9)


def test_is_cross_entropy_when_each_query_has_its_own_document() -> None:
    queries, documents, _ = make_case(1)
    relations = 2 * torch.eye(5, dtype=torch.int8) - 1
    expected = functional.cross_entropy(queries @ documents[:5].T / 0.05, torch.arange(5))
    assert float(infonce(queries, documents[:5], relations)) == pytest.approx(float(expected))


def test_gradient_is_right_and_nothing_unknown_is_moved() -> None:
    queries, documents, relations = make_case(2)
    relations[:, 7] = 0
    queries.requires_grad_(), documents.requires_grad_()
    torch.autograd.gradcheck(
        lambda q, d: infonce(q, d, relations, temperature=0.5), (queries, documents)
    )
    infonce(queries, documents, relations).backward()
    assert documents.grad is not None
    assert float(documents.grad[7].abs().sum()) == 0.0
    assert float(documents.grad[3].abs().sum()) > 0.0


def test_order_of_documents_changes_nothing() -> None:
    queries, documents, relations = make_case(3)
    order = torch.randperm(9)
    found = infonce(queries, documents[order], relations[:, order])
    assert float(found) == pytest.approx(float(infonce(queries, documents, relations)))


def test_no_positive_at_all_is_an_error() -> None:
    queries, documents, _ = make_case(4)
    with pytest.raises(ValueError, match="at least one query with a positive"):
        infonce(queries, documents, -torch.ones(5, 9))


def test_distillation_reaches_the_students_alone() -> None:
    students = torch.randn(3, 4, 8, requires_grad=True)
    teachers = torch.randn(4, 8, requires_grad=True)
    cosine_distance(students, teachers).backward()
    assert teachers.grad is None
    assert students.grad is not None and float(students.grad.abs().sum()) > 0
    with torch.no_grad():
        same = cosine_distance(teachers[None] * 3, teachers)
    assert float(same) == pytest.approx(0.0, abs=1e-6)


def test_exits_follow_the_last_layer_and_do_not_lead_it() -> None:
    queries, documents, relations = make_case(5)
    asked = torch.stack([-queries, queries]).requires_grad_()
    found = torch.stack([documents.roll(1, 0), documents]).requires_grad_()
    weights = {"temperature": 0.1, "exit_weight": 0.0, "distillation_weight": 1.0}
    loss = exit_loss(asked, found, relations, **weights)
    plain = infonce(queries, documents, relations, temperature=0.1)
    students, teachers = torch.cat([asked[0], found[0]]), torch.cat([asked[1], found[1]])
    expected = plain + cosine_distance(students, teachers)
    assert float(loss.detach()) == pytest.approx(float(expected.detach()))
    rest = loss - infonce(asked[1], found[1], relations, temperature=0.1)
    (gradient,) = torch.autograd.grad(rest, found)
    assert float(gradient[1].abs().max()) < 1e-12  # distillation moves the student alone
    assert float(gradient[0].abs().max()) > 0


def test_an_exits_own_loss_counts_by_its_weight() -> None:
    queries, documents, relations = make_case(6)
    asked, found = torch.stack([queries, queries]), torch.stack([documents, documents])
    own = float(infonce(queries, documents, relations, temperature=0.1))
    weights = {"temperature": 0.1, "distillation_weight": 1.0}
    assert float(exit_loss(asked, found, relations, exit_weight=0.5, **weights)) == pytest.approx(
        1.5 * own
    )
    assert float(
        exit_loss(asked[:1], found[:1], relations, exit_weight=0.5, **weights)
    ) == pytest.approx(own)
