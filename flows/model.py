"""build_model: from triplets to a registered, truncated model."""

from typing import Any, NamedTuple

from prefect import flow

from flows.dataset import Dataset
from flows.rounds import train_in_rounds
from tasks.contracts import Checkpoint, Registration, Scores
from tasks.evaluate import EvaluateConfig, evaluate, evaluate_last
from tasks.mine import MineConfig
from tasks.register import RegisterConfig, register
from tasks.registry import CHAMPION, Registry
from tasks.retrieve import RetrieveConfig
from tasks.train import TrainConfig
from tasks.truncate import TruncateConfig, truncate


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
    rounds: int,
    retrieving: RetrieveConfig,
    mining: MineConfig,
    training: TrainConfig,
    evaluating: EvaluateConfig,
    truncating: TruncateConfig,
    registering: RegisterConfig,
    settings: dict[str, Any],
) -> Model:
    """Train, in rounds if wanted, evaluate, truncate, register."""
    dataset, checkpoint = train_in_rounds(
        base, dataset, rounds, retrieving, mining, training, evaluating
    )
    corpus, pairs, _, triplets = dataset
    scores = evaluate(checkpoint, base, corpus, pairs, evaluating)
    cut = truncate(checkpoint, scores, truncating)
    registry = Registry(cut.root, registering.name)
    rival = registry.find_opponent(cut.fingerprint)
    opponent, rival_version = None, ""
    if rival is not None:
        pulled = registry.pull(rival)
        opponent = evaluate_last(pulled.checkpoint, corpus, pairs, evaluating)
        rival_version = pulled.version
    nouns = {"base": base, "corpus": corpus, "pairs": pairs, "triplets": triplets,
             "trained": checkpoint, "scores": scores}  # fmt: skip
    lineage = {name: noun.fingerprint for name, noun in nouns.items()} | {"settings": settings}
    inputs = (cut, checkpoint, base, corpus, scores, opponent, rival_version, registry.uri,
              lineage, registering)  # fmt: skip
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
