"""evaluate: the champion asked about today's documents, beside the base; nothing is trained."""

from collections.abc import Sequence

from prefect import flow
from pydantic import Field

from flows.artifacts import show_markdown
from flows.outcome import TELLING
from flows.retrain import take_in
from flows.search import pull
from flows.settings import DocumentsConfig, as_retrain
from flows.summary import tell_corpus
from tasks.adopt import AdoptConfig
from tasks.contracts import Scores
from tasks.core.statistics import paired_bootstrap
from tasks.evaluate import EvaluateConfig, evaluate_last
from tasks.ingest import IngestConfig, ingest
from tasks.report import Row
from tasks.shared import ready_store
from tasks.synthesize import SynthesizeConfig, identify_author, synthesize

KEY = "evaluate-summary"  # of the artifact: the summaries of all runs are one history


class ScoreConfig(DocumentsConfig):
    """Ask the champion about the documents as they are now, beside the base; train nothing."""

    name: str = "burnish"
    """Name of the registered model."""
    seed: int = Field(default=0, ge=0)
    """Seed of every stage that names none of its own."""
    adopt: AdoptConfig = AdoptConfig()
    """What is changed of the base: how it pools, what it puts before a text."""
    ingest: IngestConfig = IngestConfig()
    """How documents are cut into passages, and which passages are set aside."""
    synthesize: SynthesizeConfig = SynthesizeConfig()
    """Where queries come from, and what is kept for evaluation."""
    evaluate: EvaluateConfig = EvaluateConfig()
    """How models are scored."""


@flow(name="evaluate", persist_result=False, **TELLING)
def evaluate(config: ScoreConfig) -> Scores:
    """Score the champion's last layer on today's documents; return its scores.

    What is asked are the questions of `retrain` with the same settings: of documents that were
    never trained on, because a hash of their ids keeps them apart in every run.

    Raises:
        BurnishError: no version is registered, or what is named cannot be read.
    """
    from rich.console import Console
    from rich.markdown import Markdown

    root = config.root.expanduser().resolve()
    ready_store(root)
    alias, pulled = pull(root, config.name)
    base, listing, stages = take_in(as_retrain(config))
    corpus = ingest(base, listing, stages.ingest)
    pairs = synthesize(corpus, listing, stages.synthesize, identify_author(stages.synthesize))
    known, untuned = (
        evaluate_last(model, corpus, pairs, stages.evaluate, system)
        for model, system in ((pulled.checkpoint, "champion"), (base, "base"))
    )
    text = "\n\n".join(
        [
            f"# Version {pulled.version} of {config.name} ({alias}) on today's documents",
            tell_corpus(corpus.facts),
            tabulate_pair(known.read().to_pylist(), untuned.read().to_pylist(), config.seed),
        ]
    )
    Console(width=100).print(Markdown(text))
    show_markdown(KEY, text, "What the champion finds in the documents of today.")
    return known


def tabulate_pair(known: Sequence[Row], untuned: Sequence[Row], seed: int = 0) -> str:
    """Tell two models' nDCG@10 on every kind of question, and the difference, as a table.

    Args:
        known: Rows of the champion's `Scores`.
        untuned: Rows of the base's, of the same questions.
        seed: Of the bootstrap.
    """
    lines = [
        "| questions | | champion | base | difference |",
        "| :--- | ---: | :--- | :--- | :--- |",
    ]
    others = {(row["split"], row["origin"], row["metric"]): row for row in untuned}
    for row in known:
        if row["metric"] != "ndcg@10":
            continue
        other = others[row["split"], row["origin"], row["metric"]]
        change = paired_bootstrap(row["values"], other["values"], seed=seed)
        asked = "people's" if row["origin"] == "human" else "made"
        lines.append(
            f"| {row['split']}, {asked} | {len(row['values'])} | {_tell(row)} | {_tell(other)} | "
            f"{change.value:+.3f} ({change.low:+.3f} to {change.high:+.3f}) |"
        )
    return "\n".join(["nDCG@10 of the last layer, with 95 % intervals:", "", *lines])


def _tell(row: Row) -> str:
    return f"{row['value']:.3f} ({row['low']:.3f} to {row['high']:.3f})"
