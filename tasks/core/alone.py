"""Texts read by themselves, for models of any kind that keep a cache."""

import copy
from collections.abc import Sequence

import torch
from torch import Tensor
from transformers import Cache, DynamicCache, PreTrainedModel


class Alone:
    """A causal model of any kind that keeps a cache, each text by itself.

    For models whose memory is more than keys and values at places (state spaces, ALiBi). The
    prefix is read once here too; every text goes on from a copy of what was kept.
    """

    def __init__(self, model: PreTrainedModel, prefix: Sequence[int], rows: int) -> None:
        """Read the prefix, which may be empty; hold at most `rows` texts."""
        self.model = model
        self.rows = rows
        self._prefix = DynamicCache(config=model.config)
        self._caches: dict[int, Cache] = {}
        if prefix:
            with torch.inference_mode():
                self._run(prefix, self._prefix)

    def read(self, row: int, tokens: Sequence[int]) -> Tensor:
        """Begin row `row`: the prefix, then `tokens`; return what may follow, (vocabulary,)."""
        self._caches[row] = copy.deepcopy(self._prefix)
        return self._run(tokens, self._caches[row])

    def step(self, tokens: Sequence[int]) -> Tensor:
        """Add a token to each of the first rows; return what may follow, (rows, vocabulary)."""
        return torch.stack(
            [self._run([token], self._caches[row]) for row, token in enumerate(tokens)]
        )

    def move(self, source: int, target: int) -> None:
        """Copy row `source` to row `target`."""
        self._caches[target] = copy.deepcopy(self._caches[source])

    def _run(self, tokens: Sequence[int], cache: Cache) -> Tensor:
        inputs = torch.tensor([list(tokens)], device=self.model.device)
        output = self.model(input_ids=inputs, past_key_values=cache, use_cache=True)
        logits: Tensor = output.logits[0, -1]
        return logits
