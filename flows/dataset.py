"""build_dataset: from documents to training triplets."""

from typing import NamedTuple

from prefect import flow

from flows.settings import RetrainConfig
from tasks.contracts import Candidates, Checkpoint, Corpus, Pairs, Triplets
from tasks.ingest import ingest
from tasks.mine import mine
from tasks.retrieve import retrieve
from tasks.sources import Listing
from tasks.synthesize import identify_author, synthesize


class Dataset(NamedTuple):
    """What a model is trained and judged on."""

    corpus: Corpus
    pairs: Pairs
    candidates: Candidates
    triplets: Triplets


@flow(name="dataset", flow_run_name="dataset", persist_result=False)
def build_dataset(
    base: Checkpoint,
    listing: Listing,
    settings: RetrainConfig,
) -> Dataset:
    """Ingest, synthesize, retrieve, mine."""
    corpus = ingest(base, listing, settings.ingest)
    author = identify_author(settings.synthesize)
    pairs = synthesize(corpus, listing, settings.synthesize, author)
    candidates = retrieve(corpus, pairs, base, settings.retrieve)
    triplets = mine(corpus, pairs, candidates, settings.mine)
    return Dataset(corpus, pairs, candidates, triplets)
