"""Rounds of training: the tuned model mines anew, as long as that gains."""

import logging
from typing import NamedTuple

from flows.dataset import Dataset
from flows.settings import RetrainConfig
from tasks.contracts import Checkpoint, Scores
from tasks.core.selection import Comparison, beats
from tasks.evaluate import evaluate_last
from tasks.mine import mine
from tasks.report import pick
from tasks.retrieve import retrieve
from tasks.train import train

logger = logging.getLogger(__name__)


class Round(NamedTuple):
    """What one round of mining and training gave."""

    dataset: Dataset
    checkpoint: Checkpoint


def train_in_rounds(
    base: Checkpoint,
    dataset: Dataset,
    settings: RetrainConfig,
) -> Round:
    """Train the base; then mine with what came of it and train the base again, while that gains.

    What confuses the untuned model no longer confuses the tuned one, whose own negatives are
    harder (ANCE, arXiv:2007.00808). A round counts if it is better on the dev questions beyond
    chance, at the last layer; the first that is not ends the rounds and is dropped.

    Args:
        base: The model every round starts from.
        dataset: Mined with the base.
        settings: How many rounds at most, and of every stage.
    """
    corpus, pairs = dataset.corpus, dataset.pairs
    last = Round(dataset, train(corpus, pairs, dataset.triplets, base, settings.train))
    for number in range(2, settings.rounds + 1):
        candidates = retrieve(corpus, pairs, last.checkpoint, settings.retrieve)
        triplets = mine(corpus, pairs, candidates, settings.mine, dataset.triplets)
        checkpoint = train(corpus, pairs, triplets, base, settings.train)
        before, after = (
            evaluate_last(model, corpus, pairs, settings.evaluate, "tuned", has_more_layers=True)
            for model in (last.checkpoint, checkpoint)
        )
        gain = measure_gain(before, after, seed=settings.evaluate.seed)
        told = f"{gain.difference:+.4f} nDCG@10 on dev ({gain.low:+.4f} to {gain.high:+.4f})"
        if not gain.is_beyond_chance:
            logger.info("round %d is no gain beyond chance: %s; round %d stays",
                        number, told, number - 1)  # fmt: skip
            break
        logger.info("round %d gains: %s", number, told)
        mined = dataset._replace(candidates=candidates, triplets=triplets)
        last = Round(mined, checkpoint)
    return last


def measure_gain(before: Scores, after: Scores, *, seed: int = 0) -> Comparison:
    """Return what `after` gains on the dev questions, people's where there are any."""
    (old,), (new,) = (pick(scores.read().to_pylist(), split="dev") for scores in (before, after))
    return beats(new["values"], old["values"], seed=seed)
