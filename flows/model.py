"""build_model: from triplets to a registered, truncated model."""

from pathlib import Path
from typing import Any, NamedTuple

from prefect import flow

from flows.announce import announce_move
from flows.dataset import Dataset
from flows.rounds import train_in_rounds
from flows.settings import RetrainConfig
from tasks.contracts import Checkpoint, Registration, Scores
from tasks.endpoint import check_endpoint, identify_endpoint
from tasks.evaluate import evaluate, evaluate_last
from tasks.general import list_general
from tasks.heal import heal, resolve_depths, settle
from tasks.model_layout import count_layers
from tasks.register import register
from tasks.registry import CHAMPION, Registry
from tasks.runners import close_nodes
from tasks.sources import Listing
from tasks.train import train
from tasks.truncate import truncate


class Model(NamedTuple):
    """What came of the training, up to the registry's word."""

    dataset: Dataset
    """What it was trained on: in the last round that gained."""
    checkpoint: Checkpoint
    healed: list[Checkpoint]
    """Models of fewer layers made of the checkpoint."""
    scores: Scores
    cut: Checkpoint
    opponent: Scores | None
    registration: Registration
    champion: str
    """The version that is champion now; empty if none is."""


class Made(NamedTuple):
    """What is made before the registry is asked."""

    dataset: Dataset
    """What it was trained on: in the last round that gained."""
    checkpoint: Checkpoint
    healed: list[Checkpoint]
    """Models of fewer layers made of the checkpoint."""
    scores: Scores
    cut: Checkpoint

    @property
    def source(self) -> Checkpoint:
        """What was cut: the checkpoint, or one that was healed at that depth."""
        models = {one.fingerprint: one for one in [self.checkpoint, *self.healed]}
        return models[self.cut.facts["source"]]


def make_model(base: Checkpoint, dataset: Dataset, settings: RetrainConfig) -> Made:
    """Train, in rounds if wanted, heal, evaluate, truncate; within a flow."""
    general = look_outside(settings, base.root)
    depths = resolve_depths(settings.heal.depths, count_layers(base.path))
    close_nodes()  # their processes keep a model in the memory of the GPU that may train this one
    dataset, checkpoint = train_in_rounds(base, dataset, settings)
    corpus, pairs = dataset.corpus, dataset.pairs
    healing = settle(settings.heal)
    healed = [heal(checkpoint, corpus, pairs, depth, healing) for depth in depths]
    if settings.heal.polishes:
        polishing = settings.train.for_healed()
        healed = [train(corpus, pairs, dataset.triplets, one, polishing) for one in healed]
    address = identify_endpoint(settings.evaluate.endpoint)
    scores = evaluate(checkpoint, base, corpus, pairs, settings.evaluate, general, healed, address)
    cut = truncate(checkpoint, scores, settings.truncate, healed)
    return Made(dataset, checkpoint, healed, scores, cut)


def look_outside(settings: RetrainConfig, root: Path) -> Listing | None:
    """See before the training that what is named for the scores is there; list the general set.

    Raises:
        BurnishError: the general set cannot be read, or the endpoint does not answer.
    """
    check_endpoint(settings.evaluate.endpoint, root)
    return list_general(
        settings.evaluate.general, settings.sources, root, max_file_bytes=settings.max_file_bytes
    )


def name_nouns(base: Checkpoint, made: Made) -> dict[str, str]:
    """Return the fingerprint of all that a version is made of, in the order it is made."""
    dataset = made.dataset
    nouns = {"base": base, "corpus": dataset.corpus, "pairs": dataset.pairs,
             "triplets": dataset.triplets, "trained": made.checkpoint, "healed": made.source,
             "scores": made.scores}  # fmt: skip
    return {name: noun.fingerprint for name, noun in nouns.items()}


@flow(name="model", flow_run_name="model", persist_result=False)
def build_model(
    base: Checkpoint,
    dataset: Dataset,
    settings: RetrainConfig,
    told: dict[str, Any],
) -> Model:
    """Train, in rounds if wanted, heal, evaluate, truncate, register.

    Args:
        base: The model to start from.
        dataset: What it is trained and judged on.
        settings: Of every stage.
        told: The settings as the registry is to show them.
    """
    made = make_model(base, dataset, settings)
    checkpoint, scores, cut = made.checkpoint, made.scores, made.cut
    corpus, pairs = made.dataset.corpus, made.dataset.pairs
    registry = Registry(cut.root, settings.registry.name)
    before, rival = registry.find_number(CHAMPION), registry.find_opponent(cut.fingerprint)
    opponent, rival_version = None, ""
    if rival is not None:
        pulled = registry.pull(rival)
        opponent = evaluate_last(pulled.checkpoint, corpus, pairs, settings.evaluate)
        rival_version = pulled.version
    lineage = {**name_nouns(base, made), "settings": told}
    inputs = (cut, checkpoint, made.source, base, corpus, scores, opponent, rival_version,
              registry.shown, lineage, settings.registry)  # fmt: skip
    registration = register(*inputs)
    known = registry.find_checkpoint(cut.fingerprint)
    if known is None or str(known.version) != registration.facts["version"]:
        # remembered from before, but gone from the registry since
        registration = register.with_options(refresh_cache=True)(*inputs)
    champion = registry.find_number(CHAMPION)
    if champion == registration.facts["version"]:
        announce_move(registry.name, before, champion, registration.facts["reason"])
    return Model(*made, opponent, registration, champion)
