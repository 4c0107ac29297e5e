"""build_dataset: from documents to training triplets."""

from typing import NamedTuple

from prefect import flow

from tasks.contracts import Candidates, Checkpoint, Corpus, Pairs, Triplets
from tasks.ingest import IngestConfig, ingest
from tasks.mine import MineConfig, mine
from tasks.retrieve import RetrieveConfig, retrieve
from tasks.sources import Listing
from tasks.synthesize import SynthesizeConfig, identify_author, synthesize


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
    ingesting: IngestConfig,
    synthesizing: SynthesizeConfig,
    retrieving: RetrieveConfig,
    mining: MineConfig,
) -> Dataset:
    """Ingest, synthesize, retrieve, mine."""
    corpus = ingest(base, listing, ingesting)
    pairs = synthesize(corpus, listing, synthesizing, identify_author(synthesizing))
    candidates = retrieve(corpus, pairs, base, retrieving)
    triplets = mine(corpus, pairs, candidates, mining)
    return Dataset(corpus, pairs, candidates, triplets)
