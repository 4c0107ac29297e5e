"""How like a teacher's embeddings a student's are: each by itself, and all beside one another."""

from collections.abc import Sequence

import torch
from torch import Tensor
from torch.nn.functional import normalize

from .distillation import cosine_distance


def similarity_distance(students: Tensor, teachers: Tensor) -> Tensor:
    """Distil what a batch's texts have in common: the mean squared error of their cosines.

    What ranks passages is how near they are to a query and to one another; an embedding that is a
    little off in the same direction as all others costs nothing, one that changes places with its
    neighbour does (similarity-preserving distillation, arXiv:1907.09682; arXiv:1904.05068).

    Args:
        students: (n, h).
        teachers: (n, h'), of any length; no gradient reaches them.

    >>> float(similarity_distance(torch.eye(2), torch.tensor([[1.0, 0.0], [0.6, 0.8]])))
    0.18
    """
    found, wanted = normalize(students, dim=-1), normalize(teachers.detach(), dim=-1)
    return (found @ found.T - wanted @ wanted.T).square().mean()


def teaching_loss(
    students: Tensor,
    teachers: Tensor,
    *,
    similarity_weight: float,
    dimensions: Sequence[int] = (),
    is_normalized: bool = True,
) -> Tensor:
    """Distil embeddings of a batch, and their similarities, at all Matryoshka dimensions.

    1 - cosine(student, teacher) + similarity_weight * `similarity_distance`, the mean over
    `dimensions`.

    Args:
        students: (n, h).
        teachers: (n, h).
        similarity_weight: Of the similarities.
        dimensions: Lengths that both are cut to; none for the full length alone.
        is_normalized: Whether cosines are all that counts. If not, the embeddings' norms, which
            inner products rank by as well, are learnt too: the squared difference of their
            logarithms is added.
    """
    losses = []
    for length in dimensions or [students.shape[-1]]:
        cut, wanted = students[:, :length], teachers[:, :length]
        loss = cosine_distance(cut, wanted)
        if not is_normalized:
            loss = loss + _norm_distance(cut, wanted)
        losses.append(loss + similarity_weight * similarity_distance(cut, wanted))
    return torch.stack(losses).mean()


def _norm_distance(students: Tensor, teachers: Tensor) -> Tensor:
    found, wanted = (
        vectors.norm(dim=-1).clamp_min(1e-6).log() for vectors in (students, teachers.detach())
    )
    distance: Tensor = (found - wanted).square().mean()
    return distance
