"""A random batch to try losses on, and what every slow reference needs."""

from collections.abc import Callable, Sequence
from typing import NamedTuple

import torch
from torch import Tensor
from torch.nn import functional


class Batch(NamedTuple):
    queries: Tensor
    documents: Tensor
    relations: Tensor
    weights: Tensor
    teacher_scores: Tensor


def make_batch(seed: int) -> Batch:
    """Make 5 queries and 9 documents; nothing is known of query 3, query 4 has no positive."""
    torch.manual_seed(seed)
    queries = functional.normalize(torch.randn(5, 8, dtype=torch.float64), dim=1)
    documents = functional.normalize(torch.randn(9, 8, dtype=torch.float64), dim=1)
    relations = torch.randint(-1, 2, (5, 9))
    relations[:3, 2], relations[:3, 3] = -1, 1
    relations[3], relations[4] = 0, -1
    teacher_scores = torch.rand(5, 9, dtype=torch.float64)
    teacher_scores[torch.rand(5, 9) < 0.2] = torch.nan
    teacher_scores[:3, 2:4] = torch.tensor([0.1, 0.8], dtype=torch.float64)
    return Batch(queries, documents, relations, torch.rand(5).double() + 0.5, teacher_scores)


def slow_mean(
    batch: Batch, loss_of: Callable[[list[float], list[int], list[float]], float | None]
) -> float:
    """Average over queries what `loss_of` says of (cosines, relations, teacher's scores)."""
    total = weight = 0.0
    for i in range(len(batch.queries)):
        loss = loss_of(
            slow_products(batch.queries[i], batch.documents),
            batch.relations[i].tolist(),
            batch.teacher_scores[i].tolist(),
        )
        if loss is not None:
            total += float(batch.weights[i]) * loss
            weight += float(batch.weights[i])
    return total / weight


def slow_products(vector: Tensor, others: Tensor) -> list[float]:
    return [
        sum(a * b for a, b in zip(vector.tolist(), other.tolist(), strict=True)) for other in others
    ]


def mean(values: Sequence[float]) -> float:
    return sum(values) / len(values)
