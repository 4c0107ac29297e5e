"""The score that training is watched by: the dev split's queries on a part of the corpus."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import torch

from .contracts import BurnishError, Pairs
from .core.metrics import NDCG_DEPTH, ndcg
from .core.ranks import embed_shared
from .core.text import mask
from .tables import AskedQuery, Passages, read_queries

if TYPE_CHECKING:
    from .core.encoder import Encoder, Kind

MOST_QUERIES = 2000  # the mean's standard error is below .01
MOST_PASSAGES = 5000  # seconds on a GPU, a minute on a CPU, and hard enough to tell models apart


@dataclass(frozen=True, eq=False)
class DevSet:
    """Queries and the passages they are searched in.

    Attributes:
        questions: Texts of the queries.
        texts: Passages, then what remains of those that queries were cut out of.
        grades: (queries, texts) how well each answers, 0 for not at all.
        is_searched: (queries, texts) whether it may be found: neither a passage of an answer's
            document that nobody judged, nor what is left of a passage for other queries.
    """

    questions: list[str]
    texts: list[str]
    grades: np.ndarray
    is_searched: np.ndarray

    def score(self, encoder: "Encoder") -> float:
        """Return the mean nDCG@10 of the last layer."""
        asked = _embed(encoder, self.questions, "query")
        found = asked @ _embed(encoder, self.texts, "document").T
        found[~self.is_searched] = -np.inf
        best = np.argsort(-found, axis=1, kind="stable")[:, :NDCG_DEPTH]
        return float(ndcg(np.take_along_axis(self.grades, best, axis=1), self.grades).mean())


def read_dev_set(
    pairs: Pairs,
    passages: Passages,
    *,
    seed: int,
    most_queries: int = MOST_QUERIES,
    most_passages: int = MOST_PASSAGES,
) -> DevSet:
    """Read the dev split's queries, those of people where there are any, and what they search.

    That is all that answers them, and of the rest of the corpus as many as `most_passages` leaves,
    drawn by `seed`.

    Raises:
        BurnishError: there is no dev query.
    """
    queries = read_queries(pairs, passages, {"dev"})
    if not queries:
        raise BurnishError(
            f"train.patience watches the dev split, but Pairs {pairs.fingerprint} hold no dev "
            "query. Raise --synthesize.dev-fraction, or leave train.patience at 0."
        )
    human = [query for query in queries if query.origin == "human"]
    queries = human or queries
    random = np.random.default_rng(seed)
    chosen = np.sort(random.permutation(len(queries))[:most_queries])
    return _assemble(
        [queries[number] for number in chosen.tolist()], passages, random, most_passages
    )


def _assemble(
    queries: Sequence[AskedQuery], passages: Passages, random: np.random.Generator, most: int
) -> DevSet:
    answers = {answer.row for query in queries for answer in query.answers}
    others = [row for row in random.permutation(len(passages.texts)).tolist() if row not in answers]
    pool = sorted([*answers, *others[: max(0, most - len(answers))]])
    place = {row: number for number, row in enumerate(pool)}
    texts = [passages.texts[row] for row in pool]
    hidden = [
        (number, answer)
        for number, query in enumerate(queries)
        for answer in query.answers
        if answer.masked
    ]
    texts += [
        mask(passages.texts[answer.row], answer.masked) or passages.texts[answer.row]
        for _, answer in hidden
    ]
    grades = np.zeros((len(queries), len(texts)), dtype=np.int64)
    is_searched = np.zeros(grades.shape, dtype=bool)
    is_searched[:, : len(pool)] = True
    documents = passages.documents[pool]
    for number, query in enumerate(queries):
        own = {int(passages.documents[answer.row]) for answer in query.answers}
        is_searched[number, : len(pool)] &= ~np.isin(documents, sorted(own))
        for answer in query.answers:
            column = place[answer.row]
            is_searched[number, column] = not answer.masked
            grades[number, column] = 0 if answer.masked else answer.relevance
    for column, (number, answer) in enumerate(hidden, start=len(pool)):
        is_searched[number, column] = True
        grades[number, column] = answer.relevance
    return DevSet([query.text for query in queries], texts, grades, is_searched)


def _embed(encoder: "Encoder", texts: Sequence[str], kind: "Kind") -> np.ndarray:
    def embed(rows: list[int]) -> torch.Tensor:
        vectors = encoder.encode([texts[row] for row in rows], kind, [encoder.layers])
        return torch.from_numpy(vectors).transpose(0, 1).to(encoder.device)

    found: np.ndarray = embed_shared(embed, [len(text) for text in texts])[0].cpu().numpy()
    return found
