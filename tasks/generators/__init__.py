"""Generators: what makes queries for passages nobody asked for yet."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from ..core.queries import Query
from ..core.reading import Passage

# Composed passages, each with queries that people asked for it, the best first: shown to a model
# before it is asked. Empty where a team has none; then a generator shows its own.
Examples = Sequence[tuple[str, Sequence[str]]]


@dataclass(frozen=True)
class Made:
    """What a generator made of one passage: queries, and why there are none or fewer."""

    queries: tuple[Query, ...]
    reasons: tuple[str, ...] = ()


class Generator(Protocol):
    """Makes queries for passages; what it makes of one does not depend on the others.

    Models are built as `Endpoint(config, root, count, examples)` and
    `Local(config, root, count, examples, seed)`, where `examples` are `Examples`.
    """

    @property
    def name(self) -> str:
        """What its queries carry as their origin."""

    @property
    def work(self) -> Mapping[str, Any]:
        """Tell what `generate` took: `queried` and `known` passages; tokens and money, if any."""

    def settings(self) -> dict[str, Any]:
        """Tell all that decides what is made of a passage; anything JSON can hold, no secret."""

    def generate(
        self, passages: Sequence[Passage], advance: Callable[[int], object]
    ) -> Sequence[Made]:
        """Make queries for each passage, in order; `advance` is told how many are done."""
