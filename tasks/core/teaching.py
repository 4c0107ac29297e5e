"""Labels and a teacher together: a loss by relations that learns the teacher's scores as well."""

from typing import Protocol

from torch import Tensor

from .losses import Loss


class TeacherLoss(Protocol):
    """A loss by a teacher's scores, with its settings bound."""

    def __call__(
        self,
        queries: Tensor,
        documents: Tensor,
        relations: Tensor,
        *,
        teacher_scores: Tensor,
        weights: Tensor | None = None,
    ) -> Tensor:
        """Return the loss of a batch, a scalar."""
        ...


def add_teacher(loss: Loss, teach: TeacherLoss, teacher_scores: Tensor, *, weight: float) -> Loss:
    """Return a loss that learns a teacher's scores as well: loss + weight * teach.

    A query takes part in `teach` if the teacher has scored a positive and a negative of it; in a
    batch that has none the loss is left as it is.

    Args:
        loss: By relations.
        teach: By the teacher's scores.
        teacher_scores: (q, d), NaN where the teacher has not scored.
        weight: Of `teach`.
    """

    def taught(
        queries: Tensor, documents: Tensor, relations: Tensor, *, weights: Tensor | None = None
    ) -> Tensor:
        plain = loss(queries, documents, relations, weights=weights)
        is_scored = ~teacher_scores.isnan()
        has_positive = ((relations > 0) & is_scored).any(dim=1)
        rows = has_positive & ((relations < 0) & is_scored).any(dim=1)
        if not bool(rows.any()):
            return plain
        return plain + weight * teach(
            queries[rows],
            documents,
            relations[rows],
            teacher_scores=teacher_scores[rows],
            weights=None if weights is None else weights[rows],
        )

    return taught
