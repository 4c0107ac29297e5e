"""Queries by a chat model behind any OpenAI-compatible endpoint."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

from pydantic import Field

from ..config import Config
from ..core.personal import mask_personal
from ..core.reading import Passage
from ..core.splits import digest
from . import Examples, Made
from .answers import read_answer
from .asking import Asking
from .chat_config import ChatConfig
from .examples import EXAMPLES
from .kept_answers import KeptAnswers
from .kinds import KINDS, Kind, tell_kind, wanted_kinds
from .prompts import Message, defuse, preface, request, show

QUERY_TOKENS = 30  # of a query with its kind, as JSON


class Example(Config):
    """A passage and queries of the sort wanted for it."""

    passage: str
    """A passage as it might stand in the corpus."""
    queries: tuple[str, ...] = Field(min_length=1)
    """Queries a person might have found it with."""


class EndpointConfig(ChatConfig):
    """Which chat endpoint is asked for queries, for which, how fast, and for how much.

    The key is read from the environment alone and never written down.
    """

    kinds: tuple[Kind, ...] = ()
    """Kinds of query, in equal parts; if none is named, in the proportions of the examples."""
    examples: tuple[Example, ...] = ()
    """Passages with queries, shown to the model first; if none are given, people's own of the
    train split, and where there are none, those that come with the program."""
    max_passages: int = Field(default=10_000, ge=1)
    """Most passages asked about, drawn by hash: a bound on the bill."""


@dataclass
class Endpoint:
    """Asks a chat model once per passage, and never again for one it has answered.

    Attributes:
        config: Which endpoint is asked, and how.
        root: Folder of all nouns.
        count: Most queries per passage.
        examples: Passages with queries by people, for a configuration that has none of its own.
    """

    config: EndpointConfig
    root: Path
    count: int
    examples: Examples = ()
    name: str = "endpoint"
    work: dict[str, Any] = field(default_factory=dict, init=False)

    def __post_init__(self) -> None:
        self.config.check("The generator is `endpoint`")

    def settings(self) -> dict[str, Any]:
        """Tell all that decides an answer but the passage; the key is not part of it."""
        return {**self.config.decisive(), "messages": self._preface}

    def generate(
        self, passages: Sequence[Passage], advance: Callable[[int], object]
    ) -> Sequence[Made]:
        """Ask for queries for each passage, in order.

        What is sent has personal data masked and is what answers are kept by; `work` tells what
        it took.

        Raises:
            BurnishError: the budget does not suffice, the endpoint refuses or stays silent, or
                more answers than may be are unusable. What it answered until then is kept.
        """
        sent = [self._clean(passage.composed) for passage in passages]
        requests = [request(text, self._wanted(text)) for text in sent]
        keys = [digest(request) for request in requests]
        texts = dict(zip(keys, sent, strict=True))

        def read(key: str, answer: str) -> Made:
            return read_answer(answer, texts[key], self.count, self._shown)

        def find_fault(key: str, answer: str) -> str:
            made = read(key, answer)
            return "" if made.queries else made.reasons[0]

        unique = dict(zip(keys, requests, strict=True))
        asked = self._asking.ask_all(unique, find_fault, advance)
        advance(len(passages) - len(unique))
        self.work = asked.work()
        made = {
            key: Made((), (asked.failures[key],))
            if key in asked.failures
            else read(key, asked.answers[key])
            for key in unique
        }
        return [made[key] for key in keys]

    def _wanted(self, text: str) -> list[Kind]:
        pool = self.config.kinds or [
            tell_kind(query) for _, queries in self._examples for query in queries
        ]
        return wanted_kinds(text, pool, self.count)

    def _clean(self, text: str) -> str:
        text = defuse(text)
        return mask_personal(text) if self.config.mask_personal else text

    @cached_property
    def _examples(self) -> Examples:
        own = [(example.passage, example.queries) for example in self.config.examples]
        return [
            (self._clean(passage), [self._clean(query) for query in queries])
            for passage, queries in own or self.examples or EXAMPLES
        ]

    @cached_property
    def _preface(self) -> list[Message]:
        return preface(self._examples, self.config.kinds or KINDS, self.count)

    @cached_property
    def _shown(self) -> frozenset[str]:
        return frozenset(
            query
            for _, queries in self._examples
            for _, query in show(queries, self.config.kinds or KINDS, self.count)
        )

    @cached_property
    def _asking(self) -> Asking:
        kept = KeptAnswers(self.root, "answers", self.settings())
        tokens = QUERY_TOKENS * self.count
        return Asking(self.config, kept, self._preface, "queries", tokens)
