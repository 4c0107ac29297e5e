"""build_model: from triplets to a registered, truncated model."""

from typing import Any, NamedTuple

from prefect import flow

from flows.dataset import Dataset
from flows.rounds import train_in_rounds
from flows.settings import RetrainConfig
from tasks.contracts import Checkpoint, Registration, Scores
from tasks.evaluate import evaluate, evaluate_last
from tasks.register import register
from tasks.registry import CHAMPION, Registry
from tasks.truncate import truncate


class Model(NamedTuple):
    """What came of the training, up to the registry's word."""

    dataset: Dataset
    """What it was trained on: in the last round that gained."""
    checkpoint: Checkpoint
    scores: Scores
    cut: Checkpoint
    opponent: Scores | None
    registration: Registration
    champion: str
    """The version that is champion now; empty if none is."""


@flow(name="model", flow_run_name="model", persist_result=False)
def build_model(
    base: Checkpoint,
    dataset: Dataset,
    settings: RetrainConfig,
    told: dict[str, Any],
) -> Model:
    """Train, in rounds if wanted, evaluate, truncate, register.

    Args:
        base: The model to start from.
        dataset: What it is trained and judged on.
        settings: Of every stage.
        told: The settings as the registry is to show them.
    """
    dataset, checkpoint = train_in_rounds(base, dataset, settings)
    corpus, pairs, _, triplets = dataset
    scores = evaluate(checkpoint, base, corpus, pairs, settings.evaluate)
    cut = truncate(checkpoint, scores, settings.truncate)
    registry = Registry(cut.root, settings.registry.name)
    rival = registry.find_opponent(cut.fingerprint)
    opponent, rival_version = None, ""
    if rival is not None:
        pulled = registry.pull(rival)
        opponent = evaluate_last(pulled.checkpoint, corpus, pairs, settings.evaluate)
        rival_version = pulled.version
    nouns = {"base": base, "corpus": corpus, "pairs": pairs, "triplets": triplets,
             "trained": checkpoint, "scores": scores}  # fmt: skip
    lineage = {name: noun.fingerprint for name, noun in nouns.items()} | {"settings": told}
    inputs = (cut, checkpoint, base, corpus, scores, opponent, rival_version, registry.uri,
              lineage, settings.registry)  # fmt: skip
    registration = register(*inputs)
    known = registry.find_checkpoint(cut.fingerprint)
    if known is None or str(known.version) != registration.facts["version"]:
        # remembered from before, but gone from the registry since
        registration = register.with_options(refresh_cache=True)(*inputs)
    champion = registry.find(CHAMPION)
    return Model(
        dataset,
        checkpoint,
        scores,
        cut,
        opponent,
        registration,
        str(champion.version) if champion else "",
    )
