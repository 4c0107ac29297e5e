"""ingest: the documents as they are now, read and cut into passages; nothing is trained."""

from prefect import flow

from flows.artifacts import show_markdown
from flows.outcome import TELLING, name_run
from flows.retrain import see, take_in
from flows.settings import DocumentsConfig, as_retrain
from flows.state import point_to_corpus
from flows.summary import tell_corpus
from tasks import ingest as stage
from tasks.adopt import AdoptConfig
from tasks.contracts import Corpus
from tasks.shared import ready_store

KEY = "ingest-summary"  # of the artifact: the summaries of all runs are one history


class ReadConfig(DocumentsConfig):
    """Read the documents as they are now, and search these from here on; train nothing."""

    adopt: AdoptConfig = AdoptConfig()
    """What is changed of the base: how it pools, what it puts before a text."""
    ingest: stage.IngestConfig = stage.IngestConfig()
    """How documents are cut into passages, and which passages are set aside."""


@flow(name="ingest", persist_result=False, **TELLING)
def ingest(config: ReadConfig) -> Corpus:
    """Make the corpus of today's documents; the search uses it from here on."""
    from rich.console import Console
    from rich.markdown import Markdown

    ready_store(config.root.expanduser().resolve())
    base, listing, stages = take_in(as_retrain(config))
    corpus = stage.ingest(base, listing, stages.ingest)
    point_to_corpus(corpus.root, corpus.fingerprint, see(config, listing))
    text = f"# What was read\n\n{tell_corpus(corpus.facts)}"
    Console(width=100).print(Markdown(text))
    show_markdown(KEY, text, "What the documents are now.")
    name_run("{documents:,} documents, {set_aside:,} passages set aside".format(**corpus.facts))
    return corpus
