"""Batches for contrastive training: which passages meet, and how each relates to each query."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import chain
from typing import Literal

import numpy as np

from .groups import gather_drawn, gather_hardest
from .teacher_scores import arrange_scores
from .text import mask

Packing = Literal["drawn", "hardest"]


@dataclass(frozen=True)
class Query:
    """A training query and all that is known of its passages, by row in the corpus."""

    text: str
    positives: Mapping[int, str]  # passage -> the span of it to hide, "" for none
    negatives: tuple[int, ...] = ()  # hardest first
    unknown: frozenset[int] = field(default_factory=frozenset)  # may answer as well
    weight: float = 1.0
    teacher_scores: Mapping[int, float] = field(default_factory=dict)  # of passages it scored


@dataclass(frozen=True)
class Batch:
    """Queries (q), documents (d), and how they relate (q, d): +1, -1, or 0 for unknown.

    `weights` (q,) tells how much each query counts, `teacher_scores` (q, d) what the teacher gave
    each document, NaN where it gave none.
    """

    queries: list[str]
    documents: list[str]
    relations: np.ndarray
    weights: np.ndarray
    teacher_scores: np.ndarray


def plan_epoch(
    by_passage: Mapping[int, Sequence[Query]],
    *,
    passages_per_batch: int,
    neighbours: int,
    seed: Sequence[int],
    packing: Packing = "drawn",
) -> list[list[int]]:
    """Arrange the passages to train on into batches in which hard negatives meet.

    Passages are gathered into small groups, each a passage and those that were mined as negatives
    of its queries; whole groups are then shuffled into batches. So a batch holds a query's hard
    negatives at no cost (they are other queries' positives), beside the random ones that keep the
    space spread out.

    Args:
        by_passage: The training queries of each passage, by corpus row.
        passages_per_batch: Passages in a batch; the last batch of an epoch may hold fewer.
        neighbours: Passages per group; 1 makes batches random.
        seed: Decides the order, with nothing else.
        packing: How they are gathered, see `groups`: around passages that are `drawn`, or by
            merging the `hardest` to tell apart first.

    Returns:
        Corpus rows per batch; every passage with a query is in exactly one batch.
    """
    random = np.random.default_rng(seed)
    gather = gather_hardest if packing == "hardest" else gather_drawn
    groups = gather(by_passage, neighbours, random)
    order = [row for index in random.permutation(len(groups)) for row in groups[index]]
    starts = range(0, len(order), passages_per_batch)
    batches = [order[start : start + passages_per_batch] for start in starts]
    if len(batches) > 1 and len(batches[-1]) == 1:  # alone, a passage has nothing to be told from
        alone = batches.pop()
        batches[-1] += alone
    return batches


def build_batch(
    rows: Sequence[int],
    by_passage: Mapping[int, Sequence[Query]],
    texts: Sequence[str],
    documents_of: np.ndarray,
    *,
    queries_per_passage: int,
    negatives_per_passage: int,
    seed: Sequence[int],
) -> Batch:
    """Put a batch's queries beside its documents, each document once.

    A document that serves several queries is encoded once, with all that any of them was cut out
    of hidden. Its negatives that are not in the batch are added.

    Args:
        rows: Corpus rows whose queries make the batch.
        by_passage: The training queries of each passage, by corpus row.
        texts: Composed text per corpus row.
        documents_of: (rows of the corpus,) a number per document.
        queries_per_passage: At most this many queries of one passage, drawn by `seed`.
        negatives_per_passage: At most this many mined negatives are added per passage.
        seed: Decides the draw, with nothing else.
    """
    random = np.random.default_rng(seed)
    chosen: dict[int, Query] = {}  # by identity: a query of two passages is there once
    documents = dict.fromkeys(rows)
    for row in rows:
        own = by_passage[row]
        drawn = random.permutation(len(own))[:queries_per_passage]
        chosen |= {id(own[index]): own[index] for index in drawn}
        hardest = [negative for index in drawn for negative in own[index].negatives[:1]]
        deeper = [negative for index in drawn for negative in own[index].negatives[1:]]
        fresh = [negative for negative in [*hardest, *deeper] if negative not in documents]
        documents |= dict.fromkeys(list(dict.fromkeys(fresh))[:negatives_per_passage])
    asked, columns = list(chosen.values()), list(documents)
    return Batch(
        queries=[query.text for query in asked],
        documents=[_hide(texts[row], row, asked) for row in columns],
        relations=relate(asked, columns, documents_of),
        weights=np.array([query.weight for query in asked], dtype=np.float32),
        teacher_scores=arrange_scores([query.teacher_scores for query in asked], columns),
    )


def relate(
    queries: Sequence[Query], columns: Sequence[int], documents_of: np.ndarray
) -> np.ndarray:
    """Fill the relation matrix (q, d).

    +1 for a query's positives; 0 for other passages of the positives' documents and for likely
    false negatives (the teacher scores them too close to the positive); -1 for all others.
    """
    distinct, place_of = np.unique(np.asarray(columns, dtype=np.int64), return_inverse=True)
    owners, owner_of = np.unique(documents_of[distinct], return_inverse=True)
    asked, answers = _list_rows([query.positives for query in queries])
    # Whose document it is, is found out per document: there are fewer.
    is_own = np.zeros((len(queries), len(owners)), dtype=bool)
    is_own[_find(asked, documents_of[answers], owners)] = True
    relations = np.take(is_own, owner_of, axis=1).astype(np.int8) - np.int8(1)
    unknown = _list_rows([query.unknown for query in queries])
    relations[_find(*unknown, distinct)] = 0
    relations[_find(asked, answers, distinct)] = 1
    return np.take(relations, place_of, axis=1)


def group_queries(queries: Sequence[Query]) -> dict[int, list[Query]]:
    """Gather queries by the passages that answer them, in corpus order."""
    by_passage: dict[int, list[Query]] = {}
    for query in queries:
        for row in query.positives:
            by_passage.setdefault(row, []).append(query)
    return dict(sorted(by_passage.items()))


def _hide(text: str, row: int, queries: Sequence[Query]) -> str:
    for query in queries:
        hidden = query.positives.get(row, "")
        if hidden:
            text = mask(text, hidden) or text  # never an empty document
    return text


def _list_rows(sets: Sequence[Collection[int]]) -> tuple[np.ndarray, np.ndarray]:
    """List the members of some sets, after the number of the set that each is of."""
    numbers = np.repeat(np.arange(len(sets)), [len(members) for members in sets])
    rows = np.fromiter(chain.from_iterable(sets), dtype=np.int64, count=len(numbers))
    return numbers, rows


def _find(
    numbers: np.ndarray, members: np.ndarray, values: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Return what members are among some sorted values: their sets' numbers, and their places."""
    places = np.searchsorted(values, members)
    is_there = np.append(values, -1)[places] == members
    return numbers[is_there], places[is_there]
