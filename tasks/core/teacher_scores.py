"""A teacher's scores: from what it found to the matrix that a batch learns from."""

from collections.abc import Mapping, Sequence

import numpy as np

from .ranking import EMPTY, Rows, Values


def find_scores(passages: Rows, candidates: Rows, scores: Values) -> Values:
    """Look up how a teacher scored passages of each query: (queries, n), NaN where it did not.

    Args:
        passages: (queries, n) passages, -1 where there are fewer.
        candidates: (queries, k) passages that were scored, -1 where there are fewer.
        scores: (queries, k) their scores.

    >>> scores = np.array([[0.9, 0.5]], dtype=np.float32)
    >>> find_scores(np.array([[4, 7, -1]]), np.array([[3, 4]]), scores)
    array([[0.5, nan, nan]], dtype=float32)
    """
    found = np.full(passages.shape, np.nan, dtype=np.float32)
    for column in range(passages.shape[1]):  # few, beside candidates
        wanted = passages[:, column, None]
        queries, places = np.nonzero((candidates == wanted) & (wanted != EMPTY))
        found[queries, column] = scores[queries, places]
    return found


def arrange_scores(known: Sequence[Mapping[int, float]], columns: Sequence[int]) -> Values:
    """Arrange what a teacher said as the relations are: (queries, columns), NaN where unknown.

    Args:
        known: Of each query, its scores by corpus row.
        columns: Corpus rows of the batch's documents.

    >>> arrange_scores([{3: 0.5, 9: 0.25}, {}], [7, 3])
    array([[nan, 0.5],
           [nan, nan]], dtype=float32)
    """
    arranged = np.full((len(known), len(columns)), np.nan, dtype=np.float32)
    places = {row: place for place, row in enumerate(columns)}
    for query, scores in enumerate(known):
        for row, score in scores.items():
            if row in places:
                arranged[query, places[row]] = score
    return arranged
