"""The tuned model with all that was made of it, scored together."""

from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

from .benchmark import Benchmark, System
from .contracts import PLAIN, Checkpoint
from .scoring import Model, Search

if TYPE_CHECKING:
    from .core.pooling import Pooling


class Tuned:
    """The tuned model, its layers, and the healed models of fewer layers."""

    def __init__(
        self,
        checkpoint: Checkpoint,
        healed: Sequence[Checkpoint] = (),
        poolings: "Sequence[Pooling]" = (),
    ) -> None:
        """Load them.

        Args:
            checkpoint: The tuned model.
            healed: Models made of it, which stand for it at their depths.
            poolings: Poolings that are scored besides each model's own.
        """
        self.whole = Model("tuned", checkpoint)
        self._healed = [Model("tuned", one) for one in healed]
        self._poolings = poolings
        self._dimensions = checkpoint.facts.get("dimensions", ())
        depths = {one.encoder.layers for one in self._healed}
        exits = set(checkpoint.facts.get("exits", [])) - depths
        self._exits = sorted(exits | {self.whole.encoder.layers})

    def score(
        self, benchmark: Benchmark, search: Search, *, exits_only: bool = False
    ) -> list[System]:
        """Search a corpus with every cell, the layers that nobody trained called `PLAIN`.

        Args:
            benchmark: Questions and what is searched.
            search: How deep.
            exits_only: Whether those are left out.
        """
        settings = {"poolings": self._poolings, "dimensions": self._dimensions}
        cells = self.whole.cells(self._exits if exits_only else (), **settings)
        systems = [
            system if system.layer in self._exits else replace(system, name=PLAIN)
            for system in self.whole.score(benchmark, cells, search)
        ]
        for model in self._healed:
            last = model.cells([model.encoder.layers], **settings)
            systems += model.score(benchmark, last, search)
        return systems
