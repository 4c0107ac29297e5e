"""Generators: what makes queries for passages nobody asked for yet."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from ..core.queries import Query
from ..core.reading import Passage


@dataclass(frozen=True)
class Made:
    """What a generator made of one passage: queries, and why there are none or fewer."""

    queries: tuple[Query, ...]
    reasons: tuple[str, ...] = ()


class Generator(Protocol):
    """Makes queries for passages; what it makes of one does not depend on the others."""

    @property
    def name(self) -> str:
        """What its queries carry as their origin."""

    def settings(self) -> dict[str, Any]:
        """Tell all that decides what is made of a passage; anything JSON can hold, no secret."""

    def generate(
        self, passages: Sequence[Passage], advance: Callable[[int], object]
    ) -> Sequence[Made]:
        """Make queries for each passage, in order; `advance` is told how many are done."""
