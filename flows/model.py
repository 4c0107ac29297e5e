"""build_model: from triplets to a registered, truncated model."""

from typing import Any, NamedTuple

from prefect import flow

from flows.dataset import Dataset
from tasks.contracts import Checkpoint, Registration, Scores
from tasks.evaluate import EvaluateConfig, evaluate, evaluate_champion
from tasks.register import RegisterConfig, register
from tasks.registry import CHAMPION, Registry
from tasks.train import TrainConfig, train
from tasks.truncate import TruncateConfig, truncate


class Model(NamedTuple):
    """What came of the training, up to the registry's word."""

    checkpoint: Checkpoint
    scores: Scores
    cut: Checkpoint
    opponent: Scores | None
    registration: Registration


@flow(name="model", flow_run_name="model", persist_result=False)
def build_model(
    base: Checkpoint,
    dataset: Dataset,
    training: TrainConfig,
    evaluating: EvaluateConfig,
    truncating: TruncateConfig,
    registering: RegisterConfig,
    settings: dict[str, Any],
) -> Model:
    """Train, evaluate, truncate, register."""
    corpus, pairs, _, triplets = dataset
    checkpoint = train(corpus, pairs, triplets, base, training)
    scores = evaluate(checkpoint, base, corpus, pairs, evaluating)
    cut = truncate(checkpoint, scores, truncating)
    opponent = _score_champion(cut, dataset, evaluating, registering)
    nouns = {"base": base, "corpus": corpus, "pairs": pairs, "triplets": triplets,
             "trained": checkpoint, "scores": scores}  # fmt: skip
    lineage = {name: noun.fingerprint for name, noun in nouns.items()} | {"settings": settings}
    registration = register(cut, checkpoint, base, corpus, scores, opponent, lineage, registering)
    return Model(checkpoint, scores, cut, opponent, registration)


def _score_champion(
    cut: Checkpoint, dataset: Dataset, evaluating: EvaluateConfig, registering: RegisterConfig
) -> Scores | None:
    """Score today's champion on today's questions, unless the candidate is that champion."""
    registry = Registry(cut.root, registering.name)
    version = registry.find(CHAMPION)
    if version is None or version.tags.get("burnish.checkpoint") == cut.fingerprint:
        return None
    champion = registry.pull(version).checkpoint
    return evaluate_champion(champion, dataset.corpus, dataset.pairs, evaluating)
