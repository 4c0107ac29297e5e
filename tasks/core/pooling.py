"""Ways to make one vector of the vectors of a text's tokens."""

from collections.abc import Callable, Mapping
from typing import Literal

import torch
from torch import Tensor

Pooling = Literal["mean", "cls", "max"]


def pool(hidden: Tensor, mask: Tensor, pooling: Pooling) -> Tensor:
    """Make one vector of the vectors of a text's tokens.

    Args:
        hidden: (texts, tokens, dimension), padded on the right.
        mask: (texts, tokens), 0 where there is padding.
        pooling: `mean` of the tokens, their `max` in each dimension, or the first one (`cls`).

    Returns:
        (texts, dimension) float32.

    >>> hidden = torch.tensor([[[1.0, -4.0], [3.0, -2.0], [9.0, 9.0]]])
    >>> mask = torch.tensor([[1, 1, 0]])
    >>> [pool(hidden, mask, pooling).tolist() for pooling in ("mean", "cls", "max")]
    [[[2.0, -3.0]], [[1.0, -4.0]], [[3.0, -2.0]]]
    """
    return _POOLERS[pooling](hidden, mask.unsqueeze(-1)).float()


def _mean(hidden: Tensor, mask: Tensor) -> Tensor:
    return (hidden * mask).sum(dim=1, dtype=torch.float32) / mask.sum(dim=1)


def _max(hidden: Tensor, mask: Tensor) -> Tensor:
    # A padding token set to 0 would win over negative values.
    return hidden.masked_fill(mask == 0, -torch.inf).amax(dim=1)


def _cls(hidden: Tensor, mask: Tensor) -> Tensor:
    return hidden[:, 0]


_POOLERS: Mapping[Pooling, Callable[[Tensor, Tensor], Tensor]] = {
    "mean": _mean,
    "cls": _cls,
    "max": _max,
}
