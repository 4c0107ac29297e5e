"""Queries out of what documents are made of: names, sentences, spans, keywords. Needs no model."""

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from importlib.metadata import version
from pathlib import Path
from typing import Any, Literal

import pyarrow as pa
from pydantic import Field

from ..config import Config
from ..core import queries
from ..core.queries import Kind, Query, make_queries
from ..core.reading import Passage
from ..core.splits import digest
from ..core.term_counts import list_rarities
from ..core.vocabulary import Rarities, Rarity, Vocabulary
from ..core.word_forms import WordForms
from ..memo import Memo
from ..passage_terms import read_terms
from ..stage import fingerprint_code
from . import Made

QUERIES = pa.list_(
    pa.struct(
        [("kind", pa.string()), ("text", pa.string()), ("span", pa.string()),
         ("is_hidden", pa.bool_())]
    )
)  # fmt: skip
TOO_SHORT = "too short: leaves no query and a remainder"


class StructureConfig(Config):
    """How queries are cut out of passages.

    Spans hidden every other time taught most: one epoch on two of each passage lifted
    all-MiniLM-L6-v2 on 635 questions by people from .424 to .508 nDCG@10; spans, names, and
    sentences, hidden seven times in ten, to .489.
    """

    kinds: tuple[Kind, ...] = Field(default=("span", "name"), min_length=1)
    """Kinds of query, the most wanted first; with more queries than kinds come further spans,
    extracts, and telegrams (`terse`)."""
    rarity: Literal["form", "corpus"] = "form"
    """What tells a telling word: its form, so that no passage gets other queries because another
    document changed, or how few documents of the corpus have it. With 3 of 2,000 documents added,
    2 changed, and 1 removed, the former queries the 12 passages that are new, the latter 831 of
    4,651."""
    hide_span: float = Field(default=0.5, ge=0, le=1)
    """Share of spans of 5 to 15 words, and of what is made of them (`extract`, `terse`,
    `question`), hidden from the passage in training (arXiv:2212.08841)."""
    hide_name: float = Field(default=0.5, ge=0, le=1)
    """Share of titles and headings hidden from the passage in training."""
    hide_sentence: float = Field(default=0.9, ge=0, le=1)
    """Share of sentences hidden from the passage in training (arXiv:1906.00300)."""


@dataclass(frozen=True)
class Structure:
    """Makes queries by `core.queries`.

    A passage is queried again only if it, or how rare one of its terms counts, changed.

    Attributes:
        config: How queries are cut out of passages.
        root: Folder of all nouns, for the memo.
        count: Most queries per passage.
        seed: Another seed, other queries.
        vocabulary: Document frequencies of the corpus.
    """

    config: StructureConfig
    root: Path
    count: int
    seed: int
    vocabulary: Vocabulary
    name: str = "structure"
    work: Counter[str] = field(default_factory=Counter, compare=False)

    def settings(self) -> dict[str, Any]:
        """Tell all that decides what is made of a passage but the document frequencies."""
        return {
            **self.config.model_dump(mode="json"),
            "count": self.count,
            "seed": self.seed,
            "sentencex": version("sentencex"),
            "code": fingerprint_code(queries),
        }

    def generate(
        self, passages: Sequence[Passage], advance: Callable[[int], object]
    ) -> Sequence[Made]:
        """Make queries for each passage, in order."""
        lists = read_terms(self.root, [passage.composed for passage in passages])
        rarities = list_rarities(lists, self._rarity)
        keys = [
            digest(each.title, each.section, each.text, bits.hex())[:32]
            for each, bits in zip(passages, rarities, strict=True)
        ]
        places = {key: place for place, key in enumerate(keys)}

        def compute(some: list[int]) -> list[list[dict[str, Any]]]:
            return [
                self._query(passages[place], lists[place].as_py(), rarities[place])
                for place in some
            ]

        memo = Memo(self.root, "queries", self.settings(), QUERIES)
        found = memo.fill(places, compute, advance=advance).to_pylist()
        self.work.update(queried=memo.computed, known=len(places) - memo.computed)
        advance(len(passages) - len(places))
        by_key = dict(zip(places, map(_made, found), strict=True))
        return [by_key[key] for key in keys]

    @property
    def _rarity(self) -> Rarity:
        return self.vocabulary if self.config.rarity == "corpus" else WordForms()

    def _query(self, passage: Passage, found: list[str], bits: bytes) -> list[dict[str, Any]]:
        config = self.config
        hidden: Mapping[Kind, float] = {
            "name": config.hide_name, "sentence": config.hide_sentence, "keywords": 0, "topic": 0,
        }  # fmt: skip
        made = make_queries(
            passage,
            Rarities(dict(zip(found, bits, strict=True))),
            count=self.count,
            kinds=config.kinds,
            hide={kind: hidden.get(kind, config.hide_span) for kind in config.kinds},
            seed=self.seed,
        )
        return [vars(query) for query in made]


def _made(found: list[dict[str, Any]]) -> Made:
    made = tuple(Query(**each) for each in found)
    return Made(made, () if made else (TOO_SHORT,))
