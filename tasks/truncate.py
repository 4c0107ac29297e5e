"""truncate: keep the cheapest cut that is as good as the best, and really cut the rest."""

import logging
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, cast

from pydantic import Field

from .config import Config
from .contracts import SIGNATURE, BurnishError, Checkpoint, Scores
from .stage import stage

if TYPE_CHECKING:
    from .core.encoder import Encoder
    from .core.pooling import Pooling
    from .core.prices import Cell, Measure

logger = logging.getLogger(__name__)


class TruncateConfig(Config):
    """Which layer, pooling, and length of embeddings are kept, of all that were evaluated."""

    metric: Literal["ndcg@10", "recall@100", "mrr@10", "map@100"] = "ndcg@10"
    """What is compared, on the dev split."""
    tolerance: float = Field(default=0.05, ge=0, lt=1)
    """Largest loss accepted, as a fraction of the best's score; 0.05 is 5 %. The whole interval of
    the loss must lie within it (95 %; more where several poolings and lengths were evaluated), so
    the loss to expect is well below."""
    prefer: Literal["latency", "size", "index"] = "latency"
    """What is cheap, of all within tolerance: few operations a passage, few megabytes of weights,
    or short vectors. The other two decide between equals."""
    max_milliseconds: float | None = Field(default=None, gt=0)
    """Longest time to encode a passage of the corpus, as `evaluate` measured it on this machine;
    not given, any will do. A budget is kept at the price of the tolerance."""
    max_megabytes: float | None = Field(default=None, gt=0)
    """Largest model accepted: its weights, without the tokenizer; not given, any will do."""
    max_bytes_per_vector: int | None = Field(default=None, ge=4)
    """Largest vector accepted in an index, at 4 bytes a number; not given, any will do."""
    min_questions: int = Field(default=30, ge=1)
    """Fewest questions that prove a loss small: with fewer the best is kept, whatever it costs.
    People's decide from that many up, or where there are no more synthetic ones."""
    resamples: int = Field(default=10_000, ge=100)
    """Resampled means behind that interval."""
    seed: int = Field(default=0, ge=0)
    """Decides the resampling."""

    @property
    def budget(self) -> "dict[Measure, float]":
        """The limits that were given."""
        limits: dict[Measure, float | None] = {
            "milliseconds": self.max_milliseconds,
            "megabytes": self.max_megabytes,
            "bytes_per_vector": self.max_bytes_per_vector,
        }
        return {measure: most for measure, most in limits.items() if most is not None}


@stage
def truncate(
    checkpoint: Checkpoint,
    scores: Scores,
    config: TruncateConfig,
    healed: Sequence[Checkpoint] = (),
) -> Checkpoint:
    """Keep the cheapest layer, pooling, and length within tolerance of the best.

    The cut model is signed only after sentence-transformers, in a new process, has returned with
    it what the model that it was cut from returns there.

    Args:
        checkpoint: The tuned model.
        scores: Of its exits, and of the healed models.
        config: What is compared, and what it may cost.
        healed: Models of fewer layers made of it, which stand for it at their depths.

    Raises:
        BurnishError: the scores lack an exit, nothing keeps the budget, or the cut model gives
            other vectors.
    """
    from .choose import choose, describe_choice
    from .core.explanation import explain
    from .model_files import load_encoder, save_encoder

    whole = load_encoder(checkpoint.check().path)
    sources = {healthy.facts["layers"]: healthy for healthy in healed}
    exits = sorted({*checkpoint.facts.get("exits", [whole.layers]), *sources})
    choice = choose(exits, scores, whole, config)
    cell, reason = choice.chosen.cell, explain(choice, config.budget)
    source = sources.get(cell.layer, checkpoint)
    encoder = load_encoder(source.check().path)
    cut = cut_to(encoder, cell)
    facts: dict[str, Any] = {
        **describe_choice(choice),
        "source": source.fingerprint,
        "kept": source.facts.get("kept", list(range(1, cell.layer + 1))),
        "layers_before": whole.layers,
        "reason": reason,
        "tolerance": config.tolerance,
        "budget": config.budget,
        "milliseconds": scores.facts.get("milliseconds", {}),
        "parameters_before": whole.model.num_parameters(),
        "parameters": cut.model.num_parameters(),
        "bytes_before": _count_bytes(checkpoint.path),
    }

    def write(folder: Path) -> None:
        save_encoder(cut, folder)
        facts["bytes"] = _count_bytes(folder)
        facts["min_cosine"] = round(verify_cut(encoder, cell, folder), 6)

    truncated = Checkpoint.commit(checkpoint.root, write, facts)
    logger.info(
        "kept %d of %d layers, %s pooling, %d numbers, %.1f of %.1f million parameters; lowest "
        "cosine to what the model before the cut gives there %.6f. %s",
        *(cell.layer, whole.layers, cell.pooling, cell.dimension, facts["parameters"] / 1e6),
        *(facts["parameters_before"] / 1e6, facts["min_cosine"], reason),
    )
    return truncated


def cut_to(encoder: "Encoder", cell: "Cell") -> "Encoder":
    """Return a copy of the encoder that is cut as the cell says."""
    dimension = None if cell.dimension == encoder.dimension else cell.dimension
    return encoder.cut(cell.layer, pooling=cast("Pooling", cell.pooling), dimension=dimension)


def verify_cut(encoder: "Encoder", cell: "Cell", folder: Path) -> float:
    """Return how closely the model in `folder`, in a new process, gives `encoder`'s cell.

    What is expected is read off the whole model at that layer, so that a fault of the cutting
    itself is seen too.

    Raises:
        BurnishError: layers, pooling, prompts, or length are others, or the lowest cosine is below
            `verify.MIN_COSINE`.
    """
    from .stranger import load_in_new_process
    from .verify import MIN_COSINE, PROBES, describe_layout, distinct_kinds, lowest_cosine

    pooling = cast("Pooling", cell.pooling)
    whole = replace(encoder, pooling=pooling, shortened_to=cell.dimension)
    loaded = load_in_new_process(folder, PROBES, distinct_kinds(encoder))
    wanted = describe_layout(whole) | {
        "layers": cell.layer, "layers by its configuration": cell.layer,
    }  # fmt: skip
    faults = [
        f"{name}: {loaded.layout[name]!r}, not {value!r}"
        for name, value in wanted.items()
        if loaded.layout[name] != value
    ]
    lengths = {vectors.shape[1] for vectors in loaded.vectors.values()}
    if lengths != {cell.dimension}:
        faults.append(f"numbers of an embedding: {sorted(lengths)}, not {cell.dimension}")
    agreement = min(
        lowest_cosine(vectors, whole.encode(PROBES, kind, [cell.layer])[:, 0])
        for kind, vectors in loaded.vectors.items()
    )
    if agreement < MIN_COSINE:
        faults.append(f"the lowest cosine is {agreement:.5f}, below {MIN_COSINE}")
    if faults:
        raise BurnishError(
            f"The model cut to {cell.layer} layers, loaded in a new process, gives other vectors "
            f"than layer {cell.layer} of the whole model, pooled by {cell.pooling}, its first "
            f"{cell.dimension} numbers: {'; '.join(faults)}. Nothing was kept; report this with "
            "the versions of transformers and sentence-transformers."
        )
    return agreement


def _count_bytes(folder: Path) -> int:
    files = (file for file in folder.rglob("*") if file.is_file() and file.name != SIGNATURE)
    return sum(file.stat().st_size for file in files)
