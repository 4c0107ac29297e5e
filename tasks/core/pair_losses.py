"""Losses that judge each cosine by itself; one signature with those of `losses`.

A pair is a query and a document whose relation is known, +1 or -1.
"""

from functools import partial

import torch
from torch import Tensor

from .relations import mean_over_rows, mean_where, require_batch, require_positive


def contrastive(
    queries: Tensor,
    documents: Tensor,
    relations: Tensor,
    *,
    margin: float = 0.5,
    weights: Tensor | None = None,
) -> Tensor:
    """Pull each query to its documents, and push negatives away until they are `margin` away.

    With D = 1 - s: half of D² for a positive, half of max(0, margin - D)² for a negative (Hadsell,
    Chopra, LeCun: Dimensionality Reduction by Learning an Invariant Mapping, CVPR 2006; on cosine
    distance as in SBERT, arXiv:1908.10084). Of a query the positives' mean and the mean of the
    negatives within the margin are added: a batch has far more negatives, mostly beyond it.

    Args:
        queries: (q, h), L2-normalised.
        documents: (d, h), L2-normalised.
        relations: (q, d) of +1, -1, 0.
        margin: Of cosine distance; .5 is sentence-transformers'.
        weights: (q,) how much each query counts in the mean; by default all the same.

    Raises:
        ValueError: shapes do not fit, or no query has a known document.

    >>> query = torch.tensor([[1.0, 0.0]])
    >>> documents = torch.tensor([[0.6, 0.8], [0.8, 0.6]])
    >>> float(contrastive(query, documents, torch.tensor([[1, -1]])))  # (.4² + (.5 - .2)²) / 2
    0.125
    """
    require_positive(margin=margin)
    row_weights = require_batch(queries, documents, relations, weights)
    needs = "query with a positive or a negative document"
    row_loss = partial(_contrast, margin=margin)
    return mean_over_rows(row_loss, queries, documents, relations, row_weights, needs=needs)


def cosine(
    queries: Tensor,
    documents: Tensor,
    relations: Tensor,
    *,
    targets: Tensor | None = None,
    weights: Tensor | None = None,
) -> Tensor:
    """Bring each cosine to its target: 1 for a positive and 0 for a negative, if none is given.

    Half of a query's mean of (s - target)² over its positives, and half of that over its negatives:
    a batch has far more of these (regression as in SBERT, arXiv:1908.10084).

    Args:
        queries: (q, h), L2-normalised.
        documents: (d, h), L2-normalised.
        relations: (q, d) of +1, -1, 0.
        targets: (q, d) wanted cosines, looked at where the relation is known.
        weights: (q,) how much each query counts in the mean; by default all the same.

    Raises:
        ValueError: shapes do not fit, or no query has a known document.

    >>> query = torch.tensor([[1.0, 0.0]])
    >>> documents = torch.tensor([[0.6, 0.8], [0.8, 0.6]])
    >>> float(cosine(query, documents, torch.tensor([[1, -1]])))  # (.4² + .8²) / 2
    0.4
    """
    row_weights = require_batch(queries, documents, relations, weights, targets=targets)
    given = [] if targets is None else [targets.detach()]
    needs = "query with a positive or a negative document"
    return mean_over_rows(_regress, queries, documents, relations, row_weights, *given, needs=needs)


def _contrast(
    rows: Tensor, columns: Tensor, relations: Tensor, weights: Tensor, *, margin: float
) -> tuple[Tensor, Tensor]:
    distances = 1 - rows @ columns.T
    gaps = (margin - distances).relu()
    pull = mean_where(distances.square(), relations > 0)
    push = mean_where(gaps.square(), (relations < 0) & (gaps > 0))
    counted = weights[:, 0] * (relations != 0).any(dim=1)
    return counted * (pull + push) / 2, counted


def _regress(
    rows: Tensor,
    columns: Tensor,
    relations: Tensor,
    weights: Tensor,
    targets: Tensor | None = None,
) -> tuple[Tensor, Tensor]:
    scores = rows @ columns.T
    if targets is None:
        targets = torch.where(relations > 0, 1.0, 0.0)
    # Where nothing is known a target may be NaN, which would reach the gradients.
    errors = (scores - targets.masked_fill(relations == 0, 0.0)).square()
    mean = (mean_where(errors, relations > 0) + mean_where(errors, relations < 0)) / 2
    counted = weights[:, 0] * (relations != 0).any(dim=1)
    return counted * mean, counted
