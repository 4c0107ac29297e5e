"""Healing: a smaller model embeds as the whole one, which stays; a resume ends the same."""

import random
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from tasks import training_state
from tasks.contracts import BurnishError, Checkpoint, Corpus, Pairs
from tasks.heal import EPOCHS, HealConfig, heal, resolve_depths, settle
from tasks.lessons import Lessons, ask_teacher, read_lessons
from tasks.model_files import load_encoder
from tests.conftest import build_encoder

FAST = HealConfig(
    epochs=6, learning_rate=2e-3, passages_per_batch=4, precision="float32", checkpoint_seconds=1e-6
)
LAYERS, STEPS = 4, 6 * 20 // 4  # epochs, passages that may be trained on, passages per batch
Make = Callable[..., Checkpoint]


@pytest.fixture
def dataset(tmp_path: Path, words: tuple[str, ...]) -> tuple[Corpus, Pairs]:
    """Give 24 passages, two sentences each: 20 to train on, 4 of which only tests may speak."""
    draw = random.Random(0)
    passages, pairs = [], []
    for number in range(24):
        said = (" ".join(draw.sample(words, 9)).capitalize() + "." for _ in range(2))
        passages.append(
            {"passage_id": f"{number}#0", "document_id": str(number), "title": "", "section": "",
             "text": " ".join(said), "source": "s", "position": "", "cluster": f"{number}#0"}
        )  # fmt: skip
        pairs.append(
            {"query_id": f"q{number}", "query": " ".join(draw.sample(words, 4)),
             "passage_id": f"{number}#0", "relevance": 1, "origin": "structure",
             "split": "train" if number < 20 else "test", "masked": "", "weight": 1.0}
        )  # fmt: skip
    root = tmp_path / "root"
    return Corpus.write(root, passages), Pairs.write(root, pairs)


@pytest.fixture
def whole(make_checkpoint: Make) -> Checkpoint:
    return make_checkpoint(build_encoder(layers=LAYERS))


def agreement(whole: Checkpoint, smaller: Checkpoint, texts: list[str]) -> float:
    teacher, student = load_encoder(whole.path), load_encoder(smaller.path)
    wanted = teacher.encode(texts, "document", [teacher.layers])[:, 0]
    found = student.encode(texts, "document", [student.layers])[:, 0]
    return float((wanted * found).sum(axis=1).mean())


def run(
    whole: Checkpoint, dataset: tuple[Corpus, Pairs], depth: int = 2, **changes: object
) -> Checkpoint:
    return heal.fn(whole, *dataset, depth, FAST.model_copy(update=changes))


def test_a_healed_model_embeds_as_the_whole_one(
    whole: Checkpoint, dataset: tuple[Corpus, Pairs]
) -> None:
    held_out = [row["text"] for row in dataset[0].read().to_pylist()[20:]]
    plain, healed = run(whole, dataset, epochs=0), run(whole, dataset)
    assert load_encoder(healed.path).layers == healed.facts["layers"] == 2
    assert healed.facts["kept"] == [1, LAYERS]
    assert healed.facts["steps"] == STEPS
    assert healed.facts["last_loss"] < healed.facts["first_loss"]
    assert agreement(whole, healed, held_out) > agreement(whole, plain, held_out) + 0.1


def test_who_lost_fewer_layers_learns_less(
    whole: Checkpoint, dataset: tuple[Corpus, Pairs]
) -> None:
    healed = run(whole, dataset, depth=3)  # of four: half of what two would be taught
    assert healed.facts["steps"] == STEPS // 2


def test_the_whole_model_is_not_touched(whole: Checkpoint, dataset: tuple[Corpus, Pairs]) -> None:
    files = {file: file.read_bytes() for file in whole.path.rglob("*") if file.is_file()}
    healed = run(whole, dataset)
    assert {file: file.read_bytes() for file in files} == files
    assert healed.path != whole.path


def test_nothing_that_is_kept_for_evaluation_is_read(
    whole: Checkpoint, dataset: tuple[Corpus, Pairs]
) -> None:
    corpus, pairs = dataset
    rows, asked = corpus.read().to_pylist(), pairs.read().to_pylist()
    lessons = read_lessons(whole, corpus, pairs, FAST)
    told = " ".join(lessons.texts)
    assert lessons.passages == 20
    for number in range(24):
        is_read = number < 20
        assert (rows[number]["text"] in told) == is_read
        assert (asked[number]["query"] in lessons.texts) == is_read
    before = run(whole, dataset).fingerprint
    changed = [row | {"text": "Bread."} if i >= 20 else row for i, row in enumerate(rows)]
    assert run(whole, (Corpus.write(corpus.root, changed), pairs)).fingerprint == before


def test_a_passage_comes_with_its_sentences_and_queries(
    whole: Checkpoint, dataset: tuple[Corpus, Pairs]
) -> None:
    lessons = read_lessons(whole, *dataset, FAST.model_copy(update={"sentences_per_passage": 1}))
    encoder = load_encoder(whole.path)
    asked = {row["passage_id"]: row["query"] for row in dataset[1].read().to_pylist()}
    for number, group in enumerate(lessons.groups):
        passage, *short = (lessons.texts[row] for row in group)
        sentence, query = short
        assert group[0] == number
        assert sentence in passage
        assert query in asked.values()
    assert [row for batch in lessons.plan(1, 4, 1, 0) for row in batch if row < 20] != list(
        range(20)
    )
    assert sorted(row for batch in lessons.plan(1, 4, 4, 0) for row in batch) == list(
        range(len(lessons.texts))
    )
    assert len(lessons.plan(0.5, 4, 2, 0)) == 3  # of five batches
    teachers = ask_teacher(whole, dataset[0], lessons, lessons.plan(1, 4, 4, 0))
    for kind, rows in (("document", slice(20)), ("query", slice(20, None))):
        wanted = encoder.encode(lessons.texts[rows], kind, [LAYERS])[:, 0]  # type: ignore[arg-type]
        np.testing.assert_allclose(teachers[rows], wanted, rtol=0, atol=1e-5)
    order = lessons.plan(0.5, 4, 2, 0)
    some = ask_teacher(whole, dataset[0], lessons, order)
    is_learnt = np.isin(np.arange(len(some)), np.concatenate(order))
    np.testing.assert_array_equal(some[is_learnt], teachers[is_learnt])
    assert not some[20:][~is_learnt[20:]].any()  # what is not learnt costs nothing


def test_of_a_passage_that_is_asked_about_often_some_queries_are_learnt(
    whole: Checkpoint, dataset: tuple[Corpus, Pairs]
) -> None:
    corpus, pairs = dataset
    (first, *others) = pairs.read().to_pylist()
    often = [
        first | {"query_id": f"often{number}", "query": f"{first['query']} {number}"}
        for number in range(40)
    ]
    asked = Pairs.write(corpus.root, [*often, *others])
    lessons = read_lessons(whole, corpus, asked, FAST.model_copy(update={"queries_per_passage": 3}))
    counts = [sum(row["query"] == lessons.texts[one] for row in often for one in group)
              for group in lessons.groups]  # fmt: skip
    assert sorted(counts)[-2:] == [0, 3]


def test_the_machines_own_epochs_are_named() -> None:
    assert settle(HealConfig()).epochs == EPOCHS[torch.cuda.is_available()]
    assert settle(HealConfig(epochs=0.0)).epochs == 0.0


def test_passages_that_are_alike_are_learnt_together() -> None:
    twins = np.repeat(np.eye(12, dtype=np.float32), 2, axis=0)  # 0 and 1 are alike, 2 and 3, ...
    lessons = Lessons([""] * 24, 24, twins, [[row] for row in range(24)])

    def count_together(neighbours: int) -> int:
        batches = lessons.plan(1, 4, neighbours, 0)
        assert sorted(row for batch in batches for row in batch) == list(range(24))
        return sum(row + 1 in batch for batch in batches for row in batch if row % 2 == 0)

    assert count_together(2) == 12
    assert count_together(1) < 6


@pytest.mark.parametrize("killed_at", [1, STEPS - 3])
def test_resumed_after_a_kill_it_ends_with_the_same_weights(
    whole: Checkpoint,
    dataset: tuple[Corpus, Pairs],
    monkeypatch: pytest.MonkeyPatch,
    killed_at: int,
) -> None:
    undisturbed = run(whole, dataset)
    (undisturbed.path / "manifest.json").unlink()
    save, done = training_state.save_state, 0

    def save_then_die(*arguments: object) -> None:
        nonlocal done
        save(*arguments)  # type: ignore[arg-type]
        done += 1
        if done == killed_at:
            raise KeyboardInterrupt

    monkeypatch.setattr(training_state, "save_state", save_then_die)
    with pytest.raises(KeyboardInterrupt):
        run(whole, dataset)
    monkeypatch.setattr(training_state, "save_state", save)
    resumed = run(whole, dataset)
    assert resumed.fingerprint == undisturbed.fingerprint
    assert resumed.facts == undisturbed.facts
    assert not list((whole.root / "unfinished").iterdir())


@pytest.mark.parametrize(
    "change",
    [{"seed": 1}, {"similarity_weight": 0.0}, {"sentences_per_passage": 0},
     {"learning_rate": 1e-3},
     {"max_passages": 8}, {"neighbours": 1}, {"weight_decay": 0.5}, {"warmup_share": 0.5},
     {"epochs": 5.5}, {"queries_per_passage": 0}],
)  # fmt: skip
def test_every_setting_counts(
    whole: Checkpoint, dataset: tuple[Corpus, Pairs], change: dict[str, Any]
) -> None:
    short = {"epochs": 5.0}
    assert (
        run(whole, dataset, **short | change).fingerprint
        != run(whole, dataset, **short).fingerprint
    )


def test_nothing_to_learn_from_is_an_error(
    whole: Checkpoint, dataset: tuple[Corpus, Pairs]
) -> None:
    corpus, pairs = dataset
    rows = [row | {"split": "dev"} for row in pairs.read().to_pylist()]
    with pytest.raises(BurnishError, match="nothing to learn from"):
        run(whole, (corpus, Pairs.write(corpus.root, rows)))


def test_a_depth_that_is_no_smaller_model_is_an_error() -> None:
    assert resolve_depths(None, 2) == (1,)
    assert resolve_depths((), 12) == ()
    for depths in ((6,), (0, 3)):
        with pytest.raises(BurnishError, match="the base has 6 layers"):
            resolve_depths(depths, 6)
