"""Negatives equal a loop over queries, and no answer is ever among them."""

from collections import Counter

import numpy as np
import pytest

from tasks.core.negatives import Selection, select_negatives


def slow_rule(case: dict, passage: int, score: float, positives: list[int], top: float) -> str:
    documents, texts = case["documents"], case["texts"]
    if documents[passage] in {documents[positive] for positive in positives}:
        return "own_document"
    if not case["is_allowed"][passage]:
        return "held_out"
    if texts[passage] in {texts[positive] for positive in positives}:
        return "same_text"
    return "above_ceiling" if score > top else "good"


def slow_negatives(case: dict, count: int, max_ratio: float) -> tuple[list, list, Counter]:
    negatives, unknown, counts = [], [], Counter()
    for query in range(len(case["candidates"])):
        own = list(zip(case["positives"][query], case["positive_scores"][query], strict=True))
        positives = [p for p, _ in own if p >= 0]
        lowest = min(float(score) for p, score in own if p >= 0)
        top = lowest - (1 - max_ratio) * abs(lowest)
        kept, doubtful = [], []
        hits = zip(case["candidates"][query], case["scores"][query], strict=True)
        for passage, score in ((p, s) for p, s in hits if p >= 0):
            rule = slow_rule(case, passage, score, positives, top)
            if rule == "good":
                rule = "kept" if len(kept) < count else "spare"
                kept.append(passage)
            elif passage not in positives and case["is_allowed"][passage]:
                doubtful.append(passage)
            counts.update(["candidates", rule])
        counts["short"] += len(kept) < count
        negatives.append(kept[:count])
        unknown.append(doubtful)
    return negatives, unknown, counts


def random_case(seed: int) -> dict:
    generator = np.random.default_rng(seed)
    queries, passages, k, most = 12, 40, int(generator.integers(1, 30)), 3
    documents = np.sort(generator.integers(0, 25, passages))
    scores = -np.sort(-generator.normal(0, 0.5, (queries, k))).astype(np.float32)
    candidates = np.stack([generator.permutation(passages)[:k] for _ in range(queries)])
    candidates[generator.random(candidates.shape) < 0.1] = -1
    positives = np.stack([generator.permutation(passages)[:most] for _ in range(queries)])
    positives[:, 1:][generator.random((queries, most - 1)) < 0.5] = -1
    return {
        "candidates": candidates,
        "scores": scores,
        "positives": positives,
        "positive_scores": generator.normal(0, 0.7, positives.shape).astype(np.float32),
        "documents": documents,
        "texts": generator.integers(0, 30, passages),
        "is_allowed": generator.random(25)[documents] < 0.8,
    }


def ragged(rows: np.ndarray) -> list[list[int]]:
    return [[int(passage) for passage in row if passage >= 0] for row in rows]


@pytest.mark.parametrize("seed", range(60))
def test_equals_a_loop(seed: int) -> None:
    case, count, ratio = random_case(seed), 1 + seed % 5, (0.5, 0.95, 1.0)[seed % 3]
    selection = select_negatives(**case, count=count, max_ratio=ratio)
    negatives, unknown, counts = slow_negatives(case, count, ratio)
    assert ragged(selection.negatives) == negatives
    assert ragged(selection.unknown) == unknown
    assert {name: value for name, value in vars(selection.counts).items() if value} == {
        name: value for name, value in counts.items() if value
    }
    assert selection.negatives.shape == (12, count)


@pytest.mark.parametrize("seed", range(20))
def test_every_candidate_is_counted_once(seed: int) -> None:
    counts = dict(vars(select_negatives(**random_case(seed), count=2, max_ratio=0.95).counts))
    short = counts.pop("short")
    assert counts.pop("candidates") == sum(counts.values())
    assert 0 <= short <= 12


@pytest.mark.parametrize("seed", range(20))
def test_a_higher_ceiling_never_takes_a_negative_away(seed: int) -> None:
    case = random_case(seed)
    before: list[set[int]] = [set()] * 12
    for ratio in (0.1, 0.5, 0.9, 0.95, 1.0):
        rows = ragged(select_negatives(**case, count=99, max_ratio=ratio).negatives)
        assert all(old <= set(new) for old, new in zip(before, rows, strict=True))
        before = [set(row) for row in rows]


def one_query(scores: list[float], positive: float, ratio: float = 0.95) -> Selection:
    k = len(scores)
    return select_negatives(
        np.arange(1, k + 1)[None],
        np.array([scores], dtype=np.float32),
        np.array([[0]]),
        np.array([[positive]], dtype=np.float32),
        documents=np.arange(k + 1),
        texts=np.arange(k + 1),
        is_allowed=np.ones(k + 1, dtype=bool),
        count=k,
        max_ratio=ratio,
    )


def test_ceiling_lies_below_a_negative_score_too() -> None:
    # Positive -1: the ceiling is -1.05. A plain .95 * -1 = -.95 would let all three through.
    selection = one_query([-0.96, -1.04, -1.06], positive=-1.0)
    assert ragged(selection.negatives) == [[3]]
    assert ragged(selection.unknown) == [[1, 2]]


def test_lowest_positive_sets_the_ceiling() -> None:
    case = {
        "candidates": np.array([[2]]),
        "scores": np.array([[0.6]], dtype=np.float32),
        "positives": np.array([[0, 1]]),
        "documents": np.arange(3),
        "texts": np.arange(3),
        "is_allowed": np.ones(3, dtype=bool),
        "count": 1,
        "max_ratio": 0.95,
    }
    high = np.array([[0.9, 0.8]], dtype=np.float32)
    low = np.array([[0.9, 0.5]], dtype=np.float32)
    assert ragged(select_negatives(**case, positive_scores=high).negatives) == [[2]]
    assert ragged(select_negatives(**case, positive_scores=low).negatives) == [[]]


def test_too_few_are_left_too_few() -> None:
    selection = one_query([0.89, 0.2], positive=0.9)
    assert selection.negatives.tolist() == [[2, -1]]
    assert selection.counts.short == 1


def test_a_query_without_a_positive_is_an_error() -> None:
    case = random_case(0)
    case["positives"][3] = -1
    with pytest.raises(ValueError, match="Query 3"):
        select_negatives(**case, count=1, max_ratio=0.95)
