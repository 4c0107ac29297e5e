"""train: polish the encoder on the pairs, its exits beside its last layer."""

import logging
import shutil
from pathlib import Path
from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from .config import Config
from .contracts import Checkpoint, Corpus, Pairs, Triplets, fingerprint
from .core.precision import Precision
from .stage import fingerprint_code, stage

logger = logging.getLogger(__name__)


class TrainConfig(Config):
    """How the encoder is trained."""

    exits: tuple[int, ...] = ()
    """Layers that learn beside the last one, in the same steps, so that it can be cut there, such
    as 3,4,5. By default none: leaving layers out and healing (`heal`) makes better small models,
    and the last layer pays nothing for them."""
    epochs: int = Field(default=1, ge=1, le=100)
    """Times every passage is seen in the polish."""
    learning_rate: float = Field(default=3e-5, gt=0, le=1e-2)
    """Highest learning rate of the polish (AdamW, linear warm-up and decay)."""
    passages_per_batch: int = Field(default=48, ge=2)
    """Passages per step; each is also a negative for the others' queries."""
    texts_per_pass: int | None = Field(default=None, ge=1)
    """Texts that go through the model at once, so that a batch of any size fits into memory; every
    pass is then done twice (gradient caching, arXiv:2101.06983). This is the gradient accumulation
    that keeps all negatives: a larger batch by it has more of them. By default off."""
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
    """Weight of the other exits' own loss beside the last layer's."""
    distillation_weight: float = Field(default=0.2, ge=0)
    """Weight of the other exits' distance to the last layer's embeddings."""
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
    teacher: Literal["none", "margin_mse", "kl"] = "none"
    """Whether the scores of the model that mined are learnt beside the labels: margin_mse its
    margins between a query's passages and negatives (arXiv:2010.02666), kl its softmax over them
    (arXiv:2010.11386)."""
    teacher_weight: float = Field(default=1.0, gt=0)
    """Weight of what the teacher says beside the loss."""
    processes: int | None = Field(default=None, ge=1)
    """Processes that train together on this machine, each embedding its share of every batch, with
    the negatives of all. By default one per GPU, on a CPU one. Results agree up to rounding."""
    lora_rank: int = Field(default=0, ge=0)
    """Trains updates of this rank to the layers' matrices instead of all weights, in less memory,
    and merges them at the end (LoRA, arXiv:2106.09685); wants learning rates about ten times as
    high. 0 trains all weights."""
    lora_alpha: float | None = Field(default=None, gt=0)
    """How much these updates count: alpha / rank times. By default alpha is twice the rank."""
    compile: bool | None = None
    """Whether the layers are compiled, a minute at the start for faster steps. By default on a GPU
    alone."""
    patience: int = Field(default=0, ge=0)
    """Evaluations on the dev split in a row without a better nDCG@10 of the last layer after which
    the polish ends; the best weights are kept. 0 polishes to the end and does not evaluate."""
    evaluations_per_epoch: int = Field(default=4, ge=1)
    """Evaluations per epoch of the polish, with patience: on up to 5,000 passages."""

    @model_validator(mode="after")
    def _refuse_settings_of_other_losses(self) -> Self:
        for name, (needed, what) in _NEEDS.items():
            if getattr(self, name) != _default(name) and getattr(self, needed) == _default(needed):
                raise ValueError(f"{name} does nothing without {needed}: {what}.")
        for name, losses in _SETTINGS_OF.items():
            if self.loss not in losses and getattr(self, name) != _default(name):
                raise ValueError(
                    f"{name} is a setting of the loss {' and '.join(losses)}; {self.loss} has "
                    f"none. Leave it out, or choose another loss."
                )
        return self

    def for_healed(self) -> Self:
        """Return how a healed model is polished: all the way, and at its last layer alone.

        Healing gives it the tuned model's space, by and large; where it ranks unlike the tuned
        model, it is to change, so nothing of what it was is blended in.
        """
        exits = {name: _default(name) for name in ("exits", "exit_weight", "distillation_weight")}
        return self.model_copy(update={"blend": 1.0} | exits)


def _default(name: str) -> object:
    return TrainConfig.model_fields[name].default


_NEEDS = {
    "teacher_weight": ("teacher", "set it to margin_mse or kl"),
    "lora_alpha": ("lora_rank", "set it to 8 or more"),
    "evaluations_per_epoch": ("patience", "set it to the evaluations to wait for a better one"),
    "exit_weight": ("exits", "name the layers that learn"),
    "distillation_weight": ("exits", "name the layers that learn"),
}
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
    from .launch import count_processes
    from .learn import learn
    from .model_files import save_encoder

    key = fingerprint(
        triplets.fingerprint, pairs.fingerprint, corpus.fingerprint, base.fingerprint,
        config.model_dump(mode="json"), fingerprint_code(__name__),
    )  # fmt: skip
    state = triplets.root / "unfinished" / f"train-{key}"
    processes = count_processes(config.processes)
    if processes > 1:
        checkpoint = _train_together(corpus, pairs, triplets, base, config, state, processes)
    else:
        encoder, facts = learn(corpus, pairs, triplets, base, config, state)
        checkpoint = Checkpoint.commit(
            triplets.root, lambda folder: save_encoder(encoder, folder), facts
        )
    shutil.rmtree(state, ignore_errors=True)  # the result is signed
    told = checkpoint.facts
    logger.info(
        "trained on %d queries of %d passages; exits %s; loss %.3f -> %.3f",
        *(told[name] for name in ("queries", "passages", "exits", "first_loss", "last_loss")),
    )
    return checkpoint


def _train_together(
    corpus: Corpus,
    pairs: Pairs,
    triplets: Triplets,
    base: Checkpoint,
    config: TrainConfig,
    state: Path,
    processes: int,
) -> Checkpoint:
    from .launch import launch
    from .memory import release_gpus
    from .worker import TRAINED

    nouns = {"corpus": corpus, "pairs": pairs, "triplets": triplets, "base": base}
    paths = {name: str(noun.check().path.absolute()) for name, noun in nouns.items()}
    release_gpus()  # what earlier stages embedded with; the ranks want all of it
    facts = launch({**paths, "config": config.model_dump(mode="json")}, processes, state)

    def copy(folder: Path) -> None:
        shutil.copytree(state / TRAINED, folder, dirs_exist_ok=True)

    return Checkpoint.commit(triplets.root, copy, facts)
