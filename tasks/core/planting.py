"""Planted answers: what is known to answer, to see whether mining would take it for a negative."""

from dataclasses import dataclass

import numpy as np
import sentencex

from .negatives import Draws, Flags
from .ranking import Values
from .splits import draw
from .text import mask

KEPT_SHARE = 2 / 3  # of the sentences: enough to answer, too few to be a near-duplicate


@dataclass(frozen=True)
class Planted:
    """What mining would have done to the planted answers.

    Attributes:
        planted: How many there were.
        spared: Share of them that lie above the ceiling, so that mining leaves them alone.
        as_negatives: Share that would have been a query's negatives.
        as_naive_negatives: The same had there been no ceiling.
        unknown_answers: The most answers per query that nobody knows of, on average.
        false_negative_rate: An estimate of the share of answers among the negatives kept.
    """

    planted: int
    spared: float
    as_negatives: float
    as_naive_negatives: float
    unknown_answers: float
    false_negative_rate: float


def plant(passage: str, masked: str, label: str) -> str:
    """Return a text that answers what a passage answers and is not the passage.

    It is the passage without the span that the query was cut out of and without a third of its
    sentences, drawn by `label`; of a passage of a single sentence, without its last words.

    >>> plant("One is short. Two is longer. Three ends it.", "", "a").count(".")
    2
    """
    text = mask(passage, masked) or passage
    spans = [
        (found["start_index"], found["end_index"])
        for found in sentencex.get_sentence_boundaries("en", text)
    ]
    if len(spans) < 2:
        words = text.split()
        return " ".join(words[: max(1, round(KEPT_SHARE * len(words)))])
    order = sorted(range(len(spans)), key=lambda number: draw("plant", label, number))
    kept = sorted(order[: max(1, round(KEPT_SHARE * len(spans)))])
    return " ".join(text[slice(*spans[number])].strip() for number in kept)


def judge_planted(
    planted: Values,
    ceilings: Draws,
    floors: Draws,
    naive_floors: Draws,
    rivals: Draws,
    chances: Draws,
    *,
    queries: int,
    kept: int,
) -> Planted:
    """Estimate from planted answers how many of the negatives kept are answers.

    A planted answer is spared if it scores above the query's ceiling, and would be a negative if
    it scores at or below it and at least as high as the weakest negative kept.

    Had a query `a` answers that nobody knows of, each as good as the planted one, the planted one
    would come first of them all once in `a + 1` times. So where it comes before every passage of
    the corpus for a share `u` of the queries, there are at most 1 / u - 1 unknown answers per
    query: fewer, as far as passages that do not answer come first as well. Of those the same share
    as of the planted ones are pushed away; the rate is an upper bound in that sense.

    Args:
        planted: (planted,) scores of planted answers.
        ceilings: (planted,) highest score of a negative of their queries.
        floors: (planted,) score of the weakest negative kept, -inf where there were too few.
        naive_floors: (planted,) the same for the best candidates, whatever they are.
        rivals: (planted,) score of the best passage of a document that has no known answer.
        chances: (planted,) probability that a candidate which qualifies is taken: 1, or less
            where negatives are drawn.
        queries: Queries mined for.
        kept: Negatives kept for all of them.
    """
    if not len(planted):
        return Planted(0, 0.0, 0.0, 0.0, 0.0, 0.0)
    is_spared: Flags = planted > ceilings
    pushed = float(np.where(~is_spared & (planted >= floors), chances, 0.0).mean())
    first = max(float((planted > rivals).mean()), 1 / len(planted))
    hidden = 1 / first - 1
    return Planted(
        planted=len(planted),
        spared=float(is_spared.mean()),
        as_negatives=pushed,
        as_naive_negatives=float((planted >= naive_floors).mean()),
        unknown_answers=hidden,
        false_negative_rate=min(1.0, hidden * pushed * queries / kept) if kept else 0.0,
    )
