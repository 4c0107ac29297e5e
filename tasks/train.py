"""train: polish the encoder on the pairs, then teach its exits to embed as its last layer does."""

import logging
import shutil
from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from .config import Config
from .contracts import BurnishError, Checkpoint, Corpus, Pairs, Triplets, fingerprint
from .core.precision import Precision
from .stage import fingerprint_code, stage
from .tables import read_passages

logger = logging.getLogger(__name__)


class TrainConfig(Config):
    """How the encoder is trained."""

    exits: tuple[int, ...] | None = None
    """Layers that can be cut to later, such as 3,4,5,6; by default every layer from half depth."""
    epochs: int = Field(default=1, ge=1, le=100)
    """Times every passage is seen in the polish."""
    learning_rate: float = Field(default=3e-5, gt=0, le=1e-2)
    """Highest learning rate of the polish (AdamW, linear warm-up and decay)."""
    passages_per_batch: int = Field(default=48, ge=2)
    """Passages per step; each is also a negative for the others' queries."""
    texts_per_pass: int | None = Field(default=None, ge=1)
    """Texts that go through the model at once, so that a batch of any size fits into memory; every
    pass is then done twice (gradient caching, arXiv:2101.06983). By default off."""
    neighbours: int = Field(default=2, ge=1)
    """Passages gathered around each hard negative; 1 makes batches random."""
    packing: Literal["drawn", "hardest"] = "drawn"
    """How they are gathered: around passages drawn one after the other, or the pairs of passages
    first that are hardest to tell apart, so that more queries meet their hardest negative."""
    queries_per_passage: int = Field(default=3, ge=1)
    """Queries of one passage that share its encoding in a step."""
    negatives_per_passage: int = Field(default=0, ge=0)
    """Mined negatives added per passage beside those that are in the batch already."""
    loss: Literal["infonce", "triplet", "contrastive", "cosine"] = "infonce"
    """What the polish learns by. infonce: a softmax over the batch. triplet: positives nearer than
    negatives by a margin. contrastive: positives together, negatives a margin away. cosine:
    positives at cosine 1, negatives at 0."""
    temperature: float = Field(default=0.05, gt=0)
    """Divides the cosines, infonce only; .05 is sentence-transformers' scale of 20."""
    symmetric: bool = False
    """Whether a passage must tell its queries from the others as well, infonce only."""
    margin: float | None = Field(default=None, gt=0, le=2)
    """How far apart, in cosine, triplet (by default 0.2) and contrastive (by default 0.5) want
    them."""
    triplet_negatives: Literal["all", "hardest"] = "all"
    """What triplet compares a positive with: all negatives that violate the margin, or the query's
    most similar one, under which a base that ranks poorly collapses."""
    dimensions: tuple[Annotated[int, Field(ge=1)], ...] = ()
    """Lengths that embeddings can be cut to later, such as 64,128 (Matryoshka, arXiv:2205.13147);
    the full length is always one. By default it is the only one."""
    blend: float = Field(default=0.7, gt=0, le=1)
    """Share of the way from the base's weights to the polished ones that is taken; below 1 less is
    forgotten of what the base knew (WiSE-FT, arXiv:2109.01903)."""
    exit_weight: float = Field(default=0.05, ge=0)
    """In the polish, weight of the other exits' own loss beside the last layer's."""
    distillation_weight: float = Field(default=0.2, ge=0)
    """In the polish, weight of the other exits' distance to the last layer's embeddings."""
    exit_epochs: float = Field(default=0.5, ge=0, le=100)
    """After the polish: times every text is seen while the exits learn to embed as the last layer
    does; 0 leaves it out. More epochs make earlier layers worth keeping."""
    exit_learning_rate: float = Field(default=2e-4, gt=0, le=1e-2)
    """Highest learning rate while the exits are taught; they start far away, so it is higher."""
    exit_texts_per_batch: int = Field(default=32, ge=1)
    """Texts per step while the exits are taught."""
    exit_max_tokens: int = Field(default=96, ge=8)
    """Texts are cut to this many tokens while the exits are taught."""
    anchor_weight: float = Field(default=30.0, ge=0)
    """How firmly the last layer is held to what the polish made of it while the exits are taught;
    each other exit weighs 1."""
    max_tokens: int = Field(default=160, ge=8)
    """Longer passages are cut to this many tokens in training (not in evaluation)."""
    warmup_share: float = Field(default=0.1, ge=0, lt=1)
    """Share of the steps in which the learning rate rises."""
    weight_decay: float = Field(default=0.01, ge=0)
    """AdamW's decay of the weight matrices."""
    max_gradient_norm: float = Field(default=1.0, gt=0)
    """Gradients are scaled down to this norm."""
    has_dropout: bool = False
    """Whether dropout is on; off, a step on a CPU takes half the time and memory."""
    precision: Precision = "auto"
    """auto takes bfloat16 where the processor multiplies it natively, float32 elsewhere."""
    checkpoint_seconds: float = Field(default=60.0, gt=0)
    """Seconds between two saves of the training state, hence the most a crash can lose."""
    seed: int = Field(default=0, ge=0)
    """Decides batches and dropout."""

    @model_validator(mode="after")
    def _refuse_settings_of_other_losses(self) -> Self:
        for name, losses in _SETTINGS_OF.items():
            if (
                self.loss not in losses
                and getattr(self, name) != type(self).model_fields[name].default
            ):
                raise ValueError(
                    f"{name} is a setting of the loss {' and '.join(losses)}; {self.loss} has "
                    f"none. Leave it out, or choose another loss."
                )
        return self


_SETTINGS_OF = {
    "temperature": ("infonce",),
    "symmetric": ("infonce",),
    "margin": ("triplet", "contrastive"),
    "triplet_negatives": ("triplet",),
}


@stage
def train(
    corpus: Corpus, pairs: Pairs, triplets: Triplets, base: Checkpoint, config: TrainConfig
) -> Checkpoint:
    """Train `base` on the triplets: a loss at the last layer, which the other exits follow.

    Raises:
        BurnishError: there is nothing to train on, or the model has no such exit or dimension, or
            is not compared by the cosine that the loss is made for.
    """
    from .core.batches import group_queries
    from .examples import read_examples
    from .model_files import load_encoder, save_encoder
    from .phases import run_phases

    encoder = load_encoder(base.path)
    exits = resolve_exits(config.exits, encoder.layers)
    dimensions = resolve_dimensions(config.dimensions, encoder.dimension)
    if config.loss != "infonce" and not encoder.normalize:
        raise BurnishError(
            f"train.loss {config.loss} is made for cosines, but the base's embeddings are compared "
            "by inner products of any size. Leave train.loss at infonce."
        )
    passages = read_passages(corpus)
    queries = read_examples(pairs, triplets, passages)
    by_passage = group_queries(queries)
    if len(by_passage) < 2:
        raise BurnishError(
            f"Only {len(by_passage)} passages of the train split have a query; at least 2 are "
            "needed. Give more documents, lower --synthesize.dev-fraction and "
            "--synthesize.test-fraction, or leave out --mine.round-trip."
        )
    key = fingerprint(
        triplets.fingerprint, pairs.fingerprint, corpus.fingerprint, base.fingerprint,
        config.model_dump(mode="json"), fingerprint_code(__name__),
    )  # fmt: skip
    state = triplets.root / "unfinished" / f"train-{key}"
    facts = run_phases(
        encoder, exits, dimensions, by_passage, passages.texts, passages.documents, config, state
    )
    facts |= {"exits": list(exits), "layers": encoder.layers, "queries": len(queries)}
    facts |= {"dimensions": list(dimensions), "loss": config.loss}
    checkpoint = Checkpoint.commit(
        triplets.root, lambda folder: save_encoder(encoder, folder), facts
    )
    shutil.rmtree(state, ignore_errors=True)  # the result is signed
    logger.info(
        "trained on %d queries of %d passages; exits %s; loss %.3f -> %.3f",
        len(queries), len(by_passage), list(exits), facts["first_loss"], facts["last_loss"],
    )  # fmt: skip
    return checkpoint


def resolve_exits(exits: tuple[int, ...] | None, layers: int) -> tuple[int, ...]:
    """Return the exit layers, ascending, the last layer always among them.

    >>> resolve_exits(None, 6), resolve_exits((2, 4), 6)
    ((3, 4, 5, 6), (2, 4, 6))
    """
    chosen = set(exits if exits is not None else range((layers + 1) // 2, layers + 1)) | {layers}
    wrong = sorted(layer for layer in chosen if not 1 <= layer <= layers)
    if wrong:
        raise BurnishError(
            f"train.exits names the layers {wrong}, but the base has layers 1 to {layers}."
        )
    return tuple(sorted(chosen))


def resolve_dimensions(dimensions: tuple[int, ...], full: int) -> tuple[int, ...]:
    """Return the lengths that embeddings can be cut to, ascending, the full one among them.

    >>> resolve_dimensions((), 384), resolve_dimensions((128, 64), 384)
    ((384,), (64, 128, 384))
    """
    wrong = sorted(dimension for dimension in dimensions if not 1 <= dimension <= full)
    if wrong:
        raise BurnishError(
            f"train.dimensions names {wrong}, but the base's embeddings have {full} dimensions: "
            f"name lengths of 1 to {full}."
        )
    return tuple(sorted({*dimensions, full}))
