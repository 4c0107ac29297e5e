"""Triplets: each rule takes what it should, and what is doubtful is neither pulled nor pushed."""

import math
from pathlib import Path

import pytest

from tasks.contracts import BurnishError, Candidates, Corpus, Pairs, Triplets
from tasks.mine import MineConfig, mine

TEXTS = {
    "answer#0": "the answer",
    "answer#1": "more of the document that answers",
    "copy#0": "The  ANSWER",
    "near#0": "nearly the same",
    "hard#0": "hard",
    "hard#1": "less hard",
    "held#0": "a test question asks for this",
    "held#1": "and this is in the same document",
    "easy#0": "easy",
    "second#0": "another document that answers",
    "mirror#0": "a test question asks nearly for this",
}
CLUSTERS = {"copy#0": "answer#0", "mirror#0": "held#0"}


@pytest.fixture
def corpus(tmp_path: Path) -> Corpus:
    rows = [
        {"passage_id": name, "document_id": name.partition("#")[0], "text": text}
        | {"cluster": CLUSTERS.get(name, name)}
        | dict.fromkeys(("title", "section", "source", "position"), "")
        for name, text in TEXTS.items()
    ]
    return Corpus.write(tmp_path, rows)


def pairs(corpus: Corpus, *answers: str, origin: str = "human") -> Pairs:
    row = {"query": "?", "relevance": 1, "origin": origin, "masked": "", "weight": 1.0}
    rows = [{"query_id": "q", "passage_id": answer, "split": "train", **row} for answer in answers]
    test = {"query_id": "t", "passage_id": "held#0", "split": "test", **row}
    return Pairs.write(corpus.root, [*rows, test])


def candidates(
    corpus: Corpus, positives: dict[str, float], planted: float | None = None, **found: float
) -> Candidates:
    scores = {name.replace("_", "#"): score for name, score in found.items()}
    row = {
        "query_id": "q",
        "passage_ids": list(scores),
        "scores": list(scores.values()),
        "positive_ids": list(positives),
        "positive_scores": list(positives.values()),
        "planted_scores": [] if planted is None else [planted],
    }
    return Candidates.write(corpus.root, [row], facts={"background": 0.0, "depth": 10})


FOUND = {
    "answer_0": 0.80, "near_0": 0.79, "held_1": 0.75, "answer_1": 0.74, "copy_0": 0.73,
    "held_0": 0.72, "mirror_0": 0.71, "hard_0": 0.70, "hard_1": 0.60, "easy_0": 0.10,
}  # fmt: skip


def run(
    corpus: Corpus,
    positives: dict[str, float],
    origin: str = "human",
    planted: float | None = None,
    **config: object,
) -> Triplets:
    found = candidates(corpus, positives, planted, **FOUND)
    asked = pairs(corpus, *positives, origin=origin)
    return mine.fn(corpus, asked, found, MineConfig.model_validate(config))


def test_each_rule_takes_its_own(corpus: Corpus) -> None:
    triplets = run(corpus, {"answer#0": 0.80}, negatives_per_query=2)
    assert triplets.read().to_pylist() == [
        {
            "query_id": "q",
            "passage_id": "answer#0",
            "negative_ids": ["hard#0", "hard#1"],
            "unknown_ids": ["near#0", "answer#1", "copy#0"],
            "score": pytest.approx(0.80),
            "negative_scores": pytest.approx([0.70, 0.60]),
        }
    ]
    assert triplets.facts == {
        "rows": 1, "queries": 1, "round_trip": 0, "candidates": 10, "own_document": 2,
        "held_out": 3, "near_duplicate": 1, "above_ceiling": 1, "kept": 2, "spare": 1, "short": 0,
        "random": 0, "ceiling": 0.95, "background": 0.0, "false_negative_rate": 0.0,
        "planted": {"planted": 0, "spared": 0.0, "as_negatives": 0.0, "as_naive_negatives": 0.0,
                    "unknown_answers": 0.0, "false_negative_rate": 0.0},
    }  # fmt: skip


def test_short_lists_stay_short_and_rows_without_negatives_are_kept(corpus: Corpus) -> None:
    triplets = run(corpus, {"answer#0": 0.80}, negatives_per_query=9)
    assert triplets.read().to_pylist()[0]["negative_ids"] == ["hard#0", "hard#1", "easy#0"]
    assert triplets.facts["short"] == 1
    (row,) = run(corpus, {"answer#0": 0.05}).read().to_pylist()
    assert row["negative_ids"] == []
    assert {"hard#0", "hard#1", "easy#0"} <= set(row["unknown_ids"])


def test_max_ratio_is_the_ceiling(corpus: Corpus) -> None:
    kept = {
        ratio: run(corpus, {"answer#0": 0.80}, max_ratio=ratio).read().to_pylist()[0]
        for ratio in (0.80, 0.95, 1.0)
    }
    assert kept[0.80]["negative_ids"] == ["hard#1", "easy#0"]
    assert kept[0.95]["negative_ids"] == ["hard#0", "hard#1", "easy#0"]
    assert kept[1.0]["negative_ids"] == ["near#0", "hard#0", "hard#1", "easy#0"]


def test_a_judged_document_answers_with_its_best_passage(corpus: Corpus) -> None:
    """All passages of a relevant document are positives; its introduction is no ceiling."""
    triplets = run(corpus, {"answer#0": 0.20, "answer#1": 0.74}, negatives_per_query=1)
    (row,) = triplets.read().to_pylist()
    assert row["passage_id"] == "answer#1"
    assert row["negative_ids"] == ["hard#0"]  # .70 lies below .95 * .74, far above .95 * .20
    assert "answer#0" in row["unknown_ids"]


def test_one_row_per_document_and_the_weaker_one_sets_the_ceiling(corpus: Corpus) -> None:
    rows = run(corpus, {"answer#0": 0.80, "second#0": 0.65}).read().to_pylist()
    assert [row["passage_id"] for row in rows] == ["answer#0", "second#0"]
    assert [row["negative_ids"] for row in rows] == [["hard#1", "easy#0"]] * 2
    assert "hard#0" in rows[0]["unknown_ids"]


def test_nothing_of_a_document_that_is_evaluated_is_trained_on(corpus: Corpus) -> None:
    for ratio in (0.5, 1.0):
        triplets = run(corpus, {"answer#0": 0.80}, max_ratio=ratio, negatives_per_query=99)
        for row in triplets.read().to_pylist():
            named = {row["passage_id"], *row["negative_ids"], *row["unknown_ids"]}
            assert not named & {"held#0", "held#1"}


def test_training_on_what_is_evaluated_is_an_error(corpus: Corpus) -> None:
    for leaked in ("held#0", "held#1", "mirror#0"):
        with pytest.raises(BurnishError, match="leak into training"):
            run(corpus, {leaked: 0.80})


def test_round_trip_drops_made_queries_that_do_not_find_their_passage(corpus: Corpus) -> None:
    """Five passages of other documents score above .725: the answer comes sixth."""
    for origin in ("structure", "human"):
        for most in (5, 6):
            triplets = run(corpus, {"easy#0": 0.725}, origin=origin, round_trip=most)
            is_dropped = origin != "human" and most == 5
            assert triplets.facts["round_trip"] == is_dropped
            assert len(triplets.read()) == (not is_dropped)


def test_without_a_ceiling_the_best_candidates_are_taken_as_they_are(corpus: Corpus) -> None:
    (row,) = run(corpus, {"answer#0": 0.05}, max_ratio=None).read().to_pylist()
    assert row["negative_ids"] == ["near#0", "hard#0", "hard#1", "easy#0"]


def test_sampled_negatives_are_some_of_those_that_qualify(corpus: Corpus) -> None:
    found = set()
    for seed in range(20):
        config = {"choice": "sampled", "negatives_per_query": 2, "seed": seed}
        (row,) = run(corpus, {"answer#0": 0.80}, **config).read().to_pylist()
        assert len(row["negative_ids"]) == 2
        assert row["unknown_ids"] == ["near#0", "answer#1", "copy#0"]
        found |= set(row["negative_ids"])
        (again,) = run(corpus, {"answer#0": 0.80}, **config).read().to_pylist()
        assert again == row
    assert found == {"hard#0", "hard#1", "easy#0"}


def test_random_negatives_come_on_top_and_may_not_answer(corpus: Corpus) -> None:
    config = {"negatives_per_query": 1, "random_per_query": 9}
    triplets = run(corpus, {"answer#0": 0.80}, **config)
    (row,) = triplets.read().to_pylist()
    assert row["negative_ids"][0] == "hard#0"
    assert sorted(row["negative_ids"][1:]) == ["easy#0", "hard#1", "second#0"]
    assert triplets.facts["random"] == 3
    scores = dict(zip(row["negative_ids"], row["negative_scores"], strict=True))
    expected = {"hard#0": 0.7, "hard#1": 0.6, "easy#0": 0.1, "second#0": math.nan}
    assert scores == pytest.approx(expected, nan_ok=True)  # never found, so never scored
    (alone,) = (
        run(corpus, {"answer#0": 0.80}, negatives_per_query=0, random_per_query=2)
        .read(["negative_ids"])
        .to_pylist()
    )
    assert len(alone["negative_ids"]) == 2


@pytest.mark.parametrize(
    ("planted", "spared", "as_negatives", "as_naive_negatives"),
    [(0.79, 1, 0, 1), (0.65, 0, 1, 0), (0.2, 0, 0, 0)],
)
def test_a_planted_answer_tells_what_would_become_of_one(
    corpus: Corpus, planted: float, spared: int, as_negatives: int, as_naive_negatives: int
) -> None:
    """Negatives kept go down to .60, the ceiling is .76, and the best two end at .79."""
    facts = run(corpus, {"answer#0": 0.80}, planted=planted, negatives_per_query=2).facts
    told = ("planted", "spared", "as_negatives", "as_naive_negatives")
    assert {name: facts["planted"][name] for name in told} == {
        "planted": 1, "spared": spared, "as_negatives": as_negatives,
        "as_naive_negatives": as_naive_negatives,
    }  # fmt: skip


def test_a_near_copy_of_any_passage_that_answers_is_no_negative(corpus: Corpus) -> None:
    """The document's second passage is trained on; a copy of its first is elsewhere."""
    (row,) = run(corpus, {"answer#0": 0.20, "answer#1": 0.79}).read().to_pylist()
    assert row["passage_id"] == "answer#1"
    assert "copy#0" not in row["negative_ids"]
    assert "copy#0" in row["unknown_ids"]


def test_a_round_trip_beyond_what_was_retrieved_is_an_error(corpus: Corpus) -> None:
    with pytest.raises(BurnishError, match="only the best 10 passages were retrieved"):
        run(corpus, {"answer#0": 0.80}, round_trip=11)


def test_where_negatives_are_drawn_a_planted_answer_is_drawn_as_seldom(corpus: Corpus) -> None:
    """Three candidates qualify beside it and one is drawn: it would be, once in four."""
    config = {"choice": "sampled", "negatives_per_query": 1}
    facts = run(corpus, {"answer#0": 0.80}, planted=0.3, **config).facts
    assert facts["planted"]["as_negatives"] == 0.25
