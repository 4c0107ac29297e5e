"""Sampling: how a line is begun, and how its next token is chosen."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

QUESTION_MARKS = ("?", "\uff1f", "\u061f")
CANDIDATES = 50  # tokens a draw chooses from: what is rarer is noise


@dataclass(frozen=True)
class Sampling:
    """How lines are begun and their tokens chosen.

    Attributes:
        lines: Lines per prompt. Each begins with another word, the likeliest first
            (arXiv:2402.10200): small models repeat themselves in a list, and stray from the text
            if a high temperature is to keep their answers apart.
        max_tokens: Most tokens of one line.
        temperature: 0 takes the likeliest token; else the draws spread by it.
        top_p: Tokens are drawn from the likeliest that together have this probability
            (arXiv:1904.09751).
        spell: The text of a token; empty for one that ends what is written.

    A line ends at a line break, and with a question mark: what small models write after a question
    is its answer, or the same again.
    """

    lines: int
    max_tokens: int
    temperature: float
    top_p: float
    spell: Callable[[int], str]

    def is_end(self, token: int) -> bool:
        """Tell whether a token ends a line."""
        text = self.spell(token)
        return not text or "\n" in text

    def begin(self, logits: Tensor) -> list[int]:
        """Choose the first tokens of a prompt's lines: likely ones that begin unlike words.

        Args:
            logits: (vocabulary,).

        Returns:
            At most `lines` tokens; none if the model would rather write nothing.
        """
        found: dict[str, int] = {}
        for token in logits.float().topk(min(CANDIDATES, len(logits))).indices.tolist():
            word = self.spell(token).strip().lower()
            if word[:1].isalnum() and not word.endswith(QUESTION_MARKS):
                found.setdefault(word, token)
            if len(found) == self.lines:
                break
        return list(found.values())

    def choose(self, logits: Tensor, draws: Sequence[float]) -> list[int]:
        """Choose the next token of each row.

        Args:
            logits: (rows, vocabulary).
            draws: A number in [0, 1) per row; the same number and logits give the same token.
        """
        if self.temperature == 0:
            return [int(token) for token in logits.argmax(dim=-1)]
        values, tokens = logits.float().topk(min(CANDIDATES, logits.shape[-1]), dim=-1)
        shares = torch.softmax(values.double() / self.temperature, dim=-1)
        before = shares.cumsum(dim=-1) - shares
        shares = torch.where(before < self.top_p, shares, 0.0)
        sums = shares.cumsum(dim=-1)
        aims = torch.tensor(list(draws), dtype=sums.dtype, device=sums.device)[:, None]
        places = (sums <= aims * sums[:, -1:]).sum(dim=-1, keepdim=True)
        last = (shares > 0).sum(dim=-1, keepdim=True) - 1
        return [int(token) for token in tokens.gather(-1, torch.minimum(places, last))]
