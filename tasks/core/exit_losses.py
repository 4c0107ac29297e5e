"""One loss for all exits and all Matryoshka dimensions of a batch."""

from collections.abc import Sequence

import torch
from torch import Tensor

from .distillation import cosine_distance
from .losses import Loss
from .pooling import shorten


def exit_loss(
    queries: Tensor,
    documents: Tensor,
    relations: Tensor,
    *,
    loss: Loss,
    exit_weight: float,
    distillation_weight: float,
    dimensions: Sequence[int] = (),
    is_normalized: bool = True,
    weights: Tensor | None = None,
) -> Tensor:
    """Train all exits at once: the last by its loss, the others by theirs and by following it.

    loss(last) + exit_weight * mean over the others of their loss
    + distillation_weight * mean over the others of 1 - cosine to the last, detached. The gradient
    of an exit reaches the last layer through shared layers alone (fixed exits: arXiv:2410.13230).
    Each of these is the mean over `dimensions` (Matryoshka, arXiv:2205.13147).

    Args:
        queries: (exits, q, h), L2-normalised, the last layer last.
        documents: (exits, d, h), L2-normalised.
        relations: (q, d) of +1, -1, 0.
        loss: With its settings bound.
        exit_weight: Of the other exits' own loss.
        distillation_weight: Of their distance to the last layer's embeddings.
        dimensions: Lengths that embeddings are cut to; none for the full length alone.
        is_normalized: Whether cut embeddings are scaled to length 1 again.
        weights: (q,) how much each query counts.

    Raises:
        ValueError: embeddings are shorter than a dimension, or what `loss` raises.
    """
    lengths = _lengths(queries, dimensions)

    def at_all_lengths(asked: Tensor, found: Tensor) -> Tensor:
        losses = [
            loss(
                _cut(asked, length, is_normalized),
                _cut(found, length, is_normalized),
                relations,
                weights=weights,
            )
            for length in lengths
        ]
        return torch.stack(losses).mean()

    last = at_all_lengths(queries[-1], documents[-1])
    if len(queries) == 1:
        return last
    own = [
        at_all_lengths(asked, found)
        for asked, found in zip(queries[:-1], documents[:-1], strict=True)
    ]
    students = torch.cat([queries[:-1], documents[:-1]], dim=1)
    distance = mean_distance(students, torch.cat([queries[-1], documents[-1]]), lengths)
    return last + exit_weight * torch.stack(own).mean() + distillation_weight * distance


def mean_distance(students: Tensor, teachers: Tensor, dimensions: Sequence[int] = ()) -> Tensor:
    """Distil embeddings cut to several lengths: the mean of their cosine distances.

    Args:
        students: (..., n, h).
        teachers: (n, h); no gradient reaches them.
        dimensions: Lengths that both are cut to; none for the full length alone.

    Raises:
        ValueError: embeddings are shorter than a dimension.

    >>> students, teachers = torch.tensor([[1.0, 0.0]]), torch.tensor([[0.6, 0.8]])
    >>> float(mean_distance(students, teachers, [1, 2]))  # 0 at length 1, .4 at 2
    0.2
    """
    distances = [
        cosine_distance(students[..., :length], teachers[..., :length])
        for length in _lengths(students, dimensions)
    ]
    return torch.stack(distances).mean()


def _lengths(embeddings: Tensor, dimensions: Sequence[int]) -> Sequence[int]:
    full = embeddings.shape[-1]
    for dimension in dimensions:
        if not 1 <= dimension <= full:
            raise ValueError(f"Dimension {dimension} is not one of 1 to {full}.")
    return dimensions or [full]


def _cut(embeddings: Tensor, length: int, is_normalized: bool) -> Tensor:
    if length == embeddings.shape[-1]:
        return embeddings
    return shorten(embeddings, length, normalize=is_normalized)
