"""Contrast: what a model would write because of the text it was given, not in any case."""

import math
from collections.abc import Sequence

import torch
from torch import Tensor

from .generation import Reader

PLAUSIBLE = 0.1  # of the likeliest token's probability (contrastive decoding, arXiv:2210.15097)


class Contrast:
    """A reader that writes each line twice, with its text and without, and prefers the difference.

    Context-aware decoding (arXiv:2305.14739): the log-probability of a token is raised by `weight`
    times what the text adds to it, among the tokens that are plausible with the text. A small model
    then asks about its passage rather than what is asked about everything.
    """

    def __init__(self, reader: Reader, blank: Sequence[int], weight: float) -> None:
        """Read what stands for no text.

        Args:
            reader: The model, of twice the rows and one.
            blank: What follows the prefix where there is no text; one token at the least.
            weight: 0 changes nothing.
        """
        self._reader = reader
        self._weight = weight
        self._template = reader.rows - 1
        self.rows = (reader.rows - 1) // 2
        with torch.inference_mode():
            reader.read(self._template, blank)

    def read(self, row: int, tokens: Sequence[int]) -> Tensor:
        """Begin row `row`; return what may follow: lines begin as they would anyhow."""
        self._reader.move(self._template, 2 * row + 1)
        return self._reader.read(2 * row, tokens)

    def step(self, tokens: Sequence[int]) -> Tensor:
        """Add a token to each of the first rows; return what may follow, (rows, vocabulary)."""
        twice = [token for token in tokens for _ in range(2)]
        shares = torch.log_softmax(self._reader.step(twice).float(), dim=-1)
        aware, unaware = shares[::2], shares[1::2]
        raised = aware + self._weight * (aware - unaware)
        least = aware.amax(dim=-1, keepdim=True) + math.log(PLAUSIBLE)
        return raised.masked_fill(aware < least, -torch.inf)

    def move(self, source: int, target: int) -> None:
        """Copy row `source` to row `target`."""
        for part in range(2):
            self._reader.move(2 * source + part, 2 * target + part)
