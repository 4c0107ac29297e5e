"""Synthesize: queries for the corpus, people's and made ones, split by document."""

import logging
from collections import Counter
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Literal

import numpy as np
import pyarrow as pa
from pydantic import Field

from .clicked import ClickConfig
from .config import Config
from .contracts import BurnishError, Corpus, Pairs, batched_rows
from .core.few_shot import choose_examples
from .core.filters import find_evaluated
from .core.pairs import Entry, Pair, check_apart, pair_questions
from .core.questions import Aside
from .core.reading import Passage
from .core.splits import Split
from .core.term_counts import count_terms
from .core.vocabulary import Vocabulary
from .filters import FilterConfig, filter_pairs
from .generators import Examples, Generator
from .generators.endpoint import Endpoint, EndpointConfig
from .generators.judge import EndpointJudge, JudgeConfig
from .generators.local import Local, LocalConfig
from .generators.structure import Structure, StructureConfig
from .made import make_pairs
from .passage_terms import read_terms
from .placed import place
from .sources.listing import Listing
from .stage import stage
from .yields import summarize, tell

logger = logging.getLogger(__name__)

EXAMPLE_QUERIES = 6  # of one passage: as many as the built-in examples have


class SynthesizeConfig(Config):
    """Where queries come from, and what is kept for evaluation."""

    generator: Literal["structure", "local", "endpoint"] = "structure"
    """What makes queries: the documents' own structure (no model), a model on this machine, or a
    chat endpoint."""
    queries_per_passage: int = Field(default=3, ge=1, le=20)
    """Most queries made of one passage."""
    dev_fraction: float = Field(default=0.05, ge=0, lt=0.5)
    """Share of the documents kept to choose a layer; a hash of the id decides which, and
    documents that say much the same stay together."""
    test_fraction: float = Field(default=0.05, ge=0, lt=0.5)
    """Share of the documents kept to judge the result; a hash of the id decides which."""
    use_human_train: bool = True
    """Train on people's questions (`qrels/train.tsv`) and clicks too, where there are any."""
    human_weight: float = Field(default=4.0, gt=0)
    """How much a training question of people counts, where a made query counts 1. They ask as
    users will, and are few; much beyond 4, a handful of them decides every step."""
    human_examples: int = Field(default=3, ge=0, le=10)
    """Passages with people's training questions that a model is shown before it writes queries;
    0, or none there, shows it built-in ones."""
    max_synthetic_dev: int = Field(default=300, ge=0)
    """Most made queries in dev; a hash decides which. People's questions all count."""
    max_synthetic_test: int = Field(default=300, ge=0)
    """Most made queries in test; a hash decides which. People's questions all count."""
    seed: int = 0
    """Another seed, other spans and other draws."""
    clicks: ClickConfig = ClickConfig()
    """What click logs are worth."""
    filters: FilterConfig = FilterConfig()
    """Which made queries are set aside."""
    structure: StructureConfig = StructureConfig()
    """How queries are cut out of passages."""
    local: LocalConfig = LocalConfig()
    """Which model on this machine writes queries, and how."""
    endpoint: EndpointConfig = EndpointConfig()
    """Which chat endpoint is asked for queries, and how."""
    judge: JudgeConfig = JudgeConfig()
    """Which chat endpoint judges whether passages answer their queries; none if it has no model."""


@stage
def synthesize(
    corpus: Corpus, listing: Listing, config: SynthesizeConfig, author: str = ""
) -> Pairs:
    """Pair queries with the passages that answer them.

    Splits are by document and near-duplicate cluster: what evaluation asks for is never trained
    on, nor is what says nearly the same; of passages that stand in several splits no query is made.

    Args:
        corpus: Passages.
        listing: Where people's questions and clicks are.
        config: Settings.
        author: From `identify_author`; another one, other queries.

    Raises:
        BurnishError: judgments or clicks name no document of the corpus, the endpoint gives out,
            or nothing is left to train on.
    """
    entries = _read(corpus)
    placed = place(
        corpus, listing, entries, config.clicks,
        use_train=config.use_human_train, human_weight=config.human_weight,
        dev_fraction=config.dev_fraction, test_fraction=config.test_fraction,
    )  # fmt: skip
    asked, unanswered = pair_questions(placed.questions, entries, placed.straddling)
    texts = {entry.passage_id: entry.passage.composed for entry in entries}
    vocabulary = _count(corpus.root, entries)
    barred = find_evaluated(asked)  # no model is to see what evaluation asks
    examples = choose_examples(
        [pair for pair in asked if pair.query_id not in barred], texts, vocabulary,
        passages=config.human_examples, queries=EXAMPLE_QUERIES, seed=config.seed,
    )  # fmt: skip
    generator = _generator(config, corpus.root, vocabulary, examples)
    judge = _judge(config, corpus.root)
    most: dict[Split, int] = {"dev": config.max_synthetic_dev, "test": config.max_synthetic_test}
    made, unmade = make_pairs(
        generator, entries, placed, most, most_in_all=_bound(config), seed=config.seed
    )
    pairs, sifted, yields = filter_pairs(
        asked + made, texts, vocabulary, config.filters, judge,
        is_written=config.generator != "structure", most=most, seed=config.seed,
    )  # fmt: skip
    _check(pairs, sifted)
    aside = [*placed.aside, *unanswered, *unmade, *sifted]
    work = {**generator.work, **({"judge": judge.work} if judge else {})}
    facts = tell(pairs, placed.splits, aside, generator, yields)
    facts |= {"examples": len(examples), "work": work}
    logger.info("%s", summarize(facts))
    rejects = [reject._asdict() for reject in aside]
    return Pairs.write(corpus.root, _table(pairs), facts=facts, rejects=rejects)


def identify_author(config: SynthesizeConfig) -> str:
    """Hash what decides queries and is not in the settings: the files of a local model."""
    if config.generator != "local" or not config.local.model:
        return ""
    from .generators.local_model import find_model

    local = config.local
    return find_model(local.model, local.gguf_file, local.precision, local.device).fingerprint


def _read(corpus: Corpus) -> list[Entry]:
    columns = ["passage_id", "document_id", "source", "cluster", "title", "section", "text"]
    return [
        Entry(passage_id, document_id, source, Passage(*rest), cluster)
        for passage_id, document_id, source, cluster, *rest in batched_rows(
            corpus.read(columns), columns
        )
    ]


def _count(root: Path, entries: Sequence[Entry]) -> Vocabulary:
    numbers: dict[str, int] = {}
    documents = [numbers.setdefault(entry.document_id, len(numbers)) for entry in entries]
    lists = read_terms(root, [entry.passage.composed for entry in entries])
    return count_terms(lists, np.array(documents, dtype=np.int64))


def _generator(
    config: SynthesizeConfig, root: Path, vocabulary: Vocabulary, examples: Examples
) -> Generator:
    count, seed = config.queries_per_passage, config.seed
    if config.generator == "endpoint":
        return Endpoint(config.endpoint, root, count, examples)
    if config.generator == "local":
        return Local(config.local, root, count, examples, seed)
    return Structure(config.structure, root, count, seed, vocabulary)


def _judge(config: SynthesizeConfig, root: Path) -> EndpointJudge | None:
    """Open the judge, if there is one, before anything is paid for; it must not be the author."""
    authors = {"endpoint": config.endpoint.identity, "local": config.local.model}
    author = authors.get(config.generator, config.generator)
    return EndpointJudge(config.judge, root, author) if config.judge.model else None


def _bound(config: SynthesizeConfig) -> int | None:
    """Tell how many passages a model may be asked about, which takes time or money."""
    bounds = {"endpoint": config.endpoint.max_passages, "local": config.local.max_passages}
    return bounds.get(config.generator)


def _check(pairs: Sequence[Pair], aside: Iterable[Aside]) -> None:
    """Refuse pairs that leak, that train nothing, or that choose nothing."""
    check_apart(pairs)
    if not any(pair.split == "train" for pair in pairs):
        reasons = Counter(each.reason.partition(":")[0] for each in aside)
        raise BurnishError(
            f"There is nothing to train on: no query is left (set aside: {dict(reasons)}). Give "
            "more or longer documents, or people's questions in qrels/train.tsv."
        )
    if not any(pair.split == "dev" for pair in pairs):
        raise BurnishError(
            "No query is left to choose a layer by: the dev split is empty. Give more documents "
            "(8 at the least), or questions in qrels/dev.tsv, or a "
            "--synthesize.dev-fraction above 0."
        )


def _table(pairs: Sequence[Pair]) -> pa.Table:
    names = Pairs.columns.names
    return pa.table(
        {name: [getattr(pair, name) for pair in pairs] for name in names}, schema=Pairs.columns
    )
