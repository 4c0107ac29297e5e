"""Training: it learns, exits learn, the last layer is held, a resume ends bit for bit the same."""

import random
from pathlib import Path

import numpy as np
import pytest

from tasks import phases
from tasks.contracts import BurnishError, Checkpoint, Corpus, Pairs, Triplets
from tasks.core.encoder import Encoder
from tasks.core.text import compose
from tasks.model_files import load_encoder
from tasks.tables import read_passages
from tasks.train import TrainConfig, read_examples, resolve_exits, train

FAST = TrainConfig(
    epochs=12, learning_rate=2e-3, exit_epochs=20, exit_learning_rate=2e-3, passages_per_batch=8,
    exit_texts_per_batch=8, neighbours=2, precision="float32", checkpoint_seconds=1e-6,
    blend=1.0,
)  # fmt: skip
POLISH_STEPS = 12 * 24 // 8  # epochs, passages, passages per batch
Dataset = tuple[Corpus, Pairs, Triplets]


@pytest.fixture
def dataset(tmp_path: Path, words: tuple[str, ...]) -> Dataset:
    """Give 24 passages, each with a query of words that its passage does not hold."""
    draw = random.Random(0)
    nouns = draw.sample(words[40:90], 48)
    passages, pairs, triplets = [], [], []
    for number in range(24):
        about, asked = nouns[2 * number], nouns[2 * number + 1]
        text = " ".join([about, *draw.sample(words[:30], 4), about])
        passages.append(
            {"passage_id": f"{number}#0", "document_id": str(number), "title": "", "section": "",
             "text": text, "source": "s", "position": "", "cluster": f"{number}#0"}
        )  # fmt: skip
        pairs.append(
            {"query_id": f"q{number}", "query": f"{asked} {asked}", "passage_id": f"{number}#0",
             "relevance": 1, "origin": "structure", "split": "train", "masked": "",
             "weight": 1.0}
        )  # fmt: skip
        triplets.append(
            {"query_id": f"q{number}", "passage_id": f"{number}#0",
             "negative_ids": [f"{(number + 1) % 24}#0"], "unknown_ids": []}
        )  # fmt: skip
    root = tmp_path / "root"
    return Corpus.write(root, passages), Pairs.write(root, pairs), Triplets.write(root, triplets)


def accuracy(encoder: Encoder, dataset: Dataset, layer: int) -> float:
    """Return the share of queries that find their passage first."""
    passages = dataset[0].read().to_pylist()
    texts = [compose(row["title"], row["section"], row["text"]) for row in passages]
    queries = [row["query"] for row in dataset[1].read().to_pylist()]
    found = (
        encoder.encode(queries, "query", [layer])[:, 0]
        @ encoder.encode(texts, "document", [layer])[:, 0].T
    )
    return float((found.argmax(axis=1) == np.arange(len(queries))).mean())


def test_every_exit_learns_to_find_what_the_base_does_not(
    dataset: Dataset, checkpoint: Checkpoint
) -> None:
    before = load_encoder(checkpoint.path)
    trained = train.fn(*dataset, checkpoint, FAST)
    after = load_encoder(trained.path)
    assert trained.facts["exits"] == [2, 3]
    assert trained.facts["last_loss"] < trained.facts["first_loss"]
    for layer, gain in ((2, 0.2), (3, 0.4)):
        assert accuracy(after, dataset, layer) > accuracy(before, dataset, layer) + gain, layer


def test_exits_follow_the_last_layer_and_cost_it_little(
    dataset: Dataset, checkpoint: Checkpoint
) -> None:
    without = {"exit_epochs": 0.0, "exit_weight": 0.0, "distillation_weight": 0.0}
    plain = load_encoder(train.fn(*dataset, checkpoint, FAST.model_copy(update=without)).path)
    taught = load_encoder(train.fn(*dataset, checkpoint, FAST).path)
    texts = read_passages(dataset[0]).texts

    def agreement(encoder: Encoder) -> float:
        exits = encoder.encode(texts, "document", [2, 3])
        return float((exits[:, 0] * exits[:, 1]).sum(axis=1).mean())

    assert agreement(taught) > agreement(plain) + 0.2
    assert accuracy(taught, dataset, 3) > accuracy(plain, dataset, 3) - 0.1


@pytest.mark.parametrize("killed_at", [3, POLISH_STEPS + 5])
def test_resumed_after_a_kill_it_ends_with_the_same_weights(
    dataset: Dataset, checkpoint: Checkpoint, monkeypatch: pytest.MonkeyPatch, killed_at: int
) -> None:
    whole = train.fn(*dataset, checkpoint, FAST)
    (whole.path / "manifest.json").unlink()
    done = 0
    save = phases.save_state

    def save_then_die(*arguments: object) -> None:
        nonlocal done
        save(*arguments)  # type: ignore[arg-type]
        done += 1
        if done == killed_at:
            raise KeyboardInterrupt

    monkeypatch.setattr(phases, "save_state", save_then_die)
    with pytest.raises(KeyboardInterrupt):
        train.fn(*dataset, checkpoint, FAST)
    steps: list[int] = []
    monkeypatch.setattr(phases, "save_state", lambda *a: (save(*a), steps.append(len(a[3]))))
    resumed = train.fn(*dataset, checkpoint, FAST)
    assert steps[0] == killed_at % POLISH_STEPS + 1  # no step is done twice
    assert resumed.fingerprint == whole.fingerprint
    assert resumed.facts == whole.facts
    assert not list((checkpoint.root / "unfinished").iterdir())


def test_another_seed_gives_another_model(dataset: Dataset, checkpoint: Checkpoint) -> None:
    short = FAST.model_copy(update={"epochs": 1, "exit_epochs": 0.0})
    first = train.fn(*dataset, checkpoint, short)
    assert train.fn(*dataset, checkpoint, short).fingerprint == first.fingerprint
    other = train.fn(*dataset, checkpoint, short.model_copy(update={"seed": 1}))
    assert other.fingerprint != first.fingerprint


def test_too_few_passages_are_an_error(dataset: Dataset, checkpoint: Checkpoint) -> None:
    corpus, pairs, triplets = dataset
    one = Triplets.write(corpus.root, triplets.read().slice(0, 1))
    with pytest.raises(BurnishError, match="Only 1 passages of the train split have a query"):
        train.fn(corpus, pairs, one, checkpoint, FAST)


def test_an_exit_that_is_no_layer_is_an_error() -> None:
    with pytest.raises(BurnishError, match=r"layers \[7\], but the base has layers 1 to 6"):
        resolve_exits((3, 7), 6)


def test_a_query_of_two_documents_keeps_what_is_known_of_both(tmp_path: Path) -> None:
    rows = [
        {"passage_id": f"{d}#{n}", "document_id": d, "title": "", "section": "", "text": f"{d}{n}",
         "source": "", "position": "", "cluster": f"{d}#{n}"}
        for d in "abc" for n in range(2)
    ]  # fmt: skip
    corpus = Corpus.write(tmp_path, rows)
    asked = {
        "query_id": "q",
        "query": "?",
        "relevance": 1,
        "origin": "human",
        "split": "train",
        "masked": "",
        "weight": 1.0,
    }
    pairs = Pairs.write(tmp_path, [asked | {"passage_id": p} for p in ("a#0", "a#1", "b#0", "b#1")])
    triplets = Triplets.write(
        tmp_path,
        [
            {"query_id": "q", "passage_id": "a#1", "negative_ids": ["c#0"], "unknown_ids": []},
            {"query_id": "q", "passage_id": "b#0", "negative_ids": ["c#0"], "unknown_ids": ["c#1"]},
        ],
    )
    passages = read_passages(corpus)
    (query,) = read_examples(pairs, triplets, passages)
    named = {passages.ids[row] for row in query.positives}
    assert named == {"a#1", "b#0"}
    assert {passages.ids[row] for row in query.unknown} == {"a#0", "b#1", "c#1"}
    assert [passages.ids[row] for row in query.negatives] == ["c#0"]
