"""Training rows to look at closely: drawn by hash, so that the same are drawn again."""

import hashlib
from collections import defaultdict
from collections.abc import Collection, Iterable
from dataclasses import dataclass, field
from typing import Any

import pyarrow.compute as pc

from ..contracts import Candidates, Corpus, Pairs, Triplets, batched_rows
from .blocks import ANSWER, Excerpt, Sample
from .columns import read_rows
from .legible import shorten

SAMPLES = 20
MAX_QUERY, MAX_NAME = 600, 200  # characters
DRAWN = 2000  # training queries whose scores are looked at: shares then err by a per cent or so


@dataclass
class MinedQuery:
    """What retrieval and mining found for one training query.

    Attributes:
        query_id: Which query.
        scores: The teacher's score by retrieved passage.
        positives: The teacher's score by passage that answers.
        rows: Passage and negatives of each training row.
    """

    query_id: str
    scores: dict[str, float]
    positives: dict[str, float]
    rows: list[tuple[str, list[str]]] = field(default_factory=list)

    @property
    def best(self) -> float:
        """Return the highest score among the passages that answer."""
        return max(self.positives.values())

    @property
    def preferred(self) -> int:
        """Count the passages that the teacher scores above every answer."""
        others = (score for name, score in self.scores.items() if name not in self.positives)
        return sum(score > self.best for score in others)

    @property
    def negative_scores(self) -> list[float]:
        """Return the scores of the negatives kept, as far as they were retrieved."""
        kept = {name for _, negatives in self.rows for name in negatives}
        return [self.scores[name] for name in sorted(kept & self.scores.keys())]


def read_mined(
    pairs: Pairs, candidates: Candidates, triplets: Triplets, most: int = DRAWN, each: int = SAMPLES
) -> dict[str, MinedQuery]:
    """Read what was found for at most `most` training queries, and `each` of every origin, by id.

    A rare origin, as a few people's questions among many made ones, is to be seen as well.
    """
    trained = triplets.read(["query_id"]).column("query_id").unique()
    table = pairs.read(["query_id", "origin"])
    table = table.filter(pc.is_in(table.column("query_id"), trained))
    origins = dict(batched_rows(table, ("query_id", "origin")))
    drawn = sorted(origins, key=_draw)
    by_origin: dict[str, list[str]] = defaultdict(list)
    for name in drawn:
        by_origin[origins[name]].append(name)
    chosen = {*drawn[:most], *(name for names in by_origin.values() for name in names[:each])}
    found: dict[str, Any] = {}
    names = ["query_id", "passage_ids", "scores", "positive_ids", "positive_scores"]
    for row in read_rows(candidates, names, "query_id", chosen):
        scores, positives = (
            dict(zip(row[ids], row[values], strict=True))
            for ids, values in (("passage_ids", "scores"), ("positive_ids", "positive_scores"))
        )
        found[row["query_id"]] = MinedQuery(row["query_id"], scores, positives)
    names = ["query_id", "passage_id", "negative_ids"]
    for row in read_rows(triplets, names, "query_id", found):
        found[row["query_id"]].rows.append((row["passage_id"], row["negative_ids"]))
    return {name: found[name] for name in sorted(found, key=_draw)}


def sample_rows(
    corpus: Corpus, pairs: Pairs, mined: dict[str, MinedQuery], count: int = SAMPLES
) -> list[Sample]:
    """Read `count` training rows, of every origin about as many, to be read by a person."""
    names = ("query_id", "query", "passage_id", "origin", "masked", "weight")
    asked: dict[str, dict[str, Any]] = {}
    masked: dict[tuple[str, str], str] = {}
    for row in read_rows(pairs, names, "query_id", mined):
        asked[row["query_id"]] = row
        masked[row["query_id"], row["passage_id"]] = row["masked"]
    by_origin: dict[str, list[str]] = defaultdict(list)
    for name in mined:
        if name in asked:
            by_origin[asked[name]["origin"]].append(name)
    chosen = [mined[name] for name in take_turns(by_origin.values(), count)]
    shown = {name for query in chosen for p, n in query.rows[:1] for name in (p, *n)}
    names = ("passage_id", "title", "section", "text", "source", "position")
    passages = {row["passage_id"]: row for row in read_rows(corpus, names, "passage_id", shown)}
    return [
        _tell_row(asked[query.query_id], query, passages, masked) for query in chosen if query.rows
    ]


def take_turns(groups: Iterable[Collection[str]], count: int) -> list[str]:
    """Take from each group in turn until `count` are taken or all are.

    >>> take_turns([["a", "b", "c"], ["x"]], 3)
    ['a', 'x', 'b']
    """
    waiting = [iter(group) for group in groups]
    taken: list[str] = []
    while waiting and len(taken) < count:
        going = []
        for group in waiting:
            item = next(group, None)
            if item is not None:
                taken.append(item)
                going.append(group)
        waiting = going
    return taken[:count]


def _draw(name: str) -> bytes:
    return hashlib.blake2b(name.encode(), digest_size=8).digest()


def _tell_row(
    asked: dict[str, Any],
    query: MinedQuery,
    passages: dict[str, dict[str, Any]],
    masked: dict[tuple[str, str], str],
) -> Sample:
    """Put the query's first row as it is read: the answer, then its negatives, hardest first."""
    positive, negatives = query.rows[0]
    marked = masked.get((query.query_id, positive), "")
    excerpts = [_excerpt(ANSWER, query.positives.get(positive), passages[positive], marked)]
    excerpts += [
        _excerpt(f"negative {number}", query.scores.get(name), passages[name])
        for number, name in enumerate(negatives, 1)
    ]
    weighs = "" if asked["weight"] == 1 else f", weight {asked['weight']:.3g}"
    return Sample(shorten(asked["query"], MAX_QUERY), asked["origin"] + weighs, tuple(excerpts))


def _excerpt(role: str, score: float | None, row: dict[str, Any], marked: str = "") -> Excerpt:
    heading = " > ".join(shorten(part, MAX_NAME) for part in (row["title"], row["section"]) if part)
    file = shorten(row["source"].rpartition("/")[2], MAX_NAME)
    place = " ".join(part for part in (file, row["position"]) if part)
    shown = marked if marked in row["text"] else ""
    return Excerpt(role, score, place, heading, row["text"], shown)
