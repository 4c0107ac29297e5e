"""register: publish the cut model, prove it from the registry, move the alias last, if at all."""

import json
import logging
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from pydantic import Field

from .aliases import (
    PASSED_TAG,
    VERDICT_TAG,
    WITHDRAWN_TAG,
    crown,
    read_aliases,
    require_proven,
)
from .cells import find_cell
from .config import Config
from .contracts import Checkpoint, Corpus, Registration, Scores
from .registry import CANDIDATE, OPPONENT_TAG, Registry
from .stage import stage
from .tables import read_passages

if TYPE_CHECKING:
    from mlflow.entities.model_registry import ModelVersion

    from .gate import Verdict
    from .model_card import Card
    from .speed import Speed

logger = logging.getLogger(__name__)

SPEED_PASSAGES = 48  # enough that a pass takes a second or so on a small machine


class RegisterConfig(Config):
    """How the model is published."""

    name: str = Field(default="burnish", pattern=r"^[^/:@'`\"]+$", max_length=200)
    """Name of the registered model, and of its experiment."""
    metric: Literal["ndcg@10", "recall@100", "mrr@10", "map@100"] = "ndcg@10"
    """Metric the gate compares, on the test questions."""
    confidence: float = Field(default=0.95, gt=0.5, lt=1)
    """Confidence of the gate's intervals."""
    max_megabytes: float | None = Field(default=None, gt=0)
    """A larger model does not become champion; not given, any size does."""
    min_speedup: float | None = Field(default=None, gt=0)
    """A model that encodes less than this many times as fast as the base does not become champion;
    not given, any speed does."""
    max_forgotten: float | None = Field(default=0.2, ge=0, lt=1)
    """Largest loss on the general set accepted of a champion, as a fraction of the base's nDCG@10;
    the whole interval of the loss must lie within it, of which a few hundred questions leave some
    0.05 to chance. None accepts any."""
    seed: int = Field(default=0, ge=0)
    """Decides the bootstrap."""


@stage
def register(
    cut: Checkpoint,
    whole: Checkpoint,
    source: Checkpoint,
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
        whole: The tuned model.
        source: What was cut: the tuned model, or one that was healed at that depth.
        base: The model it was made from; the speed of both is compared.
        corpus: Where the passages for that come from.
        scores: Of the tuned model at every layer, the base, and BM25.
        opponent: Of the champion on the same questions; None where there is none.
        opponent_version: The champion's version; empty where there is none.
        address: Of the registry, as it may be shown; another one knows nothing of its versions.
        lineage: Fingerprints and settings of all that went in; becomes tags and parameters.
        config: Name of the model and settings of the gate.

    Raises:
        BurnishError: the registry does not answer, or gives back another model than was logged.
    """
    from .embed import hand_down
    from .model_card import write_card
    from .provenance import describe_code, describe_environment
    from .publish import prove, publish

    texts = read_passages(corpus).texts
    registry = Registry(cut.root, config.name)
    assert registry.shown == address
    speed, verdict = _weigh(cut, base, texts, scores, opponent, config)
    rows = scores.read().to_pylist()
    shown = rows + (opponent.read().to_pylist() if opponent else [])
    origin = lineage | describe_code() | {"environment": describe_environment()}
    card = write_card(config.name, cut, whole, base, corpus, shown, verdict, speed, origin)
    measures = {f"passages_per_second_{name}": rate for name, rate in speed._asdict().items()}
    measures |= {name: cut.facts[name] for name in ("layer", "bytes")}
    measures["dimension"] = find_cell(cut, cut.facts["layer"]).dimension
    version = publish(registry, cut, rows, measures, origin, card)
    proof = prove(registry, version, cut)
    hand_down(cut.root, source, cut.facts["layer"], proof.checkpoint, texts, "document")
    verdict = _point(registry, version, verdict, opponent_version, card)
    content = {"model": config.name, "checkpoint": cut.fingerprint, "lineage": lineage,
               "moved": verdict.is_champion, "reason": verdict.reason}  # fmt: skip
    facts = {
        "name": config.name,
        "version": str(version.version),
        "run_id": version.run_id,
        "uri": registry.shown if registry.shown.startswith("sqlite:") else "",
        "champion_moved": verdict.is_champion,
        "reason": verdict.reason,
        "comparisons": verdict.comparisons,
        "checks": [check._asdict() for check in verdict.checks],
        "opponent": opponent_version,
        "cosine_from_registry": proof.cosine,
        "speed": speed._asdict(),
    }
    logger.info("version %s of %s: %s", version.version, config.name, verdict.reason)
    return Registration.commit(
        cut.root, lambda folder: _write(folder / "registration.json", content), facts
    )


def _weigh(
    cut: Checkpoint,
    base: Checkpoint,
    texts: list[str],
    scores: Scores,
    opponent: Scores | None,
    config: RegisterConfig,
) -> "tuple[Speed, Verdict]":
    """Measure the model's speed beside the base's, and ask the gate."""
    from .forgetting import keep_knowledge
    from .gate import judge, keep_budget
    from .speed import compare_speed

    speed = compare_speed(base, cut, texts[:: max(1, len(texts) // SPEED_PASSAGES)])
    layer, pooling, dimension = find_cell(cut, cut.facts["layer"])
    verdict = judge(
        scores, opponent, layer, config.metric, config.confidence, config.seed,
        pooling=pooling, dimension=dimension,
    )  # fmt: skip
    verdict = keep_knowledge(
        verdict, scores, cut.facts,
        max_forgotten=config.max_forgotten, confidence=config.confidence, seed=config.seed,
    )  # fmt: skip
    megabytes = cut.facts["bytes"] / 1e6
    limits = {"max_megabytes": config.max_megabytes, "min_speedup": config.min_speedup}
    return speed, keep_budget(verdict, megabytes, speed.ratio, **limits)


def _point(
    registry: Registry,
    version: "ModelVersion",
    verdict: "Verdict",
    opponent_version: str,
    card: "Card",
) -> "Verdict":
    """Write the verdict on the version, then move the aliases, `champion` last."""
    client, name, number = registry.client, registry.name, str(version.version)
    with registry.locked():  # what is read here holds until the last alias is moved
        version = client.get_model_version(name, number)
        aliases = read_aliases(registry)
        reason = ""
        if aliases.champion not in {"", opponent_version, number}:
            reason = f"version {aliases.champion} became champion meanwhile; run again to compare."
        elif WITHDRAWN_TAG in version.tags and aliases.champion != number:
            reason = (f"version {number} was rolled back from on {version.tags[WITHDRAWN_TAG]}; "
                      f"`burnish promote {number}` brings it back.")  # fmt: skip
        if reason:
            verdict = verdict.note("free to move", False, reason)._replace(
                is_champion=False, reason=f"Not the champion: {reason}")  # fmt: skip
        tags = {OPPONENT_TAG: opponent_version, VERDICT_TAG: verdict.reason,
                PASSED_TAG: str(verdict.is_champion).lower()}  # fmt: skip
        for tag, value in tags.items():
            client.set_model_version_tag(name, number, tag, value)
        client.update_model_version(name, number, description=card.summarize(verdict.reason))
        require_proven(registry, version)
        if int(aliases.candidate or 0) < int(number):
            client.set_registered_model_alias(name, CANDIDATE, number)
        if verdict.is_champion:
            crown(registry, version)
    return verdict


def _write(file: Path, content: dict[str, Any]) -> None:
    file.write_text(json.dumps(content, indent=2, sort_keys=True))
