"""A teacher's scores in training: from the triplets to the order that the student learns."""

import random
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from pydantic import ValidationError

from tasks.contracts import BurnishError, Checkpoint, Corpus, Pairs, Triplets
from tasks.core.encoder import Encoder
from tasks.model_files import load_encoder
from tasks.tables import read_passages
from tasks.train import TrainConfig, train

FAST = TrainConfig(
    epochs=20, learning_rate=4e-3, passages_per_batch=8, blend=1.0,
    negatives_per_passage=3, precision="float32", checkpoint_seconds=1e9,
)  # fmt: skip
COUNT = 16
SCORES = (0.8, 0.5, 0.2)  # of a query's negatives, the labels saying the same of all three
Dataset = tuple[Corpus, Pairs, Triplets]


@pytest.fixture
def dataset(tmp_path: Path, words: tuple[str, ...]) -> Dataset:
    """Give 16 passages, each with a query, and three negatives that a teacher ranks at random."""
    draw = random.Random(0)
    nouns = draw.sample(words[40:90], 2 * COUNT)
    corpus: list[dict[str, Any]] = []
    pairs: list[dict[str, Any]] = []
    triplets: list[dict[str, Any]] = []
    for number in range(COUNT):
        about, asked = nouns[2 * number], nouns[2 * number + 1]
        others = draw.sample([n for n in range(COUNT) if n != number], 3)
        named = {"passage_id": f"{number}#0"}
        text = " ".join([about, *draw.sample(words[:30], 4), about])
        corpus.append(
            {"document_id": str(number), "title": "", "section": "", "text": text, "source": "",
             "position": "", "cluster": f"{number}#0", **named}
        )  # fmt: skip
        pairs.append(
            {"query_id": f"q{number:02}", "query": f"{asked} {asked}", "relevance": 1, "masked": "",
             "origin": "structure", "split": "train", "weight": 1.0, **named}
        )  # fmt: skip
        triplets.append(
            {"query_id": f"q{number:02}", "negative_ids": [f"{n}#0" for n in others],
             "unknown_ids": [], "score": 0.9, "negative_scores": list(SCORES), **named}
        )  # fmt: skip
    root = tmp_path / "root"
    return Corpus.write(root, corpus), Pairs.write(root, pairs), Triplets.write(root, triplets)


def agreement(encoder: Encoder, dataset: Dataset) -> float:
    """Return the share of pairs of negatives that an encoder ranks as the teacher does."""
    corpus, pairs, triplets = dataset
    passages = read_passages(corpus)
    asked = encoder.encode([row["query"] for row in pairs.read().to_pylist()], "query", [3])[:, 0]
    seen = encoder.encode(passages.texts, "document", [3])[:, 0]
    agreed = []
    for query, row in zip(asked, triplets.read().to_pylist(), strict=True):
        found = [float(query @ seen[passages.rows[name]]) for name in row["negative_ids"]]
        agreed += [found[0] > found[1], found[1] > found[2], found[0] > found[2]]
    return float(np.mean(agreed))


def test_the_student_learns_an_order_that_no_label_tells(
    dataset: Dataset, checkpoint: Checkpoint
) -> None:
    found = {
        teacher: agreement(
            load_encoder(train.fn(*dataset, checkpoint, FAST.model_copy(update=changes)).path),
            dataset,
        )
        for teacher, changes in {
            "none": {},
            "margin_mse": {"teacher": "margin_mse", "teacher_weight": 0.3},
            "kl": {"teacher": "kl", "teacher_weight": 3.0},
        }.items()
    }
    for teacher in ("margin_mse", "kl"):
        assert found[teacher] > found["none"] + 0.2, found


def test_what_the_teacher_did_not_score_is_not_learnt(
    dataset: Dataset, checkpoint: Checkpoint
) -> None:
    corpus, pairs, triplets = dataset
    rows = triplets.read().to_pylist()
    silent = [row | {"negative_scores": [float("nan")] * 3} for row in rows]
    unscored = Triplets.write(corpus.root, silent)
    short = FAST.model_copy(update={"epochs": 1})
    taught = short.model_copy(update={"teacher": "kl"})
    plain = train.fn(corpus, pairs, triplets, checkpoint, short).fingerprint
    assert train.fn(corpus, pairs, unscored, checkpoint, taught).fingerprint == plain
    assert train.fn(corpus, pairs, triplets, checkpoint, taught).fingerprint != plain


def test_a_weight_without_a_teacher_is_refused() -> None:
    with pytest.raises(ValidationError, match="does nothing without teacher: set it to"):
        TrainConfig(teacher_weight=0.5)
    assert TrainConfig(teacher="kl", teacher_weight=0.5).loss == "infonce"


def test_a_base_compared_by_inner_products_has_no_teacher(
    dataset: Dataset,
    make_checkpoint: Callable[..., Checkpoint],
    make_encoder: Callable[..., Encoder],
) -> None:
    base = make_checkpoint(make_encoder(normalize=False))
    with pytest.raises(BurnishError, match=r"kl compares cosines.*Leave train\.teacher at none"):
        train.fn(*dataset, base, FAST.model_copy(update={"teacher": "kl"}))
