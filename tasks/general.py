"""The general set: questions about something else, to see what a tuned model has forgotten."""

from collections.abc import Collection, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from .contracts import GENERAL, BurnishError
from .human import EVALUATION, read_questions
from .sources import Listing, list_sources, read_documents

if TYPE_CHECKING:
    from .benchmark import Benchmark
    from .core.questions import Question
    from .core.text import Document

PYTHON, PYTHON_QUESTIONS = "pydoc:", "builtin:python"


def list_general(
    name: str | None, sources: Collection[str], root: Path, *, max_file_bytes: int
) -> Listing | None:
    """Look at the general set once, so that what cannot be read is said before anything starts.

    Args:
        name: A folder in BEIR's layout or `pydoc:`; none leaves it out. Not given, it is Python's
            documentation, unless the model is tuned on that.
        sources: What the model is tuned on.
        root: Folder of all nouns.
        max_file_bytes: Longest row that is read.

    Returns:
        The listing, None if there is no general set.

    Raises:
        BurnishError: there are no documents, or no questions about them.
    """
    if name is None:
        name = "" if PYTHON in {source.strip() for source in sources} else PYTHON
    if not name.strip():
        return None
    questions = PYTHON_QUESTIONS if name.strip() == PYTHON else ""
    listing = list_sources([name], questions, (), root, max_file_bytes=max_file_bytes)
    if not listing.judged:
        raise BurnishError(
            f"The general set {name} has no questions: it takes a folder in BEIR's layout, with "
            "corpus.jsonl, queries.jsonl, and qrels/test.tsv, or `pydoc:`; '' leaves it out."
        )
    return listing


def read_general(listing: Listing, root: Path, most_passages: int, seed: int) -> "Benchmark":
    """Read the general set as a benchmark with the one group `test general`.

    A document is one passage, read as far as the model reads. What is searched is bounded: the
    documents that answer a question, and of the others a sample.

    Args:
        listing: From `list_general`.
        root: Folder of all nouns.
        most_passages: Most documents searched, hence most that answer.
        seed: Decides which.

    Raises:
        BurnishError: no question is about these documents.
    """
    import numpy as np
    import pyarrow as pa

    from .benchmark import make_benchmark
    from .tables import Answer, AskedQuery, Passages

    documents = {document.document_id: document for document in read_documents(listing, root)[0]}
    questions, _ = read_questions(listing, root, documents, {}, use_train=True)
    asked, ids = draw(questions, documents, most_passages, seed)
    if not asked:
        raise BurnishError(
            f"The general set {', '.join(listing.sources)} has no question that its documents "
            f"answer, or none that {most_passages} documents do. Name another, raise "
            "--evaluate.general-passages, or leave it out with --evaluate.general=''."
        )
    numbers, rows = np.arange(len(ids)), {name: row for row, name in enumerate(ids)}
    passages = Passages(
        names=pa.array(ids, pa.string()), documents=numbers, document_ids=ids, clusters=numbers,
        ids=ids, texts=[_compose(documents[name]) for name in ids], rows=rows,
    )  # fmt: skip
    queries = []
    for question in asked:
        answers = [Answer(rows[name], grade, "") for name, grade in question.relevances.items()]
        query = AskedQuery(question.query_id, question.text, "test", GENERAL, answers=answers)
        queries.append(query)
    return make_benchmark(passages, queries)


def bound_general(passages: int) -> int:
    """Return the most documents of the general set that are searched beside so many passages.

    What was forgotten of something else shall not take much longer to measure than what was
    learned: on a small corpus it was most of a run.

    >>> [bound_general(passages) for passages in (71, 800, 20_000)]
    [500, 800, 1000]
    """
    return min(max(passages, 500), 1000)


def draw(
    questions: "Sequence[Question]", document_ids: Collection[str], most: int, seed: int
) -> "tuple[list[Question], list[str]]":
    """Draw questions and the documents to search, the same ones in whatever order they come.

    Args:
        questions: Those of dev and test are drawn; where there are none, those of train.
        document_ids: All documents.
        most: Most documents, and most questions.
        seed: Decides which.

    Returns:
        Questions, all of whose answers are among the documents, and these, both by id.
    """
    from .core.splits import digest

    held_out = [question for question in questions if question.split in EVALUATION]
    asked: list[Question] = []
    chosen: set[str] = set()
    for question in sorted(
        held_out or questions, key=lambda question: digest(seed, question.query_id)
    ):
        if len(chosen | question.relevances.keys()) <= most and len(asked) < most:
            asked.append(question)
            chosen |= question.relevances.keys()
    others = sorted(set(document_ids) - chosen, key=lambda name: digest(seed, name))
    chosen.update(others[: most - len(chosen)])
    return sorted(asked, key=lambda question: question.query_id), sorted(chosen)


def _compose(document: "Document") -> str:
    from .core.text import compose

    parts = [
        part for section in document.sections for part in (section.heading, section.text) if part
    ]
    return compose(document.title, "", "\n".join(parts))
