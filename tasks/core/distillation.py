"""Distillation: learn from a teacher's embeddings, or from its scores of a query's documents."""

from functools import partial

import torch
from torch import Tensor

from .relations import mean_over_rows, mean_where, require_batch, require_positive


def cosine_distance(students: Tensor, teachers: Tensor) -> Tensor:
    """Distil embeddings: the mean of 1 - cosine between a student's and its teacher's.

    Args:
        students: (..., n, h); every leading dimension (exit layers) shares the teachers.
        teachers: (n, h); no gradient reaches them.

    >>> students = torch.tensor([[[1.0, 0.0]], [[0.0, 2.0]]])
    >>> float(cosine_distance(students, torch.tensor([[3.0, 0.0]])))
    0.5
    """
    return 1 - torch.cosine_similarity(students, teachers.detach(), dim=-1).mean()


def margin_mse(
    queries: Tensor,
    documents: Tensor,
    relations: Tensor,
    *,
    teacher_scores: Tensor,
    scale: float = 1.0,
    teacher_scale: float = 1.0,
    weights: Tensor | None = None,
) -> Tensor:
    """Have the same margins between positives and negatives as the teacher (arXiv:2010.02666).

    Per positive j and negative k of query i, with s = scale * cosine and t = teacher_scale * the
    teacher's scores: ((s_ij - s_ik) - (t_ij - t_ik))².
    Mean over a query's such pairs, then over the queries.

    Args:
        queries: (q, h), L2-normalised.
        documents: (d, h), L2-normalised.
        relations: (q, d) of +1, -1, 0.
        teacher_scores: (q, d), NaN where the teacher has not scored: masked as 0 relations are.
        scale: Multiplies the student's cosines; a teacher whose scores are no cosines needs more.
        teacher_scale: Multiplies the teacher's scores.
        weights: (q,) how much each query counts in the mean; by default all the same.

    Raises:
        ValueError: shapes do not fit, or no query has a scored positive and a scored negative.

    >>> query, documents = torch.tensor([[1.0, 0.0]]), torch.tensor([[0.8, 0.6], [0.6, 0.8]])
    >>> scores = torch.tensor([[0.9, 0.2]])  # a margin of .7, here .2
    >>> float(margin_mse(query, documents, torch.tensor([[1, -1]]), teacher_scores=scores))
    0.25
    """
    require_positive(scale=scale, teacher_scale=teacher_scale)
    row_weights = require_batch(
        queries, documents, relations, weights, teacher_scores=teacher_scores
    )
    return mean_over_rows(
        partial(_margins, scale=scale, teacher_scale=teacher_scale),
        queries,
        documents,
        relations,
        row_weights,
        teacher_scores.detach(),
        needs="query with a positive and a negative that the teacher has scored",
    )


def kl_divergence(
    queries: Tensor,
    documents: Tensor,
    relations: Tensor,
    *,
    teacher_scores: Tensor,
    temperature: float = 0.05,
    teacher_temperature: float = 0.05,
    weights: Tensor | None = None,
) -> Tensor:
    """Rank a query's documents as the teacher does, by the divergence of their softmaxes.

    Per query, with p the softmax of the teacher's scores / teacher_temperature and r that of the
    cosines / temperature, over the documents whose relation is known and that the teacher has
    scored: sum of p * log(p / r) (arXiv:1503.02531; for retrieval arXiv:2010.11386).

    Args:
        queries: (q, h), L2-normalised.
        documents: (d, h), L2-normalised.
        relations: (q, d); of +1 and -1 the sign is not looked at, 0 is masked.
        teacher_scores: (q, d), NaN where the teacher has not scored: masked.
        temperature: Divides the cosines.
        teacher_temperature: Divides the teacher's scores; .05 suits cosines, 1 logits.
        weights: (q,) how much each query counts in the mean; by default all the same.

    Raises:
        ValueError: shapes do not fit, or no query has a document to learn from.

    >>> query, documents = torch.tensor([[1.0, 0.0]]), torch.eye(2)
    >>> scores = torch.tensor([[0.05, 0.0]])  # softmaxes (.731, .269) and (.731, .269)
    >>> float(kl_divergence(query, documents, torch.tensor([[1, -1]]), teacher_scores=scores,
    ...                     temperature=1.0))
    0.0
    """
    require_positive(temperature=temperature, teacher_temperature=teacher_temperature)
    row_weights = require_batch(
        queries, documents, relations, weights, teacher_scores=teacher_scores
    )
    return mean_over_rows(
        partial(_diverge, temperature=temperature, teacher_temperature=teacher_temperature),
        queries,
        documents,
        relations,
        row_weights,
        teacher_scores.detach(),
        needs="query with a known document that the teacher has scored",
    )


def _margins(
    rows: Tensor,
    columns: Tensor,
    relations: Tensor,
    weights: Tensor,
    teacher_scores: Tensor,
    *,
    scale: float,
    teacher_scale: float,
) -> tuple[Tensor, Tensor]:
    is_scored = ~teacher_scores.isnan()
    is_positive, is_negative = (relations > 0) & is_scored, (relations < 0) & is_scored
    errors = scale * (rows @ columns.T) - teacher_scale * teacher_scores.nan_to_num(nan=0.0)
    # The mean over pairs of (a - b)² is the mean of (a - m)² plus that of (b - m)², m the mean of a
    errors = errors - mean_where(errors, is_positive)[:, None]
    squares = errors.square()
    losses = mean_where(squares, is_positive) + mean_where(squares, is_negative)
    counted = weights[:, 0] * (is_positive.any(dim=1) & is_negative.any(dim=1))
    return counted * losses, counted


def _diverge(
    rows: Tensor,
    columns: Tensor,
    relations: Tensor,
    weights: Tensor,
    teacher_scores: Tensor,
    *,
    temperature: float,
    teacher_temperature: float,
) -> tuple[Tensor, Tensor]:
    is_known = (relations != 0) & ~teacher_scores.isnan()
    has_any = is_known.any(dim=1)
    is_left_out = ~is_known & has_any[:, None]  # of nothing at all there is no softmax
    wanted = teacher_scores.nan_to_num(nan=0.0) / teacher_temperature
    wanted = wanted.masked_fill(is_left_out, -torch.inf).log_softmax(dim=1)
    found = (rows @ columns.T / temperature).masked_fill(is_left_out, -torch.inf).log_softmax(dim=1)
    differences = (wanted - found).masked_fill(~is_known, 0.0)
    counted = weights[:, 0] * has_any
    return counted * (wanted.exp() * differences).sum(dim=1), counted
