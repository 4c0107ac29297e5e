"""What a smaller model learns from the whole one: texts, and what the whole one makes of them."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from .contracts import BurnishError, Checkpoint, Corpus, Pairs
from .core.index import build_index
from .core.sentences import sentences
from .embed import embed
from .model_files import load_encoder
from .tables import Passages, find_trainable, read_passages, read_queries

if TYPE_CHECKING:
    from .core.encoder import Encoder
    from .heal import HealConfig


@dataclass(frozen=True, eq=False)
class Lessons:
    """Texts to learn, the passages first, then what is as short as queries.

    Attributes:
        texts: Passages, then sentences and queries.
        passages: How many of them are passages.
        embedded: (passages, h) what the whole model makes of each passage.
        groups: For each passage its row, those of its sentences, and those of its queries.
        dimensions: Lengths that embeddings can be cut to; none for the whole length alone.
    """

    texts: list[str]
    passages: int
    embedded: np.ndarray
    groups: list[list[int]]
    dimensions: tuple[int, ...] = ()

    def tokenize(self, encoder: "Encoder") -> list[list[int]]:
        """Return the tokens of each text: a passage's as a document, the others' as a query."""
        first = self.passages
        return [
            *encoder.tokenize(self.texts[:first], "document"),
            *encoder.tokenize(self.texts[first:], "query"),
        ]

    def plan(
        self, epochs: float, passages_per_batch: int, neighbours: int, seed: int
    ) -> list[list[int]]:
        """Batch rows for some epochs: each passage with its sentences and queries.

        Args:
            epochs: Times every text is seen.
            passages_per_batch: Passages in a batch.
            neighbours: Passages that the whole model finds alike and that are learnt together,
                where ranking them is hard; 1 makes batches random.
            seed: Decides the order.
        """
        batches: list[list[int]] = []
        near = self._find_near(neighbours)
        for epoch in range(math.ceil(epochs)):
            order = _gather(near, np.random.default_rng((seed, epoch)))
            starts = range(0, len(order), passages_per_batch)
            made = [
                [
                    row
                    for group in order[start : start + passages_per_batch]
                    for row in self.groups[group]
                ]
                for start in starts
            ]
            batches += made[: math.ceil(min(1.0, epochs - epoch) * len(made))]
        return batches

    def _find_near(self, neighbours: int) -> np.ndarray:
        """Return the passages most like each, itself perhaps among them: (passages, neighbours)."""
        depth = min(neighbours, self.passages)
        return build_index(self.embedded).search(self.embedded, depth)[0]


def _gather(near: np.ndarray, random: np.random.Generator) -> list[int]:
    """Order passages so that those which are alike stand together, such groups at random."""
    waiting = dict.fromkeys(random.permutation(len(near)).tolist())
    groups: list[list[int]] = []
    while waiting:
        first = next(iter(waiting))
        group = [first, *(row for row in near[first].tolist() if row != first and row in waiting)]
        groups.append(group[: near.shape[1]])
        for row in groups[-1]:
            del waiting[row]
    return [row for number in random.permutation(len(groups)) for row in groups[number]]


def read_lessons(whole: Checkpoint, corpus: Corpus, pairs: Pairs, config: "HealConfig") -> Lessons:
    """Gather the passages that may be trained on, some of their sentences, and their queries.

    Args:
        whole: The model that teaches; its embeddings of passages are kept for `evaluate`.
        corpus: Passages.
        pairs: Queries.
        config: How many of each.

    Raises:
        BurnishError: no passage may be trained on.
    """
    passages = read_passages(corpus)
    rows = np.flatnonzero(find_trainable(corpus, pairs, passages))
    random = np.random.default_rng((config.seed, len(rows)))
    rows = np.sort(random.permutation(rows)[: config.max_passages])
    if not len(rows):
        raise BurnishError(
            "Every passage belongs to a document that is kept for evaluation, so smaller models "
            "have nothing to learn from. Give more documents, or heal.depths [] for none."
        )
    asked = _read_asked(pairs, passages)
    texts = [passages.texts[row] for row in rows]
    short: dict[str, int] = {}
    groups = []
    for number, row in enumerate(rows.tolist()):
        queries = asked.get(row, [])
        own = [
            *_draw(texts[number], config.sentences_per_passage, random),
            *(queries[some] for some in _choose(len(queries), config.queries_per_passage, random)),
        ]
        known = [short.setdefault(text, len(rows) + len(short)) for text in dict.fromkeys(own)]
        groups.append([number, *known])
    embedded = _embed_passages(whole, corpus, texts)
    dimensions = tuple(whole.facts.get("dimensions", ()))
    return Lessons([*texts, *short], len(rows), embedded, groups, dimensions)


def ask_teacher(
    whole: Checkpoint, corpus: Corpus, lessons: Lessons, order: Sequence[Sequence[int]]
) -> np.ndarray:
    """Embed what is learnt by the model that teaches.

    Args:
        whole: The model that teaches.
        corpus: What the passages are of.
        lessons: All texts.
        order: Rows by batch. Sentences and queries in none are not embedded: their rows are 0.

    Returns:
        (texts, h) embeddings.
    """
    encoder = load_encoder(whole.check().path)
    rows = sorted({row for batch in order for row in batch if row >= lessons.passages})
    found = embed(
        corpus.root, whole, [lessons.texts[row] for row in rows], "query", [encoder.layers],
        what="sentences to learn", encoder=encoder,
    )  # fmt: skip
    teachers = np.zeros((len(lessons.texts), lessons.embedded.shape[1]), np.float32)
    teachers[: lessons.passages] = lessons.embedded
    teachers[rows] = found[:, 0]
    return teachers


def _read_asked(pairs: Pairs, passages: Passages) -> dict[int, list[str]]:
    """Return the training queries by the first passage that answers each."""
    asked: dict[int, list[str]] = {}
    for query in read_queries(pairs, passages, {"train"}):
        asked.setdefault(query.answers[0].row, []).append(query.text)
    return asked


def _draw(text: str, count: int, random: np.random.Generator) -> list[str]:
    found = sentences(text)
    return [text[slice(*found[some])] for some in _choose(len(found), count, random)]


def _choose(total: int, count: int, random: np.random.Generator) -> list[int]:
    chosen: list[int] = sorted(random.permutation(total)[:count].tolist())
    return chosen


def _embed_passages(whole: Checkpoint, corpus: Corpus, texts: Sequence[str]) -> np.ndarray:
    encoder, root = load_encoder(whole.check().path), corpus.root
    # All layers: `evaluate` needs them, and one pass gives them.
    layers, last = range(1, encoder.layers + 1), [encoder.layers]
    found = embed(root, whole, texts, "document", layers, what="passages to learn",
                  wanted=last, encoder=encoder)  # fmt: skip
    return np.ascontiguousarray(found[:, 0])
