"""mine: hard negatives for every training pair; the cheap half of mining, re-run at will."""

import logging
from typing import Literal

from pydantic import Field

from .config import Config
from .contracts import Candidates, Corpus, Pairs, Triplets
from .stage import stage

logger = logging.getLogger(__name__)


class MineConfig(Config):
    """How hard negatives are chosen among the candidates."""

    negatives_per_query: int = Field(default=7, ge=0)
    """Hard negatives kept per query; fewer where fewer qualify."""
    choice: Literal["top", "sampled"] = "top"
    """Which of the candidates that qualify are kept: the hardest, or a random draw of them."""
    random_per_query: int = Field(default=0, ge=0)
    """Passages drawn at random that are negatives too, beside the hard ones."""
    max_ratio: float | None = Field(default=0.95, gt=0, le=1)
    """Ceiling of a negative's score, as a fraction of its positive's (NV-Retriever,
    arXiv:2407.15831); none leaves the best candidates as they are, answers among them."""
    is_calibrated: bool = True
    """Count scores from the mean score that the model which mines gives unrelated texts, instead
    of from 0, so that the ceiling means the same for every model."""
    round_trip: int | None = Field(default=None, ge=1, le=2000)
    """Made queries are dropped unless the untuned teacher finds the passage they were made of
    among so many of the best (Promptagator, arXiv:2209.11755); none keeps all."""
    seed: int = Field(default=0, ge=0)
    """Decides what is drawn."""


@stage
def mine(
    corpus: Corpus,
    pairs: Pairs,
    candidates: Candidates,
    config: MineConfig,
    earlier: Triplets | None = None,
) -> Triplets:
    """Keep each query's hardest candidates that are unlikely to be answers.

    A query that all passages of a document answer, as human judgments of documents have it, gets
    one row per document, with the passage of it that the teacher scores best: that is the one
    which answers. Passages of documents that a dev or test query asks for, and their near-copies
    elsewhere, are never negatives.

    Among the facts, `planted` tells what became of texts that are known to answer and were planted
    among the candidates of some queries, and estimates from it the share of the negatives kept
    that are answers.

    Args:
        corpus: Passages.
        pairs: Queries and what answers them.
        candidates: What the teacher found.
        config: How many negatives and how hard.
        earlier: Triplets of an earlier round, mined with a model that had not seen the pairs: its
            round trip holds.

    Raises:
        BurnishError: a passage that is kept for evaluation would be trained on.
    """
    from .mining import Mining

    mining = Mining(corpus, pairs, candidates, config, earlier)
    triplets = Triplets.write(corpus.root, mining.run(), facts=mining.tell)
    facts = triplets.facts
    logger.info(
        "kept %d negatives for %d queries of %d candidates; left out: %d of the own document, %d "
        "held out, %d near a positive, %d above the ceiling; %d queries got fewer than %d; %d "
        "queries failed the round trip; by estimate at most %.1f %% of the negatives answer",
        *(facts[name] for name in ("kept", "queries", "candidates", "own_document", "held_out")),
        *(facts[name] for name in ("near_duplicate", "above_ceiling", "short")),
        config.negatives_per_query, facts["round_trip"], 100 * facts["false_negative_rate"],
    )  # fmt: skip
    return triplets
