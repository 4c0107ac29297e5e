"""Candidates equal a full sort by the teacher's last layer, and ceilings are honest."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tasks.contracts import BurnishError, Checkpoint, Corpus, Pairs
from tasks.core.planting import plant
from tasks.core.text import compose, mask
from tasks.model_files import load_encoder
from tasks.retrieve import RetrieveConfig, retrieve

TEXTS = {
    "ship#0": "the captain sails the ship on the dark sea",
    "ship#1": "the crew sleeps in the harbour at night",
    "bread#0": "the old mill makes bread for the village",
    "king#0": "the king keeps gold in the castle by the lake",
    "wolf#0": "the wolf sleeps in the dark forest in winter",
}


def make_corpus(root: Path) -> Corpus:
    return Corpus.write(
        root,
        [
            {
                "passage_id": passage_id,
                "document_id": passage_id.partition("#")[0],
                "title": passage_id.partition("#")[0],
                "section": "",
                "text": text,
                "source": "test",
                "position": "",
                "cluster": passage_id,
            }
            for passage_id, text in TEXTS.items()
        ],
    )


def pair(query_id: str, query: str, passage_id: str, **changes: object) -> dict[str, Any]:
    row = {"relevance": 1, "origin": "human", "split": "train", "masked": "", "weight": 1.0}
    return {"query_id": query_id, "query": query, "passage_id": passage_id, **row, **changes}


def vectors(teacher: Checkpoint, texts: list[str], kind: str) -> np.ndarray:
    encoder = load_encoder(teacher.path)
    return encoder.encode(texts, kind, [encoder.layers])[:, 0]


def test_candidates_are_those_of_a_full_sort(checkpoint: Checkpoint) -> None:
    root = checkpoint.root
    corpus = make_corpus(root)
    pairs = Pairs.write(
        root,
        [
            pair("b", "who keeps the gold", "king#0"),
            pair("a", "where the crew sleeps", "ship#0"),
            pair("a", "where the crew sleeps", "ship#1"),
            pair("c", "a test question", "wolf#0", split="test"),
            pair("d", "a dev question", "bread#0", split="dev"),
        ],
    )
    rows = retrieve.fn(corpus, pairs, checkpoint, RetrieveConfig(depth=3)).read().to_pylist()
    assert [row["query_id"] for row in rows] == ["a", "b"]

    composed = [compose(name.partition("#")[0], "", text) for name, text in TEXTS.items()]
    passages = vectors(checkpoint, composed, "document")
    queries = ["where the crew sleeps", "who keeps the gold"]
    for row, query in zip(rows, vectors(checkpoint, queries, "query"), strict=True):
        scores = passages @ query
        order = np.argsort(-scores, kind="stable")[:3]
        assert row["passage_ids"] == [list(TEXTS)[place] for place in order]
        assert row["scores"] == pytest.approx(scores[order], abs=1e-5)
        expected = [scores[list(TEXTS).index(name)] for name in row["positive_ids"]]
        assert row["positive_scores"] == pytest.approx(expected, abs=1e-5)
    assert rows[0]["positive_ids"] == ["ship#0", "ship#1"]


def test_a_positive_is_scored_without_the_span_its_query_was_cut_from(
    checkpoint: Checkpoint,
) -> None:
    root, span = checkpoint.root, "sails the ship on"
    masked = pair("s", span, "ship#0", origin="span", masked=span)
    plain = pair("t", span, "ship#0")
    pairs = Pairs.write(root, [masked, plain])
    rows = retrieve.fn(make_corpus(root), pairs, checkpoint, RetrieveConfig()).read().to_pylist()
    composed = compose("ship", "", TEXTS["ship#0"])
    hidden, whole = vectors(checkpoint, [mask(composed, span), composed], "document")
    (query,) = vectors(checkpoint, [span], "query")
    assert rows[0]["positive_scores"] == pytest.approx([hidden @ query], abs=1e-5)
    assert rows[1]["positive_scores"] == pytest.approx([whole @ query], abs=1e-5)
    assert abs(hidden @ query - whole @ query) > 1e-3


def test_a_small_corpus_gives_fewer_candidates(checkpoint: Checkpoint) -> None:
    root = checkpoint.root
    pairs = Pairs.write(root, [pair("a", "gold", "king#0")])
    candidates = retrieve.fn(make_corpus(root), pairs, checkpoint, RetrieveConfig(depth=50))
    (row,) = candidates.read().to_pylist()
    assert sorted(row["passage_ids"]) == sorted(TEXTS)
    assert candidates.facts["queries_with_own_document"] == 1


def test_running_again_gives_the_same_noun(checkpoint: Checkpoint) -> None:
    corpus = make_corpus(checkpoint.root)
    pairs = Pairs.write(checkpoint.root, [pair("a", "gold", "king#0")])
    first, again = (retrieve.fn(corpus, pairs, checkpoint, RetrieveConfig()) for _ in range(2))
    assert first.fingerprint == again.fingerprint
    assert first.facts["work"]["embedded"] > 0 == again.facts["work"]["embedded"]


def test_errors_say_what_to_do(checkpoint: Checkpoint) -> None:
    root = checkpoint.root
    corpus = make_corpus(root)
    with pytest.raises(BurnishError, match="no training query"):
        pairs = Pairs.write(root, [pair("a", "gold", "king#0", split="test")])
        retrieve.fn(corpus, pairs, checkpoint, RetrieveConfig())
    with pytest.raises(BurnishError, match="not in the corpus"):
        pairs = Pairs.write(root, [pair("a", "gold", "queen#0")])
        retrieve.fn(corpus, pairs, checkpoint, RetrieveConfig())


def test_a_planted_answer_is_scored_for_as_many_queries_as_wanted(checkpoint: Checkpoint) -> None:
    root = checkpoint.root
    pairs = Pairs.write(root, [pair(name, f"gold {name}", "king#0") for name in "abc"])
    for planted in (0, 2, 256):
        config = RetrieveConfig(planted=planted)
        rows = retrieve.fn(make_corpus(root), pairs, checkpoint, config).read().to_pylist()
        found = {row["query_id"]: row["planted_scores"] for row in rows if row["planted_scores"]}
        assert len(found) == min(planted, 3)
        for query_id, (score,) in found.items():
            text = plant(compose("king", "", TEXTS["king#0"]), "", query_id)
            (expected,) = vectors(checkpoint, [text], "document")
            (query,) = vectors(checkpoint, [f"gold {query_id}"], "query")
            assert score == pytest.approx(float(expected @ query), abs=1e-5)


def test_the_background_is_the_mean_score_of_queries_and_passages(checkpoint: Checkpoint) -> None:
    root = checkpoint.root
    pairs = Pairs.write(root, [pair(name, f"gold {name}", "king#0") for name in "abc"])
    facts = retrieve.fn(make_corpus(root), pairs, checkpoint, RetrieveConfig()).facts
    composed = [compose(name.partition("#")[0], "", text) for name, text in TEXTS.items()]
    queries = vectors(checkpoint, [f"gold {name}" for name in "abc"], "query")
    scores = queries @ vectors(checkpoint, composed, "document").T
    assert facts["background"] == pytest.approx(float(scores.mean()), abs=1e-5)
