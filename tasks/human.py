"""People's questions of a listing, checked against the corpus."""

from collections import defaultdict
from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from .contracts import BurnishError
from .core.questions import HUMAN, Aside, Question
from .core.splits import Split, digest, strongest
from .sources.inventory import Inventory
from .sources.judgments import read_judgments
from .sources.listing import Listing, open_inventory
from .sources.qrels import Judgment

EVALUATION: tuple[Split, Split] = ("dev", "test")


def read_questions(
    listing: Listing,
    root: Path,
    document_ids: Collection[str],
    twins: Mapping[str, str],
    *,
    use_train: bool,
    weight: float = 1.0,
) -> tuple[list[Question], list[Aside]]:
    """Read the questions of a listing that documents of this corpus answer.

    Args:
        listing: Names folders with judgments, in BEIR's layout.
        root: Folder of all nouns, for copies of what is behind a URL.
        document_ids: Documents of the corpus.
        twins: For a judged document that the corpus has under another id alone, that id.
        use_train: Whether `qrels/train.tsv` counts at all.
        weight: Weight of a question in training.

    Returns:
        The questions, and what was set aside.

    Raises:
        BurnishError: no document that a folder judges is in the corpus.
    """
    questions: dict[str, Question] = {}
    aside: list[Aside] = []
    for folder in listing.judged:
        inventory = open_inventory(root, "judgments", folder, listing.max_file_bytes)
        found, unread = _read_folder(folder, inventory, document_ids, twins, use_train=use_train)
        aside += unread
        for question in found:
            # Two folders may both have a question 1.
            taken = question.query_id in questions
            query_id = question.query_id + (f":{digest(folder)[:6]}" if taken else "")
            questions[query_id] = replace(question, query_id=query_id, weight=weight)
    return list(questions.values()), aside


def _read_folder(
    folder: str,
    inventory: Inventory,
    document_ids: Collection[str],
    twins: Mapping[str, str],
    *,
    use_train: bool,
) -> tuple[list[Question], list[Aside]]:
    read = read_judgments(folder, inventory)
    judgments = [
        replace(judgment, document_id=twins.get(judgment.document_id, judgment.document_id))
        for judgment in read.judgments
    ]
    aside = [Aside(reject.document_id, reject.source, reject.reason) for reject in read.rejects]
    wanted = [j for j in judgments if use_train or j.split != "train"]
    known = [j for j in wanted if j.document_id in document_ids]
    if wanted and not known:
        raise _unknown(folder, wanted, document_ids)
    aside += [
        Aside(j.query_id, f"{folder}/qrels/{j.split}", f"unknown document: {j.document_id}")
        for j in wanted
        if j.document_id not in document_ids
    ]
    given = {judgment.split for judgment in read.judgments}
    open_splits = frozenset(split for split in EVALUATION if split not in given)
    questions, doubles = _gather(folder, read.queries, known, open_splits)
    return questions, aside + doubles


def _gather(
    folder: str,
    queries: Mapping[str, str],
    judgments: Sequence[Judgment],
    open_splits: frozenset[Split],
) -> tuple[list[Question], list[Aside]]:
    """Gather judgments by question; of one judged in two splits the evaluation side holds."""
    by_query: dict[str, dict[Split, dict[str, int]]] = defaultdict(dict)
    for judgment in judgments:
        given: Split = judgment.split  # type: ignore[assignment]
        relevances = by_query[judgment.query_id].setdefault(given, {})
        known = relevances.get(judgment.document_id, 0)  # two documents may be one in the corpus
        relevances[judgment.document_id] = max(known, judgment.relevance)
    questions, aside = [], []
    for query_id, by_split in by_query.items():
        split = strongest(by_split)
        name = f"{HUMAN}:{query_id}"
        questions.append(
            Question(name, queries[query_id], by_split[split], split, open_splits, folder)
        )
        aside += [
            Aside(name, f"{folder}/qrels/{other}", f"judged in two splits: {split} holds")
            for other in by_split
            if other != split
        ]
    return questions, aside


def _unknown(
    folder: str, judgments: Sequence[Judgment], document_ids: Collection[str]
) -> BurnishError:
    return BurnishError(
        f"None of the {len(judgments)} judgments in {folder}/qrels names a document of this "
        f"corpus: they say {judgments[0].document_id!r}, the corpus has ids like "
        f"{min(document_ids, default='')!r}. Add the source these judgments are about, or leave "
        "the questions out."
    )
