"""Every loss takes a tiny random BERT from random to better than random."""

from collections.abc import Callable
from functools import partial

import numpy as np
import pytest
import torch
from torch import Tensor

from tasks.core.distillation import kl_divergence, margin_mse
from tasks.core.encoder import Encoder
from tasks.core.losses import infonce, triplet
from tasks.core.pair_losses import contrastive, cosine
from tasks.core.training import Schedule, embed_batch, fit, make_optimizer

TOPICS, STEPS = 16, 60
LOSSES: dict[str, Callable[..., Tensor]] = {
    "infonce": infonce,
    "infonce symmetric": partial(infonce, symmetric=True),
    "triplet": triplet,
    "contrastive": contrastive,
    "cosine": cosine,
    "margin_mse": margin_mse,
    "kl_divergence": kl_divergence,
}


class Topics:
    """Questions and passages that share no word; which belongs to which must be learnt."""

    def __init__(self, words: tuple[str, ...]) -> None:
        self._asked, self._told = words[40 : 40 + TOPICS], words[60 : 60 + TOPICS]
        self._filler = words[:30]

    def draw(self, seed: int) -> tuple[list[str], list[str]]:
        """Draw a question and a passage for each topic, with other words around."""
        random = np.random.default_rng(seed)

        def around(word: str) -> str:
            return " ".join([word, *random.choice(self._filler, 3), word])

        return [around(word) for word in self._asked], [around(word) for word in self._told]


def accuracy(encoder: Encoder, topics: Topics) -> float:
    """Return the share of questions, worded as never before, that find their passage first."""
    found = []
    for seed in range(1000, 1004):
        questions, passages = topics.draw(seed)
        asked = encoder.encode(questions, "query", [encoder.layers])[:, 0]
        told = encoder.encode(passages, "document", [encoder.layers])[:, 0]
        found.append((asked @ told.T).argmax(axis=1) == np.arange(TOPICS))
    return float(np.mean(found))


def learn(
    encoder: Encoder, topics: Topics, loss_of: Callable[[int], Callable[..., Tensor]]
) -> None:
    """Train on questions and passages of all topics, worded anew in every step."""
    relations = 2 * torch.eye(TOPICS, dtype=torch.int8) - 1
    embed = partial(embed_batch, encoder, layers=[2], tokens_per_pass=10_000)

    def loss_at(step: int) -> Tensor:
        questions, passages = topics.draw(step)
        asked, told = embed(texts=questions, kind="query"), embed(texts=passages, kind="document")
        return loss_of(step)(asked[0], told[0], relations)

    optimizer, schedule = make_optimizer(encoder.model, 0.01), Schedule(STEPS, 5e-3, 0.1)
    for _ in fit(
        encoder, optimizer, schedule, loss_at, precision="float32", max_gradient_norm=1.0, seed=0
    ):
        pass


@pytest.mark.parametrize("name", LOSSES)
def test_a_loss_teaches_what_belongs_together(
    name: str, make_encoder: Callable[..., Encoder], words: tuple[str, ...]
) -> None:
    encoder, topics, loss = make_encoder(layers=2), Topics(words), LOSSES[name]
    if name in {"margin_mse", "kl_divergence"}:
        scores = torch.eye(TOPICS) * 0.8 + 0.1 * torch.rand(TOPICS, TOPICS)
        scores[0, 5] = torch.nan
        loss = partial(loss, teacher_scores=scores)
    before = accuracy(encoder, topics)
    learn(encoder, topics, lambda step: loss)
    assert before < 3 / TOPICS
    assert accuracy(encoder, topics) > before + 0.25


def test_the_hardest_negatives_teach_a_model_that_ranks_a_little(
    make_encoder: Callable[..., Encoder], words: tuple[str, ...]
) -> None:
    encoder, topics, reached = make_encoder(layers=2), Topics(words), []

    def loss_of(step: int) -> Callable[..., Tensor]:
        if step == STEPS // 3:
            reached.append(accuracy(encoder, topics))
        return partial(triplet, negatives="all" if step < STEPS // 3 else "hardest")

    learn(encoder, topics, loss_of)
    assert accuracy(encoder, topics) > reached[0] + 0.25
