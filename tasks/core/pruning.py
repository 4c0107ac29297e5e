"""Which layers of a model matter least: what is left without them embeds most alike."""

from collections.abc import Sequence

import torch
from torch import Tensor
from torch.nn.functional import kl_div, log_softmax

from .encoder import Encoder, batches_by_length
from .layers import evaluating, find_layers, only_layers

TEMPERATURE = 0.05  # as in training: which passages a query tells apart counts, not the far ones
TOKENS_AT_ONCE = 4096


def choose_layers(
    encoder: Encoder,
    queries: Sequence[Sequence[int]],
    passages: Sequence[Sequence[int]],
    depth: int,
) -> tuple[int, ...]:
    """Choose the layers that a model of `depth` layers starts from.

    Layers are left out one by one, each time the one whose absence changes least how queries rank
    passages. The first stays, since architectures build it unlike the others, and the last, since
    it is what makes a sentence's embedding of its tokens: the middle is where most is to spare
    (arXiv:2403.03853, arXiv:2403.17887). A model of one layer keeps the last alone, or the first
    if its architecture builds that one unlike the others.

    Args:
        encoder: The whole model.
        queries: Tokens of some queries.
        passages: Tokens of some passages.
        depth: Layers kept, 1 to `encoder.layers`.

    Returns:
        The layers kept, numbered from 0, ascending.

    Raises:
        ValueError: the model has fewer layers.
    """
    if not 1 <= depth <= encoder.layers:
        raise ValueError(f"A model of {encoder.layers} layers has no {depth} to keep.")
    whole = tuple(range(encoder.layers))
    if depth == 1:
        kinds = [list(map(type, layer.modules())) for layer in find_layers(encoder.model)]
        return (encoder.layers - 1,) if kinds[0] == kinds[-1] else (0,)
    expected = _rank(encoder, whole, queries, passages)
    kept = whole
    while len(kept) > depth:
        shorter = [tuple(k for k in kept if k != left_out) for left_out in kept[1:-1]]
        kept = min(
            shorter, key=lambda some: _differ(_rank(encoder, some, queries, passages), expected)
        )
    return kept


def _rank(
    encoder: Encoder,
    kept: Sequence[int],
    queries: Sequence[Sequence[int]],
    passages: Sequence[Sequence[int]],
) -> Tensor:
    """Return the log-probabilities of passages for each query, (queries, passages)."""
    with only_layers(encoder.model, kept), evaluating(encoder.model), torch.inference_mode():
        asked, found = (_embed(encoder, len(kept), texts) for texts in (queries, passages))
    return log_softmax(asked @ found.T / TEMPERATURE, dim=1)


def _embed(encoder: Encoder, layer: int, texts: Sequence[Sequence[int]]) -> Tensor:
    embeddings = torch.empty(len(texts), encoder.dimension, device=encoder.device)
    for rows in batches_by_length([len(tokens) for tokens in texts], TOKENS_AT_ONCE):
        embeddings[rows] = encoder.forward(encoder.pad([texts[row] for row in rows]), [layer])[0]
    return embeddings


def _differ(found: Tensor, expected: Tensor) -> float:
    return float(kl_div(found, expected, log_target=True, reduction="batchmean"))
