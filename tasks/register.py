"""register: publish the cut model, prove it from the registry, move the alias last, if at all."""

import json
import logging
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from pydantic import Field

from .config import Config
from .contracts import BurnishError, Checkpoint, Corpus, Registration, Scores
from .registry import (
    CANDIDATE,
    CHAMPION,
    CHECKPOINT_TAG,
    OPPONENT_TAG,
    Registry,
    describe,
)
from .stage import stage
from .tables import read_passages

if TYPE_CHECKING:
    from mlflow.entities.model_registry import ModelVersion

    from .gate import Verdict

logger = logging.getLogger(__name__)

SPEED_PASSAGES = 48  # enough that a pass takes a second or so on a small machine


class RegisterConfig(Config):
    """How the model is published."""

    name: str = Field(default="burnish", pattern=r"^[^/:@'`\"]+$", max_length=200)
    """Name of the registered model, and of its experiment."""
    metric: Literal["ndcg@10", "recall@100", "mrr@10"] = "ndcg@10"
    """Metric the gate compares, on the test questions."""
    confidence: float = Field(default=0.95, gt=0.5, lt=1)
    """Confidence of the gate's intervals."""
    seed: int = Field(default=0, ge=0)
    """Decides the bootstrap."""


@stage
def register(
    cut: Checkpoint,
    whole: Checkpoint,
    base: Checkpoint,
    corpus: Corpus,
    scores: Scores,
    opponent: Scores | None,
    opponent_version: str,
    address: str,
    lineage: dict[str, Any],
    config: RegisterConfig,
) -> Registration:
    """Publish `cut`; `champion` moves only if it beats base and champion beyond chance.

    The order is what makes it safe to be killed at any moment: log and upload, register the
    version, load it from the registry in a new process and compare, then `candidate`, and
    `champion` last. A version that exists for this checkpoint is used again.

    Args:
        cut: The truncated model.
        whole: The model before the cut.
        base: The model it was made from; the speed of both is compared.
        corpus: Where the passages for that come from.
        scores: Of the tuned model at every layer, the base, and BM25.
        opponent: Of the champion on the same questions; None where there is none.
        opponent_version: The champion's version; empty where there is none.
        address: Of the registry; another registry knows nothing of this one's versions.
        lineage: Fingerprints and settings of all that went in; becomes tags and parameters.
        config: Name of the model and settings of the gate.

    Raises:
        BurnishError: the registry does not answer, or gives back another model than was logged.
    """
    from .embed import hand_down
    from .gate import judge
    from .speed import compare_speed

    texts = read_passages(corpus).texts
    registry = Registry(cut.root, config.name)
    assert registry.uri == address
    version = registry.find_checkpoint(cut.fingerprint)
    if version is None:
        registry.end_stale_runs(cut.fingerprint)
        version = _publish(registry, cut, scores, lineage)
    published, agreement = _prove(registry, version, cut)
    speed = compare_speed(base, cut, texts[:: max(1, len(texts) // SPEED_PASSAGES)])
    for name, rate in speed._asdict().items():
        registry.client.log_metric(version.run_id, f"passages_per_second_{name}", rate)
    hand_down(cut.root, whole, cut.facts["layer"], published, texts, "document")
    verdict = judge(
        scores, opponent, cut.facts["layer"], config.metric, config.confidence, config.seed
    )
    verdict = _point(registry, version, verdict, opponent_version)
    content = {"model": config.name, "checkpoint": cut.fingerprint, "lineage": lineage,
               "moved": verdict.is_champion, "reason": verdict.reason}  # fmt: skip
    facts = {
        "name": config.name,
        "version": str(version.version),
        "run_id": version.run_id,
        "uri": registry.uri if registry.uri.startswith("sqlite:") else "",
        "champion_moved": verdict.is_champion,
        "reason": verdict.reason,
        "comparisons": verdict.comparisons,
        "cosine_from_registry": agreement,
        "speed": speed._asdict(),
    }
    logger.info("version %s of %s: %s", version.version, config.name, verdict.reason)
    return Registration.commit(
        cut.root,
        lambda folder: _write(folder / "registration.json", content),
        facts,
    )


def _publish(
    registry: Registry, cut: Checkpoint, scores: Scores, lineage: dict[str, Any]
) -> "ModelVersion":
    """Log scores, pictures, and the model in one run; register the version last."""
    import mlflow

    from .report import draw_layers, tabulate

    rows = scores.read().to_pylist()
    run_name = f"{registry.name}-{cut.fingerprint[:8]}"
    tags = {CHECKPOINT_TAG: cut.fingerprint, **_tags(lineage)}
    with mlflow.start_run(
        experiment_id=registry.experiment_id, run_name=run_name, tags=tags, log_system_metrics=False
    ) as run:
        settings = lineage.get("settings", {})
        mlflow.log_params({name: describe(value) for name, value in settings.items()})
        for row in rows:
            name = f"{row['split']}_{row['origin']}_{row['system']}_{row['metric']}"
            mlflow.log_metric(name.replace("@", "_at_"), row["value"], step=row["layer"])
        mlflow.log_metrics({"layer": cut.facts["layer"], "bytes": cut.facts["bytes"]})
        mlflow.log_table(tabulate(rows), "layers.json")
        mlflow.log_figure(draw_layers(rows, cut.facts["layer"]), "layers.png")
        mlflow.log_dict(lineage, "lineage.json")
        uri = _log_model(cut, lineage)
    try:
        registry.client.create_registered_model(registry.name)
    except mlflow.MlflowException as error:
        if error.error_code != "RESOURCE_ALREADY_EXISTS":
            raise
    return mlflow.register_model(uri, registry.name, tags={**tags, "run": run.info.run_id})


def _log_model(cut: Checkpoint, lineage: dict[str, Any]) -> str:
    """Log the checkpoint in MLflow's sentence-transformers flavour; return the model's address."""
    from importlib.metadata import version

    import mlflow.sentence_transformers
    from mlflow.models import Model
    from sentence_transformers import SentenceTransformer

    model = SentenceTransformer(str(cut.path), device="cpu")
    packages = ("sentence-transformers", "transformers", "torch")
    info = Model.log(
        artifact_path=None,
        name="model",
        flavor=mlflow.sentence_transformers,
        model=model,
        task="llm/v1/embeddings",  # log_model() would drop it
        # named, because finding them out would import everything again in a new process
        pip_requirements=[f"{name}=={version(name).split('+')[0]}" for name in packages],
        metadata={CHECKPOINT_TAG: cut.fingerprint, **_tags(lineage)},
    )
    return str(info.model_uri)


def _prove(
    registry: Registry, version: "ModelVersion", cut: Checkpoint
) -> tuple[Checkpoint, float]:
    """Load the version from the registry in a new process; return it and its cosine with `cut`."""
    from .model_files import load_encoder
    from .verify import MIN_COSINE, PROBES, distinct_kinds, encode_in_new_process, lowest_cosine

    encoder = load_encoder(cut.path)
    pulled = registry.pull(version)
    agreement = min(
        lowest_cosine(
            encode_in_new_process(pulled.checkpoint.path, PROBES, kind),
            encoder.encode(PROBES, kind, [encoder.layers])[:, 0],
        )
        for kind in distinct_kinds(encoder)
    )
    if agreement < MIN_COSINE:
        raise BurnishError(
            f"Version {version.version} of {registry.name} gives other vectors than the model that "
            f"was logged (lowest cosine {agreement:.5f}). No alias was moved; delete the version "
            "and run again."
        )
    return pulled.checkpoint, round(agreement, 6)


def _point(
    registry: Registry, version: "ModelVersion", verdict: "Verdict", opponent_version: str
) -> "Verdict":
    """Write the verdict on the version, then move the aliases, `champion` last."""
    client, number = registry.client, str(version.version)
    champion = registry.find(CHAMPION)
    if champion is not None and str(champion.version) not in {opponent_version, number}:
        reason = f"version {champion.version} became champion meanwhile; run again to compare."
        verdict = verdict._replace(is_champion=False, reason=f"Not the champion: {reason}")
    client.set_model_version_tag(registry.name, number, OPPONENT_TAG, opponent_version)
    client.update_model_version(registry.name, number, description=verdict.reason)
    candidate = registry.find(CANDIDATE)
    if candidate is None or int(candidate.version) < int(number):
        client.set_registered_model_alias(registry.name, CANDIDATE, number)
    if verdict.is_champion and (champion is None or str(champion.version) != number):
        client.set_registered_model_alias(registry.name, CHAMPION, number)
    return verdict


def _tags(lineage: dict[str, Any]) -> dict[str, str]:
    return {f"burnish.{name}": value for name, value in lineage.items() if isinstance(value, str)}


def _write(file: Path, content: dict[str, Any]) -> None:
    file.write_text(json.dumps(content, indent=2, sort_keys=True))
