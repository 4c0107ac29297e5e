"""Documents are ranked by their best passage, and a hidden answer changes one score alone."""

import numpy as np
import pytest

from tasks.core.ranking import best_first, look_up_grades, rank_documents, rescore


@pytest.mark.parametrize("seed", range(10))
def test_documents_are_ranked_as_by_a_loop(seed: int) -> None:
    generator = np.random.default_rng(seed)
    documents = generator.integers(0, 12, 40)
    rows = np.stack([generator.permutation(40)[:25] for _ in range(6)])
    rows[:, generator.integers(5, 25) :] = -1
    expected = []
    for row in rows:
        found = list(dict.fromkeys(int(documents[passage]) for passage in row if passage >= 0))
        expected.append((found + [-1] * 30)[:30])
    assert rank_documents(rows, documents, depth=30).tolist() == expected
    assert rank_documents(rows, documents, depth=4).tolist() == [row[:4] for row in expected]


@pytest.mark.parametrize("seed", range(30))
def test_rescored_hits_are_those_of_a_search_with_the_new_scores(seed: int) -> None:
    generator = np.random.default_rng(seed)
    passages, k = 20, int(generator.integers(3, 21))
    scores = generator.normal(size=(5, passages)).astype(np.float32)
    changes = np.sort(generator.choice(5 * passages, size=6, replace=False))
    queries, changed = np.divmod(changes, passages)
    values = generator.normal(size=6).astype(np.float32)
    every_row = np.tile(np.arange(passages), (5, 1))
    rows, hits = (found[:, :k] for found in best_first(every_row, scores))
    rows, hits = rescore(rows, hits, queries, changed, values)

    truth = scores.copy()
    truth[queries, changed] = values
    for query in range(5):
        known = rows[query] >= 0
        expected = sorted(range(passages), key=lambda row: (-truth[query, row], row))
        # Whatever passed below the list is unknown, so that the list is shorter; it has no gap.
        assert rows[query][known].tolist() == expected[: known.sum()]
        assert np.array_equal(hits[query][known], truth[query, rows[query][known]])
        assert known.sum() >= k - 6


def test_rescored_passage_moves_and_only_for_its_query() -> None:
    rows = np.array([[7, 3, 2], [7, 3, 2]])
    scores = np.array([[0.9, 0.4, 0.3]] * 2, dtype=np.float32)
    changed, _ = rescore(
        rows, scores, np.array([1]), np.array([7]), np.array([0.35], dtype=np.float32)
    )
    assert changed[:, :3].tolist() == [[7, 3, 2], [3, 7, 2]]


def test_a_passage_may_be_taken_off() -> None:
    rows, scores = np.array([[7, 3, -1]]), np.array([[0.9, 0.4, -np.inf]], dtype=np.float32)
    gone = np.array([-np.inf], dtype=np.float32)
    changed, _ = rescore(rows, scores, np.array([0]), np.array([7]), gone)
    assert changed.tolist() == [[3, -1, -1, -1]]


def test_grades_are_looked_up_per_query() -> None:
    ranking = np.array([[4, 1, -1], [1, 4, 2]])
    judged = np.array([[1, -1], [4, 2]])
    grades = np.array([[2, 0], [1, 3]])
    assert look_up_grades(ranking, judged, grades).tolist() == [[0, 2, 0], [0, 1, 3]]
