"""Examples: what the teacher scored too near the answer is left alone where a batch meets it."""

from pathlib import Path

import pytest

from tasks.contracts import Candidates, Corpus, Pairs
from tasks.core.batches import build_batch, group_queries
from tasks.examples import read_examples
from tasks.mine import MineConfig, mine
from tasks.tables import read_passages

# What the teacher finds for each passage's own query, whose answer it scores .80.
FOUND = {
    "answer": {"answer": 0.80, "rival": 0.79, "hard": 0.70, "easy": 0.10},
    "rival": {"rival": 0.80, "answer": 0.50, "hard": 0.40, "easy": 0.10},
    "hard": {"answer": 0.81, "hard": 0.80, "rival": 0.60, "easy": 0.10},
    "easy": {"easy": 0.80, "hard": 0.30, "answer": 0.20, "rival": 0.10},
}


@pytest.mark.parametrize(
    ("max_ratio", "relations"),
    [  # by query, then by passage: answer, rival, hard, easy
        (0.95, [[1, 0, -1, -1], [-1, 1, -1, -1], [0, -1, 1, -1], [-1, -1, -1, 1]]),
        (0.80, [[1, 0, 0, -1], [-1, 1, -1, -1], [0, -1, 1, -1], [-1, -1, -1, 1]]),
        (None, [[1, -1, -1, -1], [-1, 1, -1, -1], [-1, -1, 1, -1], [-1, -1, -1, 1]]),
    ],
)
def test_in_a_batch_what_scores_above_the_ceiling_is_unknown(
    tmp_path: Path, max_ratio: float | None, relations: list[list[int]]
) -> None:
    empty = dict.fromkeys(("title", "section", "source", "position"), "")
    corpus = Corpus.write(
        tmp_path,
        [
            {"passage_id": f"{name}#0", "document_id": name, "text": name, "cluster": name} | empty
            for name in FOUND
        ],
    )
    rest = {"relevance": 1, "origin": "human", "split": "train", "masked": "", "weight": 1.0}
    pairs = Pairs.write(
        tmp_path,
        [
            {"query_id": name, "query": f"{name}?", "passage_id": f"{name}#0"} | rest
            for name in FOUND
        ],
    )
    candidates = Candidates.write(
        tmp_path,
        [
            {
                "query_id": name,
                "passage_ids": [f"{other}#0" for other in scores],
                "scores": list(scores.values()),
                "positive_ids": [f"{name}#0"],
                "positive_scores": [0.80],
                "planted_scores": [],
            }
            for name, scores in FOUND.items()
        ],
        facts={"background": 0.0, "depth": 4},
    )
    config = MineConfig(max_ratio=max_ratio, negatives_per_query=1)
    triplets = mine.fn(corpus, pairs, candidates, config)
    passages = read_passages(corpus)
    queries = read_examples(pairs, triplets, passages)
    batch = build_batch(
        range(4), group_queries(queries), passages.texts, passages.documents,
        queries_per_passage=1, negatives_per_passage=1, seed=(0,),
    )  # fmt: skip
    assert batch.queries == [f"{name}?" for name in FOUND]
    assert batch.documents == list(FOUND)
    assert batch.relations.tolist() == relations
