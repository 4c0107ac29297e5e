"""Several processes, the ranks, that train one model: each embeds a share of every batch.

The embeddings of all are put together, so that every rank computes the loss of the joint batch with
the negatives of all; but only its own carry a graph. So its backward pass gives the part of the
gradient that comes through its own texts, and the sum over the ranks is the gradient of one process
with the joint batch: exactly, whatever the loss, and with no message sent during the backward pass,
which gradient caching may therefore repeat or delay as it likes.

Which rank this process is, torch's process group knows; without one there is a single rank.
"""

from collections.abc import Callable, Iterator, Sequence

import numpy as np
import torch
from torch import Tensor, distributed, nn
from torch.nn import functional

BUCKET = 2**25  # numbers sent at once: enough for full speed, and 128 MB of memory


def count_ranks() -> int:
    """Return how many processes train together."""
    return distributed.get_world_size() if _is_grouped() else 1


def find_rank() -> int:
    """Return which of them this process is, from 0."""
    return distributed.get_rank() if _is_grouped() else 0


def embed_shared(embed: Callable[[list[int]], Tensor], lengths: Sequence[int]) -> Tensor:
    """Embed texts, each rank its share; every rank gets all embeddings, its own with a graph.

    Args:
        embed: Gives the embeddings, (layers, rows, h), of the texts in some rows.
        lengths: A number for each text that grows with its cost. It must be the same on all ranks,
            as must the texts.

    Returns:
        (layers, texts, h) in the order of `lengths`.
    """
    if count_ranks() == 1:
        return embed(list(range(len(lengths))))
    shares = share_out(lengths, count_ranks())
    rows = shares[find_rank()]
    # A rank without a text embeds one and drops it: its backward pass is then like the others'.
    own = embed(rows or [0])[:, : len(rows)]
    most = max(map(len, shares))
    sent = functional.pad(own.detach(), (0, 0, 0, most - len(rows))).contiguous()
    received = [torch.empty_like(sent) for _ in shares]
    distributed.all_gather(received, sent)
    parts = [part[:, : len(share)] for part, share in zip(received, shares, strict=True)]
    parts[find_rank()] = own
    places = np.argsort([row for share in shares for row in share])
    return torch.cat(parts, dim=1)[:, torch.from_numpy(places).to(own.device)]


def share_out(lengths: Sequence[int], ranks: int) -> list[list[int]]:
    """Deal rows out, the longest first, so that every rank has about as many and as long ones.

    >>> share_out([3, 9, 5, 7, 1], 2)
    [[1, 2, 4], [3, 0]]
    """
    order = sorted(range(len(lengths)), key=lambda row: -lengths[row])
    return [order[rank::ranks] for rank in range(ranks)]


def sum_gradients(model: nn.Module) -> None:
    """Add up each weight's gradient over the ranks, in place; all have the same afterwards."""
    if count_ranks() == 1:
        return
    gradients = [parameter.grad for parameter in model.parameters() if parameter.grad is not None]
    for bucket in _buckets(gradients):
        total = torch.cat([gradient.flatten() for gradient in bucket])
        distributed.all_reduce(total)
        parts = torch.split(total, [gradient.numel() for gradient in bucket])
        for gradient, part in zip(bucket, parts, strict=True):
            gradient.copy_(part.view_as(gradient))


@torch.no_grad()
def copy_from_first(tensors: Sequence[Tensor]) -> None:
    """Give all ranks what rank 0 has, in place."""
    if count_ranks() > 1:
        for tensor in tensors:
            distributed.broadcast(tensor, src=0)


def _buckets(gradients: Sequence[Tensor]) -> Iterator[list[Tensor]]:
    bucket: list[Tensor] = []
    for gradient in gradients:
        if bucket and sum(known.numel() for known in bucket) + gradient.numel() > BUCKET:
            yield bucket
            bucket = []
        bucket.append(gradient)
    if bucket:
        yield bucket


def _is_grouped() -> bool:
    return distributed.is_available() and distributed.is_initialized()
