"""Gradient caching: batches of any size in the memory of a few texts."""

from collections.abc import Sequence

import torch
from torch import Tensor
from torch.utils.checkpoint import checkpoint

from .encoder import Encoder


def embed_cached(encoder: Encoder, ids: Sequence[Sequence[int]], layers: Sequence[int]) -> Tensor:
    """Embed texts of a large batch without keeping what their gradient needs (arXiv:2101.06983).

    Now they are embedded without a graph. When the gradient at their embeddings is there, hence
    after the loss of the whole batch, they are embedded again, with the same dropout and precision,
    and it is handed on to the weights. Called for one part of a batch after the other, only one
    part's graph is ever in memory, and gradients are those of the batch in one piece. The price is
    a second forward pass.

    That is gradient accumulation as contrastive losses need it: adding up the gradients of small
    batches instead would save as much memory, but leave each query the few negatives of its own.

    The weights' gradients grow with each part: wrapped in DistributedDataParallel the model would
    take the first part's for all. `ranks.sum_gradients` sums them after `backward` instead.

    Args:
        encoder: Gives the embeddings.
        ids: Tokens of each text.
        layers: Layers wanted.

    Returns:
        (layers, texts, h); `backward` reaches the weights, `torch.autograd.grad` does not.
    """
    # Without an input that asks for a gradient, autograd would not come back to embed again.
    anchor = torch.zeros((), device=encoder.device, requires_grad=True)
    embeddings: Tensor = checkpoint(_embed, anchor, encoder, ids, layers, use_reentrant=True)
    return embeddings


def _embed(
    anchor: Tensor, encoder: Encoder, ids: Sequence[Sequence[int]], layers: Sequence[int]
) -> Tensor:
    return encoder.forward(encoder.pad(ids), layers)
