"""heal: leave layers out of the tuned model, and teach what remains to embed as the whole does."""

import logging
import shutil
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from pydantic import Field

from .config import Config
from .contracts import BurnishError, Checkpoint, Corpus, Pairs, fingerprint
from .core.precision import Precision
from .stage import fingerprint_code, stage

if TYPE_CHECKING:
    import numpy as np
    import torch

    from .core.encoder import Encoder
    from .lessons import Lessons

logger = logging.getLogger(__name__)

# By default on a CPU and on a GPU.
EPOCHS = (0.25, 4.0)
# Texts whose ranking decides which layers are left out, and tokens read of each.
PROBED_QUERIES, PROBED_PASSAGES, PROBED_TOKENS = 64, 96, 48


class HealConfig(Config):
    """How models of fewer layers are made of the tuned one."""

    depths: tuple[int, ...] | None = None
    """Layers that smaller models have, such as 3,4; by default half of the base's. [] makes none:
    then only `train.exits` and the last layer can be kept."""
    epochs: float | None = Field(default=None, ge=0, le=100)
    """Times every text is seen by a model that lost half of the layers; one that lost fewer sees
    them less, in proportion. By default 4 on a GPU, and on a CPU the quarter that takes minutes;
    more brings small models nearer to the tuned one. 0 leaves layers out without teaching."""
    polishes: bool = True
    """Whether a healed model is then trained on the pairs as the tuned one was (`train`, without
    `train.exits` and with a `train.blend` of 1), which brings it nearer for a fraction of the
    time."""
    max_passages: int = Field(default=50_000, ge=1)
    """Most passages that are learnt from, drawn from those that may be trained on."""
    sentences_per_passage: int = Field(default=3, ge=0)
    """Sentences of each passage that are learnt beside it: as short as queries are."""
    queries_per_passage: int = Field(default=8, ge=0)
    """Most training queries of each passage that are learnt beside it."""
    learning_rate: float = Field(default=2e-4, gt=0, le=1e-2)
    """Highest learning rate (AdamW, linear warm-up and decay)."""
    passages_per_batch: int = Field(default=16, ge=1)
    """Passages per step, each with its sentences and queries."""
    texts_per_pass: int | None = Field(default=None, ge=1)
    """Texts that go through the model at once, so that a step fits into memory; every pass is then
    done twice (gradient caching, arXiv:2101.06983). By default all."""
    neighbours: int = Field(default=4, ge=1)
    """Passages that the tuned model finds alike and that are learnt in one step; 1 makes steps
    random."""
    similarity_weight: float = Field(default=10.0, ge=0)
    """Weight of how alike texts are to one another, beside each one's distance to what it should
    be."""
    warmup_share: float = Field(default=0.1, ge=0, lt=1)
    """Share of the steps in which the learning rate rises."""
    weight_decay: float = Field(default=0.01, ge=0)
    """AdamW's decay of the weight matrices."""
    max_gradient_norm: float = Field(default=1.0, gt=0)
    """Gradients are scaled down to this norm."""
    precision: Precision = "auto"
    """auto takes bfloat16 where the processor multiplies it natively, float32 elsewhere."""
    has_dropout: bool = False
    """Whether dropout is on; off, a step on a CPU takes half the time and memory."""
    compile: bool | None = None
    """Whether layers are compiled; by default where it pays, on a GPU."""
    checkpoint_seconds: float = Field(default=60.0, gt=0)
    """Seconds between two saves of the training state, hence the most a crash can lose."""
    seed: int = Field(default=0, ge=0)
    """Decides sentences and batches."""


@stage
def heal(
    whole: Checkpoint,
    corpus: Corpus,
    pairs: Pairs,
    depth: int,
    config: HealConfig,
) -> Checkpoint:
    """Make a model of `depth` layers that embeds as `whole` does.

    The layers whose absence changes least are left out; what remains learns to embed the passages
    that may be trained on, their sentences, and the training queries as `whole` does, which itself
    is not touched.

    Args:
        whole: The tuned model, which teaches.
        corpus: Passages; those of dev and test documents, and their near-copies, are not read.
        pairs: Queries; those of the split `train` are learnt.
        depth: Layers of the result.
        config: How, and for how long.

    Raises:
        BurnishError: no passage may be trained on.
    """
    from .core.layers import keep_layers
    from .core.pruning import choose_layers
    from .lessons import ask_teacher, read_lessons
    from .model_files import load_encoder, save_encoder

    encoder = load_encoder(whole.check().path)
    lessons = read_lessons(whole, corpus, pairs, config)
    probes = replace(encoder, max_tokens=min(PROBED_TOKENS, encoder.max_tokens))
    kept = choose_layers(
        encoder,
        probes.tokenize(_spread(lessons.texts[lessons.passages :], PROBED_QUERIES), "query"),
        probes.tokenize(_spread(lessons.texts[: lessons.passages], PROBED_PASSAGES), "document"),
        depth,
    )
    smaller = replace(encoder, model=keep_layers(encoder.model, kept))
    key = fingerprint(
        *(noun.fingerprint for noun in (whole, corpus, pairs)),
        depth, config.model_dump(mode="json"), fingerprint_code(__name__),
    )  # fmt: skip
    state = corpus.root / "unfinished" / f"heal-{key}"
    epochs = settle(config).epochs or 0.0
    lost = 2 * (encoder.layers - depth) / encoder.layers
    order = lessons.plan(epochs * lost, config.passages_per_batch, config.neighbours, config.seed)
    teachers = ask_teacher(whole, corpus, lessons, order)
    losses = _teach(smaller, lessons, order, teachers, config, state)
    tenth = max(1, len(losses) // 10)
    facts = {
        "layers": depth,
        "kept": [layer + 1 for layer in kept],  # as people count them
        "texts": len(lessons.texts),
        "steps": len(losses),
        "first_loss": _mean(losses[:tenth]),
        "last_loss": _mean(losses[-tenth:]),
        "dimensions": list(lessons.dimensions),
    }
    checkpoint = Checkpoint.commit(corpus.root, lambda folder: save_encoder(smaller, folder), facts)
    shutil.rmtree(state, ignore_errors=True)  # the result is signed
    logger.info(
        "%d layers: kept %s of %d, taught %d texts in %d steps; loss %.4f -> %.4f",
        depth, facts["kept"], encoder.layers, len(lessons.texts), len(losses),
        facts["first_loss"], facts["last_loss"],
    )  # fmt: skip
    return checkpoint


def settle(config: HealConfig) -> HealConfig:
    """Return what names the results of healing on this machine.

    The epochs that it makes by default are filled in, since what a processor made in minutes is not
    what a GPU would have made; what becomes of a healed model later is left out.
    """
    epochs = config.epochs
    if epochs is None:
        import torch

        epochs = EPOCHS[torch.cuda.is_available()]
    return config.model_copy(update={"epochs": epochs, "polishes": True})


def resolve_depths(depths: tuple[int, ...] | None, layers: int) -> tuple[int, ...]:
    """Return the depths to heal at, the deepest first.

    >>> resolve_depths(None, 6), resolve_depths(None, 24), resolve_depths((2, 4), 6)
    ((3,), (12,), (4, 2))
    """
    half = {-(-layers // 2)} - {layers}  # rounded up
    chosen = set(depths if depths is not None else half)
    wrong = sorted(depth for depth in chosen if not 1 <= depth < layers)
    if wrong:
        raise BurnishError(
            f"heal.depths names {wrong}, but the base has {layers} layers: name fewer, and at "
            "least 1."
        )
    return tuple(sorted(chosen, reverse=True))


def _teach(
    encoder: "Encoder",
    lessons: "Lessons",
    order: Sequence[Sequence[int]],
    teachers: "np.ndarray",
    config: HealConfig,
    state: Path,
) -> list[float]:
    """Train `encoder` in place on the texts of each batch; return the loss of every step."""
    import torch

    from .core.likeness import teaching_loss
    from .core.training import Schedule, embed_tokens
    from .training_state import fit_kept

    ids = lessons.tokenize(encoder)
    tokens_per_pass = 512 if encoder.device.type == "cpu" else 65_536  # as in `polish`

    def loss_at(step: int) -> "torch.Tensor":
        rows = order[step]
        students = embed_tokens(
            encoder, [ids[row] for row in rows], [encoder.layers],
            tokens_per_pass=tokens_per_pass, texts_per_pass=config.texts_per_pass,
        )  # fmt: skip
        wanted = torch.from_numpy(teachers[rows]).to(encoder.device)
        with torch.autocast(encoder.device.type, enabled=False):
            return teaching_loss(
                students[0], wanted,
                similarity_weight=config.similarity_weight, dimensions=lessons.dimensions,
                is_normalized=encoder.normalize,
            )  # fmt: skip

    schedule = Schedule(len(order), config.learning_rate, config.warmup_share)
    file = state / f"{encoder.layers}-layers.safetensors"
    return fit_kept(file, encoder, schedule, loss_at, config, seed=config.seed) if order else []


def _spread(texts: Sequence[str], count: int) -> Sequence[str]:
    return texts[:: max(1, len(texts) // count)][:count]


def _mean(values: Sequence[float]) -> float:
    return round(sum(values) / len(values), 4) if values else 0.0
