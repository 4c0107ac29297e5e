"""Losses over relations: one signature for every loss.

A batch is queries (q, h), documents (d, h), and relations (q, d): +1 where a document answers the
query, -1 where it does not, 0 where nobody knows (neither pulled nor pushed). Embeddings are
L2-normalised, so that their product s is the cosine. Every loss is a mean over queries; `weights`
(q,) tells how much each counts, by default all the same.
"""

from functools import partial
from typing import Literal, Protocol

import torch
from torch import Tensor

from .relations import mean_over_rows, mean_where, require_batch, require_positive

Negatives = Literal["all", "hardest"]


class Loss(Protocol):
    """A loss with its settings bound."""

    def __call__(
        self,
        queries: Tensor,
        documents: Tensor,
        relations: Tensor,
        *,
        weights: Tensor | None = None,
    ) -> Tensor:
        """Return the loss of a batch, a scalar."""
        ...


def infonce(
    queries: Tensor,
    documents: Tensor,
    relations: Tensor,
    *,
    temperature: float = 0.05,
    symmetric: bool = False,
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
        symmetric: Whether a document must tell its queries from the others as well: the mean of
            both directions (CLIP, arXiv:2103.00020). A positive weighs what its query does.
        weights: (q,) how much each query counts in the mean; by default all the same.

    Raises:
        ValueError: shapes do not fit, or no query has a positive.

    >>> eye = torch.eye(2)
    >>> float(infonce(eye, eye, torch.tensor([[1, -1], [-1, 1]]), temperature=1.0))
    0.31326
    >>> float(infonce(eye, eye, torch.tensor([[1, 0], [0, 1]])))  # nothing to be told apart from
    0.0
    """
    require_positive(temperature=temperature)
    row_weights = require_batch(queries, documents, relations, weights)
    classify = partial(_classify, temperature=temperature)
    needs = "query with a positive document"
    loss = mean_over_rows(classify, queries, documents, relations, row_weights, needs=needs)
    if not symmetric:
        return loss
    pair_weights = row_weights.expand(relations.shape).T
    back = mean_over_rows(classify, documents, queries, relations.T, pair_weights, needs=needs)
    return (loss + back) / 2


def triplet(
    queries: Tensor,
    documents: Tensor,
    relations: Tensor,
    *,
    margin: float = 0.2,
    negatives: Negatives = "all",
    weights: Tensor | None = None,
) -> Tensor:
    """Have each query nearer to its documents than to the negatives, by a margin.

    Per positive (i, j) and negative k: max(0, margin + s_ik - s_ij), which is FaceNet's
    (arXiv:1503.03832) with half the squared distance of unit vectors, 1 - s, for the distance.

    Args:
        queries: (q, h), L2-normalised.
        documents: (d, h), L2-normalised.
        relations: (q, d) of +1, -1, 0.
        margin: In cosine; .2 as in VSE++ (arXiv:1707.05612).
        negatives: `all`: mean over the query's triplets that violate the margin; the rest would
            drown them. `hardest`: each positive against the query's most similar negative, mean
            over its positives; a model that ranks at random yet collapses under it (both in
            arXiv:1703.07737).
        weights: (q,) how much each query counts in the mean; by default all the same.

    Raises:
        ValueError: shapes do not fit, or no query has a positive.

    >>> query, documents = torch.tensor([[1.0, 0.0]]), torch.tensor([[0.6, 0.8], [0.8, 0.6]])
    >>> float(triplet(query, documents, torch.tensor([[1, -1]])))
    0.4
    """
    require_positive(margin=margin)
    row_weights = require_batch(queries, documents, relations, weights)
    row_loss = partial(_hardest if negatives == "hardest" else _violating, margin=margin)
    needs = "query with a positive document"
    return mean_over_rows(row_loss, queries, documents, relations, row_weights, needs=needs)


def _classify(
    rows: Tensor, columns: Tensor, relations: Tensor, weights: Tensor, *, temperature: float
) -> tuple[Tensor, Tensor]:
    is_positive, is_negative = relations > 0, relations < 0
    scores = rows @ columns.T / temperature
    # logsumexp over no negatives is -inf, and logaddexp(s, -inf) = s: the loss is then 0
    negatives = scores.masked_fill(~is_negative, -torch.inf).logsumexp(dim=1, keepdim=True)
    losses = torch.logaddexp(scores, negatives) - scores
    counted = weights.expand_as(losses)
    return mean_where(weights * losses, is_positive), mean_where(counted, is_positive)


def _hardest(
    rows: Tensor, columns: Tensor, relations: Tensor, weights: Tensor, *, margin: float
) -> tuple[Tensor, Tensor]:
    is_positive, is_negative = relations > 0, relations < 0
    scores = rows @ columns.T
    hardest = scores.masked_fill(~is_negative, -torch.inf).amax(dim=1, keepdim=True)
    losses = mean_where((margin + hardest - scores).relu(), is_positive)
    counted = weights[:, 0] * is_positive.any(dim=1)
    return counted * losses, counted


def _violating(
    rows: Tensor, columns: Tensor, relations: Tensor, weights: Tensor, *, margin: float
) -> tuple[Tensor, Tensor]:
    anchors, positives = (relations > 0).nonzero(as_tuple=True)
    scores = rows @ columns.T
    hinges = (margin + scores[anchors] - scores[anchors, positives, None]).relu()
    hinges = hinges.masked_fill(relations[anchors] >= 0, 0.0)
    none = scores.new_zeros(len(rows))
    violating = none.index_add(0, anchors, (hinges > 0).sum(dim=1).to(none.dtype))
    losses = none.index_add(0, anchors, hinges.sum(dim=1)) / violating.clamp(min=1)
    counted = weights[:, 0] * (relations > 0).any(dim=1)
    return counted * losses, counted
