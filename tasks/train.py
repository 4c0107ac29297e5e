"""train: polish the encoder on the pairs, then teach its exits to embed as its last layer does."""

import logging
from typing import TYPE_CHECKING

from pydantic import Field

from .config import Config
from .contracts import (
    BurnishError,
    Checkpoint,
    Corpus,
    Pairs,
    Triplets,
    batched_rows,
    fingerprint,
)
from .core.precision import Precision
from .stage import fingerprint_code, stage
from .tables import Passages, read_passages, read_queries

if TYPE_CHECKING:
    from .core.batches import Query

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
    neighbours: int = Field(default=2, ge=1)
    """Passages gathered around each hard negative; 1 makes batches random."""
    queries_per_passage: int = Field(default=3, ge=1)
    """Queries of one passage that share its encoding in a step."""
    negatives_per_passage: int = Field(default=0, ge=0)
    """Mined negatives added per passage beside those that are in the batch already."""
    temperature: float = Field(default=0.05, gt=0)
    """Divides the cosines in InfoNCE; .05 is sentence-transformers' scale of 20."""
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


@stage
def train(
    corpus: Corpus, pairs: Pairs, triplets: Triplets, base: Checkpoint, config: TrainConfig
) -> Checkpoint:
    """Train `base` on the triplets: InfoNCE at the last layer, which the other exits follow.

    Raises:
        BurnishError: there is nothing to train on, or an exit is not a layer of the model.
    """
    from .core.batches import group_queries
    from .model_files import load_encoder, save_encoder
    from .phases import Phases

    encoder = load_encoder(base.path)
    exits = resolve_exits(config.exits, encoder.layers)
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
    phases = Phases(encoder, exits, config, state=triplets.root / "unfinished" / f"train-{key}")
    facts = phases.run(by_passage, passages.texts, passages.documents)
    facts |= {"exits": list(exits), "layers": encoder.layers, "queries": len(queries)}
    checkpoint = Checkpoint.commit(
        triplets.root, lambda folder: save_encoder(encoder, folder), facts
    )
    phases.forget()
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


def read_examples(pairs: Pairs, triplets: Triplets, passages: "Passages") -> "list[Query]":
    """Read the training queries with their positives and negatives by corpus row."""
    from .core.batches import Query

    asked = {query.query_id: query for query in read_queries(pairs, passages, {"train"})}
    mined: dict[str, Query] = {}
    for query_id, passage_id, negative_ids, unknown_ids in batched_rows(
        triplets.read(), Triplets.columns.names
    ):
        answers = {answer.row: answer.masked for answer in asked[query_id].answers}
        row = passages.rows[passage_id]
        query = asked[query_id]
        known = mined.get(query_id, Query(query.text, {}, weight=query.weight))
        positives = {**known.positives, row: answers[row]}
        negatives = [*known.negatives, *(passages.rows[name] for name in negative_ids)]
        # A document's other passages are judged with it, but may say nothing of the query.
        unknown = known.unknown | {passages.rows[name] for name in unknown_ids} | answers.keys()
        mined[query_id] = Query(
            known.text,
            positives,
            tuple(dict.fromkeys(negatives)),
            unknown - positives.keys(),
            known.weight,
        )
    return list(mined.values())
