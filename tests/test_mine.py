"""Triplets: each rule takes what it should, and what is doubtful is neither pulled nor pushed."""

from pathlib import Path

import pytest

from tasks.contracts import Candidates, Corpus, Pairs, Triplets
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
}


@pytest.fixture
def corpus(tmp_path: Path) -> Corpus:
    rows = [
        {"passage_id": name, "document_id": name.partition("#")[0], "text": text}
        | dict.fromkeys(("title", "section", "source", "position"), "")
        for name, text in TEXTS.items()
    ]
    return Corpus.write(tmp_path, rows)


def pairs(corpus: Corpus, *answers: str, origin: str = "human") -> Pairs:
    row = {"query": "?", "relevance": 1, "origin": origin, "masked": ""}
    rows = [{"query_id": "q", "passage_id": answer, "split": "train", **row} for answer in answers]
    test = {"query_id": "t", "passage_id": "held#0", "split": "test", **row}
    return Pairs.write(corpus.root, [*rows, test])


def candidates(corpus: Corpus, positives: dict[str, float], **found: float) -> Candidates:
    scores = {name.replace("_", "#"): score for name, score in found.items()}
    row = {
        "query_id": "q",
        "passage_ids": list(scores),
        "scores": list(scores.values()),
        "positive_ids": list(positives),
        "positive_scores": list(positives.values()),
    }
    return Candidates.write(corpus.root, [row])


FOUND = {
    "answer_0": 0.80, "near_0": 0.79, "held_1": 0.75, "answer_1": 0.74, "copy_0": 0.73,
    "held_0": 0.72, "hard_0": 0.70, "hard_1": 0.60, "easy_0": 0.10,
}  # fmt: skip


def run(corpus: Corpus, positives: dict[str, float], **config: float) -> Triplets:
    found = candidates(corpus, positives, **FOUND)
    return mine.fn(corpus, pairs(corpus, *positives), found, MineConfig(**config))


def test_each_rule_takes_its_own(corpus: Corpus) -> None:
    triplets = run(corpus, {"answer#0": 0.80}, negatives_per_query=2)
    assert triplets.read().to_pylist() == [
        {
            "query_id": "q",
            "passage_id": "answer#0",
            "negative_ids": ["hard#0", "hard#1"],
            "unknown_ids": ["near#0", "answer#1", "copy#0"],
        }
    ]
    assert triplets.facts == {
        "rows": 1, "queries": 1, "candidates": 9, "own_document": 2, "held_out": 2, "same_text": 1,
        "above_ceiling": 1, "kept": 2, "spare": 1, "short": 0,
        "false_negative_rate": pytest.approx(1 / 3, abs=1e-4),
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
