"""truncate: keep the cheapest exit layer that is as good as the best, and really cut the rest."""

import logging
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from pydantic import Field

from .config import Config
from .contracts import SIGNATURE, BurnishError, Checkpoint, Scores
from .stage import stage

if TYPE_CHECKING:
    from .core.encoder import Encoder
    from .core.selection import Choice

logger = logging.getLogger(__name__)


class TruncateConfig(Config):
    """Which layer is kept."""

    metric: Literal["ndcg@10", "recall@100", "mrr@10", "map@100"] = "ndcg@10"
    """What layers are compared by, on the dev split."""
    tolerance: float = Field(default=0.05, ge=0, lt=1)
    """Largest loss accepted, as a fraction of the best exit's score; 0.05 is 5 %. The whole 95 %
    interval of the loss must lie within it, so the loss to expect is well below."""
    resamples: int = Field(default=10_000, ge=100)
    """Resampled means behind that interval."""
    seed: int = Field(default=0, ge=0)
    """Decides the resampling."""


@stage
def truncate(checkpoint: Checkpoint, scores: Scores, config: TruncateConfig) -> Checkpoint:
    """Cut `checkpoint` to the cheapest exit within tolerance of its best one.

    The cut model is signed only after sentence-transformers, in a new process, has returned with
    it what the whole model returns at that layer.

    Raises:
        BurnishError: the scores lack an exit, or the cut model gives other vectors.
    """
    from .model_files import load_encoder, save_encoder

    encoder = load_encoder(checkpoint.check().path)
    choice = choose(checkpoint, scores, encoder, config)
    cut = encoder.cut(choice.layer)
    facts: dict[str, Any] = {
        "layer": choice.layer,
        "layers_before": encoder.layers,
        "best_layer": choice.best_layer,
        "reason": choice.reason,
        "tolerance": config.tolerance,
        "parameters_before": encoder.model.num_parameters(),
        "parameters": cut.model.num_parameters(),
        "bytes_before": _count_bytes(checkpoint.path),
    }

    def write(folder: Path) -> None:
        save_encoder(cut, folder)
        facts["bytes"] = _count_bytes(folder)
        facts["min_cosine"] = round(verify_cut(encoder, choice.layer, folder), 6)

    truncated = Checkpoint.commit(checkpoint.root, write, facts)
    logger.info(
        "kept %d of %d layers, %.1f of %.1f million parameters; lowest cosine to the whole model's "
        "layer %.6f. %s",
        *(choice.layer, encoder.layers, facts["parameters"] / 1e6),
        *(facts["parameters_before"] / 1e6, facts["min_cosine"], choice.reason),
    )
    return truncated


def choose(
    checkpoint: Checkpoint, scores: Scores, encoder: "Encoder", config: TruncateConfig
) -> "Choice":
    """Choose among the checkpoint's exits by human queries where there are any, else synthetic."""
    from .core.selection import choose_layer

    exits = sorted(checkpoint.facts.get("exits", [encoder.layers]))
    rows = [row for row in _read_dev(scores, encoder, config.metric) if row["layer"] in exits]
    origins = {row["origin"] for row in rows}
    origin = "human" if "human" in origins else "synthetic"
    by_layer = {row["layer"]: row for row in rows if row["origin"] == origin}
    if missing := [layer for layer in exits if layer not in by_layer]:
        raise BurnishError(
            f"Scores {scores.fingerprint} has no {config.metric} of the tuned model's layers "
            f"{missing} on the dev split. Evaluate every exit of the checkpoint, {exits}, on a "
            "dev split with at least one query: give more documents or raise dev_fraction."
        )
    return choose_layer(
        {layer: row["values"] for layer, row in by_layer.items()},
        {layer: row["cost"] for layer, row in by_layer.items()},
        tolerance=config.tolerance,
        resamples=config.resamples,
        seed=config.seed,
    )


def verify_cut(encoder: "Encoder", layer: int, folder: Path) -> float:
    """Return how closely the model in `folder`, in a new process, gives `encoder`'s layer.

    Raises:
        BurnishError: the lowest cosine is below `verify.MIN_COSINE`.
    """
    from .verify import MIN_COSINE, PROBES, distinct_kinds, encode_in_new_process, lowest_cosine

    agreement = 1.0
    for kind in distinct_kinds(encoder):
        expected = encoder.encode(PROBES, kind, [layer])[:, 0]
        agreement = min(
            agreement, lowest_cosine(encode_in_new_process(folder, PROBES, kind), expected)
        )
    if agreement < MIN_COSINE:
        raise BurnishError(
            f"The model cut to {layer} layers, loaded in a new process, gives other vectors than "
            f"layer {layer} of the whole model: the lowest cosine is {agreement:.5f}, below "
            f"{MIN_COSINE}. Nothing was kept; report this with the versions of transformers and "
            "sentence-transformers."
        )
    return agreement


def _read_dev(scores: Scores, encoder: "Encoder", metric: str) -> list[dict[str, Any]]:
    wanted = {
        "system": "tuned",
        "split": "dev",
        "metric": metric,
        "pooling": encoder.pooling,
        "dimension": encoder.dimension,
    }
    rows: list[dict[str, Any]] = scores.read().to_pylist()
    return [row for row in rows if all(row[name] == value for name, value in wanted.items())]


def _count_bytes(folder: Path) -> int:
    files = (file for file in folder.rglob("*") if file.is_file() and file.name != SIGNATURE)
    return sum(file.stat().st_size for file in files)
