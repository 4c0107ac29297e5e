"""Losses over relations: one signature for every loss.

A batch is queries (q, h), documents (d, h), and relations (q, d): +1 where a document answers the
query, -1 where it does not, 0 where nobody knows (neither pulled nor pushed).
"""

import torch
from torch import Tensor


def infonce(
    queries: Tensor,
    documents: Tensor,
    relations: Tensor,
    *,
    temperature: float = 0.05,
    weights: Tensor | None = None,
) -> Tensor:
    """Pull each query to its documents and push it from the negatives, by their softmax.

    Per positive (i, j), with s = cosine / temperature:
    -log(exp(s_ij) / (exp(s_ij) + sum over negatives k of exp(s_ik))). Positives of one query do not
    compete. Mean over a query's positives, then over the queries that have one
    (arXiv:1807.03748; several positives as in arXiv:2004.11362, L_out).

    Args:
        queries: (q, h), L2-normalised.
        documents: (d, h), L2-normalised.
        relations: (q, d) of +1, -1, 0.
        temperature: Divides the cosines; .05 is sentence-transformers' scale of 20.
        weights: (q,) how much each query counts in the mean; by default all the same.

    Raises:
        ValueError: no query has a positive.

    >>> eye = torch.eye(2)
    >>> float(infonce(eye, eye, torch.tensor([[1, -1], [-1, 1]]), temperature=1.0))
    0.31326
    >>> float(infonce(eye, eye, torch.tensor([[1, 0], [0, 1]])))  # nothing to be told apart from
    0.0
    """
    is_positive, is_negative = relations > 0, relations < 0
    positives = is_positive.sum(dim=1)
    if not bool(positives.any()):
        raise ValueError("InfoNCE needs at least one query with a positive document.")
    scores = queries @ documents.T / temperature
    # logsumexp over no negatives is -inf, and logaddexp(s, -inf) = s: the loss is then 0
    negatives = scores.masked_fill(~is_negative, -torch.inf).logsumexp(dim=1, keepdim=True)
    losses = torch.logaddexp(scores, negatives) - scores
    per_query = losses.masked_fill(~is_positive, 0.0).sum(dim=1) / positives.clamp(min=1)
    counted = (positives > 0).to(per_query.dtype)
    if weights is not None:
        counted = counted * weights
    return (counted * per_query).sum() / counted.sum()


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


def exit_loss(
    queries: Tensor,
    documents: Tensor,
    relations: Tensor,
    *,
    temperature: float,
    exit_weight: float,
    distillation_weight: float,
    weights: Tensor | None = None,
) -> Tensor:
    """Train all exits at once: the last by its loss, the others by theirs and by following it.

    infonce(last) + exit_weight * mean over the others of infonce
    + distillation_weight * mean over the others of 1 - cosine to the last, detached. The gradient
    of an exit reaches the last layer through shared layers alone (fixed exits: arXiv:2410.13230).

    Args:
        queries: (exits, q, h), L2-normalised, the last layer last.
        documents: (exits, d, h), L2-normalised.
        relations: (q, d) of +1, -1, 0.
        temperature: Divides the cosines.
        exit_weight: Of the other exits' own loss.
        distillation_weight: Of their distance to the last layer's embeddings.
        weights: (q,) how much each query counts.
    """
    last = infonce(queries[-1], documents[-1], relations, temperature=temperature, weights=weights)
    if len(queries) == 1:
        return last
    own = [
        infonce(asked, found, relations, temperature=temperature, weights=weights)
        for asked, found in zip(queries[:-1], documents[:-1], strict=True)
    ]
    students = torch.cat([queries[:-1], documents[:-1]], dim=1)
    distance = cosine_distance(students, torch.cat([queries[-1], documents[-1]]))
    return last + exit_weight * torch.stack(own).mean() + distillation_weight * distance
