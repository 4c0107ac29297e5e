"""People's questions: which split each belongs to, and what it takes with it."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import NamedTuple

from .splits import Split, assign_splits

_STRENGTH: Mapping[Split, int] = {"train": 0, "dev": 1, "test": 2}


class Aside(NamedTuple):
    """What was set aside, where it came from, and why: `kind`, or `kind: details`."""

    item: str
    source: str
    reason: str


@dataclass(frozen=True)
class Question:
    """What a person asked.

    Attributes:
        query_id: Its id, unique among all questions.
        text: The question.
        relevances: Relevance of the documents that answer it, above 0.
        split: Where its source has it.
        open_splits: Evaluation splits its source leaves to us, because it has none of its own.
        source: The folder it came from.
    """

    query_id: str
    text: str
    relevances: Mapping[str, int]
    split: Split
    open_splits: frozenset[Split]
    source: str


def place_questions(
    questions: Sequence[Question],
    document_ids: Sequence[str],
    *,
    dev_fraction: float,
    test_fraction: float,
) -> tuple[list[Question], dict[str, Split], list[Aside]]:
    """Split documents and questions together, so that nothing evaluated is trained on.

    Dev and test questions stay where they are and take the documents that answer them along. A
    train question answered by a document of an evaluation split goes there, with all documents
    that answer it, if its source leaves that split to us; else it is set aside, since the splits
    people published stay as published.

    Args:
        questions: Questions whose documents are all in the corpus.
        document_ids: Documents of the corpus.
        dev_fraction: Share of the documents that no question claims for dev.
        test_fraction: The same for test.

    Returns:
        The questions kept, in order and with their final split; the split of every document; and
        the questions set aside.
    """
    splits = assign_splits(
        document_ids, _claimed(questions), dev_fraction=dev_fraction, test_fraction=test_fraction
    )
    placed = {question.query_id: question for question in questions}
    aside: list[Aside] = []
    waiting = [question for question in questions if question.split == "train"]
    moved = True
    while moved:  # a question that moves takes documents along, which may move others
        moved = False
        for question in waiting:
            split = strongest(splits[document_id] for document_id in question.relevances)
            if split in question.open_splits:
                placed[question.query_id] = replace(question, split=split)
                for document_id in question.relevances:
                    splits[document_id] = strongest([splits[document_id], split])
                moved = True
            elif split != "train":
                del placed[question.query_id]
                reason = f"train question of an evaluation document: {split}"
                aside.append(Aside(question.query_id, question.source, reason))
        waiting = [q for q in waiting if q.query_id in placed and placed[q.query_id] is q]
    return list(placed.values()), splits, aside


def strongest(splits: Iterable[Split]) -> Split:
    """Return the split that wins: test over dev over train.

    >>> strongest(["train", "test", "dev"])
    'test'
    """
    return max(splits, key=_STRENGTH.__getitem__)


def _claimed(questions: Sequence[Question]) -> dict[str, Split]:
    claimed: dict[str, Split] = {}
    for question in questions:
        if question.split != "train":
            for document_id in question.relevances:
                claimed[document_id] = strongest(
                    [question.split, claimed.get(document_id, question.split)]
                )
    return claimed
