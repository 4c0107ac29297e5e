"""Generation: lines of text written by a language model, each prompt on its own terms.

What is written for a prompt does not depend on the prompts beside it: it is read alone, and the
numbers its tokens are drawn by are its own.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Protocol

import numpy as np
import torch
from torch import Tensor

from .sampling import QUESTION_MARKS, Sampling


@dataclass(frozen=True)
class Prompt:
    """What a model is given: tokens to read after the prefix that all share, and a seed."""

    tokens: Sequence[int]
    seed: int


@dataclass(frozen=True)
class Line:
    """What was written; a line that reached the limit has no end."""

    tokens: tuple[int, ...]
    is_finished: bool


class Reader(Protocol):
    """A model that holds several texts, packed into the first rows."""

    @property
    def rows(self) -> int:
        """Most texts held at once."""

    def read(self, row: int, tokens: Sequence[int]) -> Tensor:
        """Begin row `row`: the prefix, then `tokens`; return what may follow, (vocabulary,)."""

    def step(self, tokens: Sequence[int]) -> Tensor:
        """Add a token to each of the first rows; return what may follow, (rows, vocabulary)."""

    def move(self, source: int, target: int) -> None:
        """Copy row `source` to row `target`."""


@dataclass
class Row:
    """A line being written for a prompt."""

    number: int
    draws: np.random.Generator
    sampling: Sampling
    tokens: list[int]
    line: Line | None = field(default=None, init=False)

    def take(self, token: int) -> None:
        """Go on with a token; at the end of the line there is a `line`."""
        is_end = self.sampling.is_end(token)
        if not is_end:
            self.tokens.append(token)
            is_end = self.sampling.spell(token).endswith(QUESTION_MARKS)
        if is_end or len(self.tokens) >= self.sampling.max_tokens:
            self.line = Line(tuple(self.tokens), is_end)


def begin_rows(number: int, prompt: Prompt, sampling: Sampling, logits: Tensor) -> list[Row]:
    """Begin the lines of a prompt, given what may follow it, (vocabulary,)."""
    return [
        Row(number, np.random.default_rng((prompt.seed, branch)), sampling, [token])
        for branch, token in enumerate(sampling.begin(logits))
    ]


def write_lines(
    reader: Reader, prompts: Iterable[Prompt], sampling: Sampling
) -> Iterator[tuple[int, list[Line]]]:
    """Write lines for every prompt.

    A row that is done makes room for the next prompt at once (continuous batching, Orca, OSDI
    2022): no prompt waits for the longest of a batch, and none is padded.

    Args:
        reader: The model, of `sampling.lines` rows or more.
        prompts: Taken as there is room.
        sampling: How lines are begun and tokens chosen.

    Yields:
        The number of a prompt and its lines, in the order prompts are done.
    """
    waiting = enumerate(prompts)
    rows: list[Row] = []
    begun: dict[int, list[Row]] = {}
    with torch.inference_mode():
        while True:
            while len(rows) + sampling.lines <= reader.rows:
                number, prompt = next(waiting, (0, None))
                if prompt is None:
                    break
                logits = reader.read(len(rows), prompt.tokens)
                begun[number] = begin_rows(number, prompt, sampling, logits)
                for branch in range(1, len(begun[number])):
                    reader.move(len(rows), len(rows) + branch)
                rows.extend(begun[number])
            yield from _finished(begun)
            if not rows:
                return
            logits = reader.step([row.tokens[-1] for row in rows])
            take(rows, sampling, logits)
            _pack(rows, reader)


def take(rows: Sequence[Row], sampling: Sampling, logits: Tensor) -> None:
    """Go on with a token in each row, given what may follow, (rows, vocabulary)."""
    draws = [float(row.draws.random()) for row in rows]
    for row, token in zip(rows, sampling.choose(logits, draws), strict=True):
        row.take(token)


def _finished(begun: dict[int, list[Row]]) -> Iterator[tuple[int, list[Line]]]:
    for number, rows in list(begun.items()):
        lines = [row.line for row in rows if row.line]
        if len(lines) == len(rows):
            del begun[number]
            yield number, lines


def _pack(rows: list[Row], reader: Reader) -> None:
    """Close the gaps of finished rows with the last ones."""
    for place in reversed(range(len(rows))):
        if rows[place].line:
            last = rows.pop()
            if place < len(rows):
                rows[place] = last
                reader.move(len(rows), place)
