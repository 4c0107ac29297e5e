"""Kinds of query: what people type when they search, and how to tell them apart."""

import re
from collections.abc import Sequence
from typing import Literal, get_args

from ..core.splits import draw
from ..core.vocabulary import words

Kind = Literal["keywords", "question", "situation"]
KINDS: tuple[Kind, ...] = get_args(Kind)

DESCRIPTIONS: dict[Kind, str] = {
    "keywords": "two to six words typed in haste, no sentence and no question",
    "question": "a full question, as one would put it to a colleague who knows",
    "situation": "what somebody is in the middle of or what went wrong, told in everyday words, "
    "without naming the solution",
}

SITUATION_WORDS = 8  # from here on, what is no question is told rather than typed in haste
# Words that open a question in the languages that write them first.
_OPENS_QUESTION = re.compile(
    r"(?:who|whom|whose|what|which|when|where|why|how|is|are|was|were|do|does|did|can|could|may|"
    r"might|must|should|would|will|has|have|had|"
    r"wer|was|welche[rsnm]?|wann|wo|warum|wieso|weshalb|wie|woher|wohin|"
    r"qui|que|quel(?:le)?s?|quand|o\u00f9|pourquoi|comment|combien|est-ce|"
    r"qui\u00e9n|qu\u00e9|cu\u00e1l(?:es)?|cu\u00e1ndo|d\u00f3nde|c\u00f3mo|cu\u00e1nto|"
    r"chi|quando|dove|perch\u00e9|quanto|como|onde|quem|qual|"
    r"wie|wat|welke|wanneer|waar|waarom|hoe)\b",
    re.IGNORECASE,
)
_ASKS = re.compile(r"[?\uff1f\u061f]\s*$|\u4ec0\u4e48|\u600e\u4e48|\u5982\u4f55|\u4e3a\u4ec0\u4e48")
_TELLS = re.compile(r"\b(?:i|i'm|my|me|we|our|us|ich|mein\w*|wir|je|mon|ma|mes|nous)\b", re.I)


def tell_kind(query: str) -> Kind:
    """Tell by its form of what kind a query is; people's own do not say.

    >>> [tell_kind(q) for q in ("heat pump ice", "why is there ice", "my pump is full of ice")]
    ['keywords', 'question', 'situation']
    """
    if _ASKS.search(query) or _OPENS_QUESTION.match(query.strip()):
        return "question"
    if _TELLS.search(query) or len(words(query)) >= SITUATION_WORDS:
        return "situation"
    return "keywords"


def wanted_kinds(label: str, pool: Sequence[Kind], count: int) -> list[Kind]:
    """Choose the kinds to ask for about one passage, in the proportions of a pool.

    The sample is systematic with a start drawn by hash: every passage gets a mixture, all passages
    together get the pool's proportions, and none depends on another.

    Args:
        label: What decides the draw: the passage.
        pool: Kinds in the proportions wanted, in any order; not empty.
        count: Kinds to choose.

    >>> sorted(wanted_kinds("any", ["keywords", "question", "situation"], 3))
    ['keywords', 'question', 'situation']
    """
    ordered = sorted(pool, key=KINDS.index)
    start = draw("kinds", label)
    return [ordered[int((start + n) * len(ordered) / count)] for n in range(count)]
