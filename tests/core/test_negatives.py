"""Negatives equal a loop over queries, and no answer is ever among them."""

from collections import Counter

import numpy as np
import pytest

from tasks.core.negatives import (
    Selection,
    Yield,
    draw_negatives,
    find_ceilings,
    find_rivals,
    rank_positives,
    select_negatives,
)


def slow_rule(case: dict, passage: int, score: float, positives: list[int], top: float) -> str:
    documents, clusters, answers = case["documents"], case["clusters"], case["own"]
    if documents[passage] in {documents[positive] for positive in positives}:
        return "own_document"
    if not case["is_allowed"][passage]:
        return "held_out"
    if clusters[passage] in {clusters[answer] for answer in answers}:
        return "near_duplicate"
    return "above_ceiling" if score > top else "good"


def slow_ceiling(own: list[tuple[int, float]], ratio: float | None, background: float) -> float:
    if ratio is None:
        return float("inf")
    lowest = min(float(score) for passage, score in own if passage >= 0)
    return lowest - (1 - ratio) * abs(lowest - background)


def slow_negatives(
    case: dict, positive_scores: np.ndarray, count: int, ratio: float | None, background: float
) -> tuple[list, list, Counter]:
    negatives, unknown, counts = [], [], Counter()
    for query in range(len(case["candidates"])):
        own = list(zip(case["positives"][query], positive_scores[query], strict=True))
        positives = [p for p, _ in own if p >= 0]
        case["own"] = [answer for answer in case["answers"][query] if answer >= 0]
        top = slow_ceiling(own, ratio, background)
        good, doubtful = [], []
        hits = zip(case["candidates"][query], case["scores"][query], strict=True)
        for place, (passage, score) in enumerate(hits):
            if passage < 0:
                continue
            rule = slow_rule(case, passage, score, positives, top)
            counts.update(["candidates"])
            if rule == "good":
                good.append((place, passage))
                continue
            counts.update([rule])
            if passage not in positives and case["is_allowed"][passage]:
                doubtful.append(passage)
        if "draws" in case:
            good.sort(key=lambda found: case["draws"][query][found[0]])
        kept = [passage for _, passage in sorted(good[:count])]
        counts.update(kept=len(kept), spare=len(good) - len(kept), short=len(kept) < count)
        negatives.append(kept)
        unknown.append(doubtful)
    return negatives, unknown, counts


def random_case(seed: int) -> tuple[dict, np.ndarray]:
    generator = np.random.default_rng(seed)
    queries, passages, k, most = 12, 40, int(generator.integers(1, 30)), 3
    documents = np.sort(generator.integers(0, 25, passages))
    scores = -np.sort(-generator.normal(0, 0.5, (queries, k))).astype(np.float32)
    candidates = np.stack([generator.permutation(passages)[:k] for _ in range(queries)])
    candidates[generator.random(candidates.shape) < 0.1] = -1
    positives = np.stack([generator.permutation(passages)[:most] for _ in range(queries)])
    positives[:, 1:][generator.random((queries, most - 1)) < 0.5] = -1
    # a document answers with all its passages, and is trained on with one of them
    answers = np.full((queries, passages), -1)
    for row, own in zip(answers, positives, strict=True):
        whole = np.flatnonzero(np.isin(documents, documents[own[own >= 0]]))
        row[: len(whole)] = whole
    case = {
        "candidates": candidates,
        "scores": scores,
        "positives": positives,
        "answers": answers,
        "documents": documents,
        "clusters": generator.integers(0, 30, passages),
        "is_allowed": generator.random(25)[documents] < 0.8,
    }
    if seed % 2:
        case["draws"] = generator.random(candidates.shape)
    return case, generator.normal(0, 0.7, positives.shape).astype(np.float32)


def ragged(rows: np.ndarray) -> list[list[int]]:
    return [[int(passage) for passage in row if passage >= 0] for row in rows]


@pytest.mark.parametrize("seed", range(60))
def test_equals_a_loop(seed: int) -> None:
    case, scores = random_case(seed)
    count, ratio, background = 1 + seed % 5, (0.5, 0.95, 1.0, None)[seed % 4], 0.1 * (seed % 3)
    ceilings = find_ceilings(case["positives"], scores, ratio, background)
    selection = select_negatives(**case, ceilings=ceilings, count=count)
    assert (selection.eligible >= np.count_nonzero(selection.negatives >= 0, axis=1)).all()
    negatives, unknown, counts = slow_negatives(case, scores, count, ratio, background)
    assert ragged(selection.negatives) == negatives
    assert ragged(selection.unknown) == unknown
    assert vars(selection.counts) == {name: counts[name] for name in vars(Yield())}
    assert selection.negatives.shape == (12, count)


@pytest.mark.parametrize("seed", range(20))
def test_every_candidate_is_counted_once(seed: int) -> None:
    case, scores = random_case(seed)
    ceilings = find_ceilings(case["positives"], scores, 0.95)
    counts = dict(vars(select_negatives(**case, ceilings=ceilings, count=2).counts))
    short = counts.pop("short")
    assert counts.pop("candidates") == sum(counts.values())
    assert 0 <= short <= 12


@pytest.mark.parametrize("seed", range(20))
def test_a_higher_ceiling_never_takes_a_negative_away(seed: int) -> None:
    case, scores = random_case(seed)
    before: list[set[int]] = [set()] * 12
    for ratio in (0.1, 0.5, 0.9, 0.95, 1.0, None):
        ceilings = find_ceilings(case["positives"], scores, ratio)
        rows = ragged(select_negatives(**case, ceilings=ceilings, count=99).negatives)
        assert all(old <= set(new) for old, new in zip(before, rows, strict=True))
        before = [set(row) for row in rows]


def one_query(scores: list[float], positive: float, background: float = 0.0) -> Selection:
    k = len(scores)
    found = np.array([[positive]], dtype=np.float32)
    return select_negatives(
        np.arange(1, k + 1)[None],
        np.array([scores], dtype=np.float32),
        np.array([[0]]),
        np.array([[0]]),
        ceilings=find_ceilings(np.array([[0]]), found, 0.95, background),
        documents=np.arange(k + 1),
        clusters=np.arange(k + 1),
        is_allowed=np.ones(k + 1, dtype=bool),
        count=k,
    )


def test_ceiling_lies_below_a_negative_score_too() -> None:
    # Positive -1: the ceiling is -1.05. A plain .95 * -1 = -.95 would let all three through.
    selection = one_query([-0.96, -1.04, -1.06], positive=-1.0)
    assert ragged(selection.negatives) == [[3]]
    assert ragged(selection.unknown) == [[1, 2]]


def test_counted_from_the_background_a_ratio_means_the_same_to_every_model() -> None:
    """A model whose scores are squeezed into .7 to 1 keeps the negatives that it had before."""
    scores = [0.97, 0.9, 0.5, 0.2]
    squeezed = [0.7 + 0.3 * score for score in scores]
    wide = one_query(scores, positive=0.95)
    assert ragged(wide.negatives) == [[2, 3, 4]]
    assert ragged(one_query(squeezed, 0.7 + 0.3 * 0.95).negatives) == [[3, 4]]
    assert ragged(one_query(squeezed, 0.7 + 0.3 * 0.95, 0.7).negatives) == ragged(wide.negatives)


def test_lowest_positive_sets_the_ceiling() -> None:
    positives = np.array([[0, 1]])
    high, low = (np.array([[0.9, lowest]], dtype=np.float32) for lowest in (0.8, 0.5))
    assert find_ceilings(positives, high, 0.95) == pytest.approx([0.76])
    assert find_ceilings(positives, low, 0.95) == pytest.approx([0.475])


def test_too_few_are_left_too_few() -> None:
    selection = one_query([0.89, 0.2], positive=0.9)
    assert selection.negatives.tolist() == [[2, -1]]
    assert selection.counts.short == 1


def test_a_query_without_a_positive_is_an_error() -> None:
    with pytest.raises(ValueError, match="Query 1"):
        find_ceilings(np.array([[3], [-1]]), np.ones((2, 1), dtype=np.float32), 0.95)


def test_rank_counts_the_better_passages_that_are_not_known_to_answer() -> None:
    documents = np.array([0, 0, 1, 2, 3, 4])
    case = {
        "candidates": np.array([[1, 2, 3, 5, 0], [1, 2, 3, -1, -1], [1, 2, 3, 5, 4]]),
        "scores": np.array([[0.9, 0.8, 0.7, 0.65, 0.6], [0.9, 0.8, 0.7, -np.inf, -np.inf],
                            [0.9, 0.8, 0.7, 0.65, 0.6]], dtype=np.float32),
        "answers": np.array([[0, 1, 4], [4, -1, -1], [4, -1, -1]]),
        "documents": documents,
    }  # fmt: skip
    positives = {
        "positives": np.array([[0, 4], [4, -1], [4, -1]]),
        "positive_scores": np.array([[0.6, 0.68], [0.1, -np.inf], [0.1, -np.inf]], np.float32),
    }
    # the first: .68 is its best; passage 1 is its own document's, passages 2 and 3 are better;
    # the last: below all that was found
    alone = np.arange(6)
    assert rank_positives(**case, **positives, clusters=alone).tolist() == [3, 4, 6]
    assert find_rivals(**case, clusters=alone) == pytest.approx([0.8, 0.9, 0.9])
    # passage 2 says nearly what passage 0 does: it answers the first query too
    near = np.array([0, 1, 0, 3, 4, 5])
    assert rank_positives(**case, **positives, clusters=near).tolist() == [2, 4, 6]
    assert find_rivals(**case, clusters=near) == pytest.approx([0.7, 0.9, 0.9])


def test_random_negatives_may_not_answer_and_do_not_depend_on_other_queries() -> None:
    generator = np.random.default_rng(0)
    documents, clusters = np.arange(60) // 2, np.arange(60)
    clusters[10] = clusters[0]
    is_allowed = np.arange(60) < 50
    positives = np.array([[0, -1], [20, 30]])
    unknown = generator.integers(0, 50, (2, 5))
    taken = np.array([[40, -1], [41, 42]])
    seeds = np.array([3, 4], dtype=np.uint64)
    labels = {"documents": documents, "clusters": clusters, "is_allowed": is_allowed}
    drawn = draw_negatives(positives, unknown, taken, **labels, count=12, seeds=seeds)
    assert (drawn >= 0).all()
    for query, row in enumerate(drawn):
        own = positives[query][positives[query] >= 0]
        assert len(set(row)) == 12
        assert is_allowed[row].all()
        assert not set(row) & {*unknown[query], *taken[query]}
        assert not set(documents[row]) & set(documents[own])
        assert not set(clusters[row]) & set(clusters[own])
    alone = draw_negatives(
        positives[1:], unknown[1:], taken[1:], **labels, count=12, seeds=seeds[1:]
    )
    assert (alone == drawn[1:]).all()


def test_where_hardly_any_passage_may_be_drawn_those_few_are() -> None:
    documents = np.zeros(500, dtype=np.int64)
    documents[[7, 8]] = 1, 2
    none = np.full((1, 1), -1)
    drawn = draw_negatives(
        np.array([[0]]), none, none, documents=documents, clusters=np.arange(500),
        is_allowed=np.ones(500, dtype=bool), count=3, seeds=np.array([0], dtype=np.uint64),
    )  # fmt: skip
    assert sorted(drawn[0]) == [-1, 7, 8]
