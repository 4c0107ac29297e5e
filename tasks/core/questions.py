"""People's questions: which split each belongs to, and what it takes with it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import NamedTuple

from .splits import Split, assign_splits, strongest

HUMAN = "human"
CLICKS = "clicks"
BY_PEOPLE = frozenset({HUMAN, CLICKS})


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
        source: The folder or click log it came from.
        origin: `human`, of people who judged documents, or `clicks`.
        weight: How much it counts in training, above 0; a made query counts 1.
    """

    query_id: str
    text: str
    relevances: Mapping[str, int]
    split: Split
    open_splits: frozenset[Split]
    source: str
    origin: str = HUMAN
    weight: float = 1.0


def place_questions(
    questions: Sequence[Question],
    document_ids: Sequence[str],
    *,
    dev_fraction: float,
    test_fraction: float,
    families: Mapping[str, str] | None = None,
) -> tuple[list[Question], dict[str, Split], list[Aside]]:
    """Split documents and questions together, so that nothing evaluated is trained on.

    Dev and test questions stay where they are and take the documents that answer them along, and
    a document takes its family: what says much the same is all in one split. A train question
    answered by a document of an evaluation split goes there, with all documents
    that answer it, if its source leaves that split to us; else it is set aside, since the splits
    people published stay as published.

    Args:
        questions: Questions whose documents are all in the corpus.
        document_ids: Documents of the corpus.
        dev_fraction: Share of the documents that no question claims for dev.
        test_fraction: The same for test.
        families: For a document that says much the same as others, the id that stands for all.

    Returns:
        The questions kept, in order and with their final split; the split of every document; and
        the questions set aside.
    """
    family = {name: (families or {}).get(name, name) for name in document_ids}
    by_document = assign_splits(
        document_ids,
        _claimed(questions),
        dev_fraction=dev_fraction,
        test_fraction=test_fraction,
        families=families,
    )
    splits = {family[name]: split for name, split in by_document.items()}
    answering = {q.query_id: [family[name] for name in q.relevances] for q in questions}
    placed = {question.query_id: question for question in questions}
    aside: list[Aside] = []
    waiting = [question for question in questions if question.split == "train"]
    moved = True
    while moved:  # a question that moves takes documents along, which may move others
        moved = False
        for question in waiting:
            split = strongest(splits[name] for name in answering[question.query_id])
            if split in question.open_splits:
                placed[question.query_id] = replace(question, split=split)
                for name in answering[question.query_id]:
                    splits[name] = strongest([splits[name], split])
                moved = True
            elif split != "train":
                del placed[question.query_id]
                reason = f"train question of an evaluation document: {split}"
                aside.append(Aside(question.query_id, question.source, reason))
        waiting = [q for q in waiting if q.query_id in placed and placed[q.query_id] is q]
    return list(placed.values()), {n: splits[family[n]] for n in document_ids}, aside


def _claimed(questions: Sequence[Question]) -> dict[str, Split]:
    claimed: dict[str, Split] = {}
    for question in questions:
        if question.split != "train":
            for document_id in question.relevances:
                claimed[document_id] = strongest(
                    [question.split, claimed.get(document_id, question.split)]
                )
    return claimed
