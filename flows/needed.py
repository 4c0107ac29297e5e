"""Whether new documents are worth a training, and what is done for them if they are not."""

import logging
from statistics import fmean
from typing import TYPE_CHECKING

from flows.artifacts import show_markdown
from flows.dataset import build_dataset
from flows.outcome import name_run
from flows.search import pull
from flows.state import Sight, Trained, find_trained, point_to_corpus
from tasks.contracts import BurnishError, Checkpoint, Corpus, Pairs
from tasks.evaluate import evaluate_last
from tasks.ingest import ingest
from tasks.policy import Decision, compare, decide
from tasks.registry import CHAMPION
from tasks.synthesize import identify_author, synthesize

if TYPE_CHECKING:
    from flows.retrain import Inputs
    from flows.settings import RetrainConfig
    from tasks.report import Row

logger = logging.getLogger(__name__)

KEY = "new-documents"  # of the artifact: the decisions of all runs are one history


def is_training_needed(inputs: "Inputs", seen: Sight) -> bool:
    """Read the new documents, do what they are worth short of a training, and say why.

    Args:
        inputs: What the chain starts from.
        seen: What is behind the sources, as `look` found it before.

    Returns:
        Whether a model has to be trained, which is left to the caller.
    """
    base, listing, stages = inputs
    corpus = ingest(base, listing, stages.ingest)
    point_to_corpus(corpus.root, corpus.fingerprint, seen)
    trained = find_trained(corpus.root)
    change = compare(trained.corpus, corpus) if trained else None
    decision = decide(change, None, stages.policy)
    if trained and decision.act in ("ingest", "mine") and stages.policy.max_drop is not None:
        decision = decide(change, find_drop(inputs, corpus, trained), stages.policy)
    if decision.act == "mine":
        build_dataset(base, listing, stages)
    _tell(decision)
    return decision.act == "retrain"


def find_drop(inputs: "Inputs", corpus: Corpus, trained: Trained) -> float | None:
    """Return by how much the champion's dev nDCG@10 is lower than on the corpus of the training.

    None if there is no champion, or in one of both too few dev questions of a kind to tell.
    """
    _, listing, stages = inputs
    try:
        alias, pulled = pull(corpus.root, stages.registry.name)
    except BurnishError:
        return None
    if alias != CHAMPION:
        return None
    pairs = synthesize(corpus, listing, stages.synthesize, identify_author(stages.synthesize))
    before = _ask(pulled.checkpoint, trained.corpus, trained.pairs, stages)
    after = _ask(pulled.checkpoint, corpus, pairs, stages)
    for origin in ("human", "synthetic"):
        values = before.get(origin, []), after.get(origin, [])
        if min(map(len, values)) >= stages.policy.min_questions:
            return fmean(values[0]) - fmean(values[1])
    return None


def _ask(
    model: Checkpoint, corpus: Corpus, pairs: Pairs, stages: "RetrainConfig"
) -> dict[str, list[float]]:
    """Return nDCG@10 of every dev question, by who asks."""
    rows: list[Row] = evaluate_last(model, corpus, pairs, stages.evaluate).read().to_pylist()
    wanted = [row for row in rows if (row["split"], row["metric"]) == ("dev", "ndcg@10")]
    return {row["origin"]: row["values"] for row in wanted}


def _tell(decision: Decision) -> None:
    logger.info("new documents: %s", decision.reason)
    show_markdown(KEY, f"# New documents\n\n{decision.reason}.", "What they led to, and why.")
    if decision.act != "retrain":  # otherwise what comes of the training names the run
        name_run(decision.reason)
