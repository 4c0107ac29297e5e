"""Ways to make one vector of the vectors of a text's tokens."""

from collections.abc import Callable, Mapping
from typing import Literal, get_args

import torch
from torch import Tensor

Pooling = Literal["mean", "cls", "max", "lasttoken"]  # as sentence-transformers calls them
POOLINGS: tuple[Pooling, ...] = get_args(Pooling)


def pool(hidden: Tensor, mask: Tensor, pooling: Pooling) -> Tensor:
    """Make one vector of the vectors of a text's tokens.

    Args:
        hidden: (texts, tokens, dimension).
        mask: (texts, tokens), 0 where a token does not count: padding, on the right or on the
            left, or a prompt that is left out.
        pooling: `mean` of the tokens that count, their `max` in each dimension, the first of them
            (`cls`), or the last (`lasttoken`).

    Returns:
        (texts, dimension) float32; zeros for a text of which no token counts.

    >>> hidden = torch.tensor([[[9.0, 9.0], [1.0, -4.0], [3.0, -2.0], [9.0, 9.0]]])
    >>> mask = torch.tensor([[0, 1, 1, 0]])
    >>> [pool(hidden, mask, pooling).tolist() for pooling in POOLINGS]
    [[[2.0, -3.0]], [[1.0, -4.0]], [[3.0, -2.0]], [[3.0, -2.0]]]
    """
    return _POOLERS[pooling](hidden, mask.bool()).float()


def _mean(hidden: Tensor, mask: Tensor) -> Tensor:
    total = hidden.masked_fill(~mask.unsqueeze(-1), 0).sum(dim=1, dtype=torch.float32)
    return total / mask.sum(dim=1, keepdim=True).clamp(min=1)


def _max(hidden: Tensor, mask: Tensor) -> Tensor:
    # A padding token set to 0 would win over negative values.
    highest = hidden.masked_fill(~mask.unsqueeze(-1), -torch.inf).amax(dim=1)
    return highest.masked_fill(~mask.any(dim=1, keepdim=True), 0)


def _cls(hidden: Tensor, mask: Tensor) -> Tensor:
    return _take(hidden, mask, mask.int().argmax(dim=1))


def _last(hidden: Tensor, mask: Tensor) -> Tensor:
    return _take(hidden, mask, mask.shape[1] - 1 - mask.flip(1).int().argmax(dim=1))


def _take(hidden: Tensor, mask: Tensor, places: Tensor) -> Tensor:
    rows = torch.arange(len(hidden), device=hidden.device)
    return hidden[rows, places].masked_fill(~mask.any(dim=1, keepdim=True), 0)


_POOLERS: Mapping[Pooling, Callable[[Tensor, Tensor], Tensor]] = {
    "mean": _mean,
    "cls": _cls,
    "max": _max,
    "lasttoken": _last,
}


def shorten(embeddings: Tensor, dimension: int, *, normalize: bool) -> Tensor:
    """Keep the first numbers of embeddings, as embeddings of their own.

    A model is trained for that by Matryoshka representation learning (arXiv:2205.13147).

    Args:
        embeddings: (..., whole dimension).
        dimension: Numbers kept of each.
        normalize: Whether what is kept is scaled to length 1 again.

    Returns:
        (..., dimension).

    >>> shorten(torch.tensor([0.0, 0.6, 0.8]), 2, normalize=True)
    tensor([0., 1.])
    """
    kept = embeddings[..., :dimension]
    return torch.nn.functional.normalize(kept, dim=-1) if normalize else kept
