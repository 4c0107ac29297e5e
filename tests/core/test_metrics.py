"""Metrics by hand, beside a loop, and at their bounds."""

from math import log2

import numpy as np
import pytest

from tasks.core.metrics import average_precision, mrr, ndcg, recall


def slow_ndcg(ranking: list[str], qrels: dict[str, int], depth: int) -> float:
    """Compute trec_eval's ndcg_cut, as pytrec_eval does, with documents and a dictionary."""
    gains = [qrels.get(document, 0) / log2(i + 2) for i, document in enumerate(ranking[:depth])]
    best = sorted(qrels.values(), reverse=True)[:depth]
    ideal = sum(grade / log2(i + 2) for i, grade in enumerate(best))
    return sum(gains) / ideal if ideal else 0.0


def slow_map(ranking: list[str], qrels: dict[str, int], depth: int) -> float:
    """Compute trec_eval's map_cut, whose divisor counts what was not found too."""
    hits, total = 0, 0.0
    for rank, document in enumerate(ranking[:depth], start=1):
        if qrels.get(document, 0) > 0:
            hits += 1
            total += hits / rank
    return total / len(qrels) if qrels else 0.0


@pytest.mark.parametrize(
    ("ranked", "judged", "expected"),
    [
        ([1, 0, 0], [1], 1.0),
        ([0, 1, 0], [1], 1 / log2(3)),
        ([0, 0, 0], [1], 0.0),
        # Linear gain: an exponential one would give (1 + 3 / log2(3)) / (3 + 1 / log2(3)) = .797.
        ([1, 2], [2, 1], (1 + 2 / log2(3)) / (2 + 1 / log2(3))),
        ([1, 0], [1, 1, 1], 1 / (1 + 1 / log2(3) + 1 / log2(4))),  # not found, still in the ideal
        ([0] * 10 + [1], [1], 0.0),  # rank 11
        ([0, 0], [0], 0.0),  # nothing is relevant
    ],
)
def test_ndcg_by_hand(ranked: list[int], judged: list[int], expected: float) -> None:
    assert ndcg([ranked], [judged]) == pytest.approx([expected])


def test_all_equal_loops_over_documents() -> None:
    generator = np.random.default_rng(0)
    ranked, judged, expected = np.zeros((50, 30), int), np.zeros((50, 12), int), []
    for query in range(50):
        documents = [str(number) for number in generator.permutation(60)]
        relevant = generator.choice(60, size=generator.integers(1, 13), replace=False)
        qrels = {str(number): int(generator.integers(1, 4)) for number in relevant}
        judged[query, : len(qrels)] = generator.permutation(list(qrels.values()))
        ranked[query] = [qrels.get(document, 0) for document in documents[:30]]
        places = [i for i, document in enumerate(documents[:10], start=1) if document in qrels]
        expected.append(
            (
                slow_ndcg(documents[:30], qrels, 10),
                len(set(documents[:20]) & set(qrels)) / len(qrels),
                1 / places[0] if places else 0.0,
                slow_map(documents[:30], qrels, 25),
            )
        )
    found = zip(
        ndcg(ranked, judged),
        recall(ranked, judged, depth=20),
        mrr(ranked),
        average_precision(ranked, judged, depth=25),
        strict=True,
    )
    np.testing.assert_allclose(list(found), expected)


def test_best_ranking_scores_one_and_order_matters() -> None:
    grades = np.array([[3, 2, 1, 0, 0]])
    assert ndcg(grades, grades) == pytest.approx([1.0])
    assert ndcg(grades[:, ::-1], grades)[0] < 1
    assert recall(grades, grades) == recall(grades[:, ::-1], grades) == [1.0]
    assert average_precision(grades, grades) == [1.0]
    assert average_precision(grades[:, ::-1], grades)[0] == pytest.approx(
        (1 / 3 + 2 / 4 + 3 / 5) / 3
    )


def test_cut_offs() -> None:
    late = np.zeros((1, 101), dtype=int)
    late[0, 100] = 1
    assert recall(late, [[1]]) == [0.0]
    assert recall(late[:, 1:], [[1]]) == [1.0]
    assert average_precision(late, [[1]]) == [0.0]
    assert average_precision(late[:, 1:], [[1]]) == pytest.approx([0.01])
    assert mrr(late[:, 90:]) == [0.0]
    assert mrr(late[:, 91:]) == [0.1]


def test_a_ranking_may_be_empty() -> None:
    empty = np.zeros((2, 0), dtype=int)
    judged = [[1]] * 2
    found = ndcg(empty, judged), mrr(empty), average_precision(empty, judged)
    assert [metric.tolist() for metric in found] == [[0, 0]] * 3
