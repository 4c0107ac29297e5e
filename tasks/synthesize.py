"""Synthesize: queries for the corpus, people's and made ones, split by document."""

import logging
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, Literal

import pyarrow as pa
from pydantic import Field

from .config import Config
from .contracts import BurnishError, Corpus, Pairs, batched_rows, fingerprint
from .core.pairs import (
    HUMAN,
    Entry,
    Pair,
    check_apart,
    limit_made,
    pair_queries,
    pair_questions,
    part_ambiguous,
    part_evaluated,
)
from .core.questions import Aside, place_questions
from .core.reading import Passage
from .core.splits import Split, draw
from .core.vocabulary import Vocabulary
from .generators import Generator, Made
from .generators.endpoint import Endpoint, EndpointConfig
from .generators.structure import Structure, StructureConfig
from .human import read_questions
from .progress import progress
from .sources.listing import Listing
from .stage import stage
from .tables import find_copies, find_twins

logger = logging.getLogger(__name__)


class SynthesizeConfig(Config):
    """Where queries come from, and what is kept for evaluation."""

    generator: Literal["structure", "endpoint"] = "structure"
    """What makes queries: the documents' own structure (no model), or a chat endpoint."""
    queries_per_passage: int = Field(default=3, ge=1, le=20)
    """Most queries made of one passage."""
    dev_fraction: float = Field(default=0.05, ge=0, lt=0.5)
    """Share of the documents kept to choose a layer; a hash of the id decides which."""
    test_fraction: float = Field(default=0.05, ge=0, lt=0.5)
    """Share of the documents kept to judge the result; a hash of the id decides which."""
    use_human_train: bool = True
    """Train on people's questions too (`qrels/train.tsv`), where there are any."""
    max_synthetic_dev: int = Field(default=300, ge=0)
    """Most made queries in dev; a hash decides which. People's questions all count."""
    max_synthetic_test: int = Field(default=300, ge=0)
    """Most made queries in test; a hash decides which. People's questions all count."""
    seed: int = 0
    """Another seed, other spans and other draws."""
    structure: StructureConfig = StructureConfig()
    """How queries are cut out of passages."""
    endpoint: EndpointConfig = EndpointConfig()
    """Which chat endpoint is asked for queries, and how."""


@stage
def synthesize(corpus: Corpus, listing: Listing, config: SynthesizeConfig) -> Pairs:
    """Pair queries with the passages that answer them.

    Raises:
        BurnishError: judgments name no document of the corpus, the endpoint gives out, or nothing
            is left to train on.
    """
    entries = _read(corpus)
    ids = list(dict.fromkeys(entry.document_id for entry in entries))
    read, unread = read_questions(
        listing.judged, set(ids), find_twins(corpus, ids), use_train=config.use_human_train
    )
    questions, splits, unplaced = place_questions(
        read, ids, dev_fraction=config.dev_fraction, test_fraction=config.test_fraction
    )
    generator = _generator(config, entries, corpus.root)
    copies = find_copies(corpus, {name for name, split in splits.items() if split != "train"})
    chosen = _choose([e for e in entries if e.passage_id not in copies], splits, config)
    with progress("queries", len(chosen), "passages") as advance:
        made = generator.generate([entry.passage for entry in chosen], advance)
    queries = [each.queries for each in made]
    pairs = [
        pair
        for pair in pair_questions(questions, entries)
        if pair.split != "train" or pair.passage_id not in copies
    ]
    pairs += pair_queries(generator.name, chosen, queries, splits)
    pairs, clashing = _part(pairs, config)
    copied = [Aside(name, "", "copy of an evaluation passage") for name in sorted(copies)]
    aside = [*unread, *unplaced, *copied, *_unmade(chosen, made), *clashing]
    facts = _facts(pairs, splits, aside, generator)
    logger.info("%s", _summary(facts))
    rejects = [reject._asdict() for reject in aside]
    return Pairs.write(corpus.root, _table(pairs), facts=facts, rejects=rejects)


def _read(corpus: Corpus) -> list[Entry]:
    columns = ("passage_id", "document_id", "source", "title", "section", "text")
    return [
        Entry(passage_id, document_id, source, Passage(*rest))
        for passage_id, document_id, source, *rest in batched_rows(corpus.read(), columns)
    ]


def _generator(config: SynthesizeConfig, entries: Sequence[Entry], root: Path) -> Generator:
    if config.generator == "endpoint":
        return Endpoint(config.endpoint, root, config.queries_per_passage)
    documents: dict[str, list[str]] = defaultdict(list)
    for entry in entries:
        documents[entry.document_id].append(entry.passage.composed)
    vocabulary = Vocabulary.count(documents.values())
    return Structure(config.structure, vocabulary, config.queries_per_passage, config.seed)


def _choose(
    entries: Sequence[Entry], splits: Mapping[str, Split], config: SynthesizeConfig
) -> list[Entry]:
    """Choose the passages to make queries for: in evaluation and by a bought model not all."""

    def first(split: Split, most: int | None) -> list[Entry]:
        found = [entry for entry in entries if splits[entry.document_id] == split]
        if most is None or len(found) <= most:
            return found
        return sorted(found, key=lambda e: (draw(config.seed, e.passage.composed), e.passage_id))[
            :most
        ]

    evaluated = first("dev", config.max_synthetic_dev) + first("test", config.max_synthetic_test)
    bought = config.endpoint.max_passages if config.generator == "endpoint" else None
    trained = first("train", None if bought is None else max(bought - len(evaluated), 0))
    chosen = {entry.passage_id for entry in (*evaluated, *trained)}
    return [entry for entry in entries if entry.passage_id in chosen]


def _unmade(entries: Sequence[Entry], made: Sequence[Made]) -> list[Aside]:
    return [
        Aside(entry.passage_id, entry.source, reason)
        for entry, each in zip(entries, made, strict=True)
        for reason in each.reasons
    ]


def _part(pairs: list[Pair], config: SynthesizeConfig) -> tuple[list[Pair], list[Aside]]:
    """Set aside what must not stand beside the rest."""
    pairs, ambiguous = part_ambiguous(pairs)
    most: dict[Split, int] = {"dev": config.max_synthetic_dev, "test": config.max_synthetic_test}
    pairs, repeated = part_evaluated(limit_made(pairs, most, config.seed))
    check_apart(pairs)
    if not any(pair.split == "train" for pair in pairs):
        reasons = Counter(aside.reason.partition(":")[0] for aside in (*ambiguous, *repeated))
        raise BurnishError(
            f"There is nothing to train on: no query is left (set aside: {dict(reasons)}). Give "
            "more or longer documents, or people's questions in qrels/train.tsv."
        )
    if not any(pair.split == "dev" for pair in pairs):
        raise BurnishError(
            "No query is left to choose a layer by: the dev split is empty. Give more documents "
            "(8 at the least), or questions in qrels/dev.tsv, or a dev_fraction above 0."
        )
    return pairs, ambiguous + repeated


def _facts(
    pairs: Sequence[Pair],
    splits: Mapping[str, Split],
    aside: Iterable[Aside],
    generator: Generator,
) -> dict[str, Any]:
    """Count documents by split, queries by origin, split, and kind, and what was set aside."""
    first = {pair.query_id: pair for pair in pairs}.values()
    queries: dict[str, dict[str, int]] = defaultdict(dict)
    for (origin, split), count in sorted(Counter((p.origin, p.split) for p in first).items()):
        queries[origin][split] = count
    return {
        "documents": _count(splits.values()),
        "queries": dict(queries),
        "kinds": _count(pair.kind for pair in first if pair.origin != HUMAN),
        "hidden": sum(bool(pair.masked) for pair in pairs),
        "set_aside": _count(each.reason.partition(":")[0] for each in aside),
        "generator": {"name": generator.name, "settings": fingerprint(generator.settings())},
    }


def _count(values: Iterable[str]) -> dict[str, int]:
    return dict(sorted(Counter(values).items()))


def _summary(facts: Mapping[str, Any]) -> str:
    def told(counts: Mapping[str, int]) -> str:
        return ", ".join(f"{count:,} {name}" for name, count in counts.items()) or "none"

    queries = "; ".join(f"{origin} {told(counts)}" for origin, counts in facts["queries"].items())
    return (
        f"queries: {queries} ({told(facts['kinds'])}); documents: {told(facts['documents'])}; "
        f"set aside: {told(facts['set_aside'])}"
    )


def _table(pairs: Sequence[Pair]) -> pa.Table:
    names = Pairs.columns.names
    return pa.table(
        {name: [getattr(pair, name) for pair in pairs] for name in names}, schema=Pairs.columns
    )
