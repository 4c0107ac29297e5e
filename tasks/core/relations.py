"""Relations between queries and documents, and means over them in bounded memory."""

from collections.abc import Callable

import torch
from torch import Tensor
from torch.utils.checkpoint import checkpoint

# Of queries and documents; 4 MiB per matrix of scores, of which a loss holds about ten.
PAIRS_AT_ONCE = 1 << 20

# Of (rows, columns, *matrices), for each row: its loss times its weight, and its weight.
RowLoss = Callable[..., tuple[Tensor, Tensor]]


def mean_over_rows(
    row_loss: RowLoss, rows: Tensor, columns: Tensor, *matrices: Tensor, needs: str
) -> Tensor:
    """Take the weighted mean of a loss over rows.

    A large batch is worked off in blocks of rows; what a block computed is thrown away and
    computed again for the gradient, so that memory does not grow with rows * columns.

    Args:
        row_loss: Given a block of the rows, all columns, and the block's rows of `matrices`,
            returns the weighted losses (r,) and the weights (r,), 0 for a row that has none.
        rows: (r, h).
        columns: (c, h).
        matrices: Each (r, c) or (r, 1).
        needs: What a row must have to count, for the error.

    Raises:
        ValueError: no row counts.
    """
    size = max(1, PAIRS_AT_ONCE // max(1, len(columns)))
    starts = range(0, len(rows), size)
    parts = []
    for start in starts:
        block = slice(start, start + size)
        given = rows[block], columns, *(matrix[block] for matrix in matrices)
        if len(starts) == 1:
            parts.append(row_loss(*given))
        else:
            parts.append(
                checkpoint(row_loss, *given, use_reentrant=False, preserve_rng_state=False)
            )
    losses, weights = (torch.cat(part) for part in zip(*parts, strict=True))
    total = weights.sum()
    if not bool(total > 0):
        raise ValueError(f"The batch needs at least one {needs} and a weight above 0.")
    return losses.sum() / total


def mean_where(values: Tensor, mask: Tensor) -> Tensor:
    """Average each row's values where `mask` holds; 0 where it never does.

    >>> mean_where(torch.tensor([[1.0, 3.0], [5.0, 7.0]]), torch.tensor([[1, 1], [0, 0]]) > 0)
    tensor([2., 0.])
    """
    return values.masked_fill(~mask, 0.0).sum(dim=1) / mask.sum(dim=1).clamp(min=1)


def require_batch(
    queries: Tensor,
    documents: Tensor,
    relations: Tensor,
    weights: Tensor | None = None,
    **matrices: Tensor | None,
) -> Tensor:
    """Return the queries' weights, (q, 1), 1 by default, or say which shape is wrong.

    Args:
        queries: (q, h).
        documents: (d, h).
        relations: (q, d).
        weights: (q,).
        matrices: Each (q, d), by the name that the error calls it.

    Raises:
        ValueError: a shape does not fit the others.
    """
    if queries.ndim != 2 or documents.ndim != 2 or queries.shape[1] != documents.shape[1]:
        raise ValueError(
            "Queries and documents must be (q, h) and (d, h) with the same h, not "
            f"{tuple(queries.shape)} and {tuple(documents.shape)}."
        )
    if not relations.numel():
        raise ValueError("A batch needs at least one query and one document.")
    expected = len(queries), len(documents)
    for name, matrix in {"relations": relations, **matrices}.items():
        if matrix is not None and matrix.shape != expected:
            raise ValueError(
                f"{name} must be (queries, documents) = {expected}, not {tuple(matrix.shape)}."
            )
    if weights is None:
        return queries.new_ones(len(queries), 1)
    if weights.shape != (len(queries),):
        raise ValueError(
            f"weights must be (queries,) = ({len(queries)},), not {tuple(weights.shape)}."
        )
    return weights[:, None]


def require_positive(**values: float) -> None:
    """Raise a ValueError if a setting is not above 0.

    >>> require_positive(temperature=0.0)
    Traceback (most recent call last):
    ValueError: temperature must be above 0, not 0.0.
    """
    for name, value in values.items():
        if not value > 0:
            raise ValueError(f"{name} must be above 0, not {value}.")
