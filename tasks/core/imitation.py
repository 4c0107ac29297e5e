"""Imitation: a model that lacks layers learns, token by token, what the whole model hands on."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from .encoder import Encoder, batches_by_length
from .layers import evaluating, read_layers


class Imitation(NamedTuple):
    """What a student made of some texts.

    Attributes:
        embeddings: (texts, h), with gradient.
        distance: How far its tokens are from the teacher's: the mean of 1 - cosine, a scalar.
    """

    embeddings: Tensor
    distance: Tensor


def hand_on(kept: Sequence[int], layers: int) -> tuple[int, ...]:
    """Return what each layer of a student should hand on: the layer of the whole model after it.

    A kept layer finds its place again if it is given what it was given in the whole model, so the
    one before it must do the work of all that were left out in between.

    Args:
        kept: Layers of the whole model that the student has, numbered from 0.
        layers: Layers of the whole model.

    >>> hand_on((0, 4, 5), 6)
    (4, 5, 6)
    """
    return (*kept[1:], layers)


def imitate(
    student: Encoder,
    teacher: Encoder,
    ids: Sequence[Sequence[int]],
    wanted: Sequence[int],
    *,
    tokens_per_pass: int,
) -> Imitation:
    """Embed texts with a student, and compare its tokens with a teacher's after every layer.

    One text gives one embedding to learn, but as many vectors as it has tokens, at each layer: so
    layers that were put side by side are mended with few texts (arXiv:1909.10351).

    Args:
        student: Learns.
        teacher: The whole model; no gradient reaches it.
        ids: Tokens of each text.
        wanted: For each layer of the student the teacher's layer it imitates; see `hand_on`.
        tokens_per_pass: Tokens that go through the models at once, padding included.
    """
    lengths = [len(tokens) for tokens in ids]
    parts, distances, order = [], [], []
    for rows in batches_by_length(lengths, tokens_per_pass):
        batch = student.pad([ids[row] for row in rows])
        with evaluating(teacher.model), torch.no_grad():
            after = _read_tokens(teacher, batch, wanted)
        own = _read_tokens(student, batch, range(1, student.layers + 1))
        is_token = batch["attention_mask"].bool()
        cosines = torch.stack(
            [
                torch.cosine_similarity(found[is_token].float(), handed[is_token].float(), dim=1)
                for found, handed in zip(own, after, strict=True)
            ]
        )
        distances.append((1 - cosines).sum())
        parts.append(student.embed(own[-1], batch))
        order += rows
    places = torch.tensor(np.argsort(order), device=student.device)
    count = sum(lengths) * len(wanted)
    return Imitation(torch.cat(parts)[places], torch.stack(distances).sum() / count)


def _read_tokens(encoder: Encoder, batch: dict[str, Tensor], layers: Sequence[int]) -> list[Tensor]:
    """Return the tokens' vectors after each of some layers, (texts, tokens, h)."""
    found: dict[int, Tensor] = {}
    inputs = {name: tensor for name, tensor in batch.items() if name != "pooled_mask"}
    read_layers(encoder.model, inputs, layers, found.__setitem__)
    return [found[layer] for layer in layers]
