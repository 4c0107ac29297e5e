"""Early stopping and adapters: what comes out is the best, plain, and the same after SIGKILLs."""

import os
import random
import signal
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from safetensors.torch import load_file

from tasks import training_state
from tasks.contracts import BurnishError, Checkpoint, Corpus, Pairs
from tasks.core.metrics import ndcg
from tasks.core.text import mask
from tasks.dev_score import read_dev_set
from tasks.early_stopping import EarlyStopping
from tasks.model_files import load_encoder
from tasks.tables import read_passages
from tasks.train import TrainConfig, train
from tests.small_nouns import Nouns, make_nouns

FAST = TrainConfig(
    epochs=6, learning_rate=5e-4, passages_per_batch=8, exits=(2, 3), precision="float32", blend=1,
    patience=2, evaluations_per_epoch=2, checkpoint_seconds=1e-6,
)  # fmt: skip


@pytest.fixture
def nouns(tmp_path: Path, words: tuple[str, ...]) -> Nouns:
    return make_nouns(tmp_path / "root", words, dev=8)


def test_the_best_weights_come_out_and_are_not_the_last(
    nouns: Nouns, checkpoint: Checkpoint
) -> None:
    trained = train.fn(*nouns, checkpoint, FAST)
    scores = dict(trained.facts["dev_scores"])
    best = max(scores.values())
    assert scores[0] < best and trained.facts["best_step"] == min(
        step for step, score in scores.items() if score == best
    )
    after = [step for step in scores if step > trained.facts["best_step"]]
    assert len(after) == FAST.patience and trained.facts["steps"] == max(scores) < 6 * 3
    dev = read_dev_set(nouns.pairs, read_passages(nouns.corpus), seed=0)
    assert dev.score(load_encoder(trained.path)) == pytest.approx(best, abs=1e-4)

    patient = train.fn(*nouns, checkpoint, FAST.model_copy(update={"patience": 99}))
    assert patient.facts["steps"] == 6 * 3 and len(patient.facts["dev_scores"]) == 1 + 6 * 2
    assert patient.facts["dev_scores"][: len(scores)] == trained.facts["dev_scores"]
    without = train.fn(*nouns, checkpoint, FAST.model_copy(update={"patience": 0}))
    assert "dev_scores" not in without.facts and without.facts["steps"] == 6 * 3


@pytest.mark.parametrize("lora_rank", [0, 2])
def test_killed_at_five_random_steps_it_ends_with_the_same_weights(
    nouns: Nouns,
    checkpoint: Checkpoint,
    monkeypatch: pytest.MonkeyPatch,
    lora_rank: int,
) -> None:
    changes = {"lora_rank": lora_rank, "epochs": 8, "patience": 99}  # 24 steps: none ends itself
    config = FAST.model_copy(update=changes)
    whole = train.fn(*nouns, checkpoint, config)
    (whole.path / "manifest.json").unlink()
    save = training_state.save_state
    draw = random.Random(lora_rank)
    kills = 0
    while kills < 5:
        child = os.fork()
        if not child:
            left = draw.randint(1, 4)

            def save_then_die(*state: object) -> None:
                nonlocal left
                save(*state)  # type: ignore[arg-type]
                left -= 1
                if left == 0:
                    os.kill(os.getpid(), signal.SIGKILL)

            monkeypatch.setattr(training_state, "save_state", save_then_die)
            train.fn(*nouns, checkpoint, config)
            os._exit(0)
        draw.random()  # another number of steps the next time
        _, status = os.waitpid(child, 0)
        assert os.WIFSIGNALED(status) and os.WTERMSIG(status) == signal.SIGKILL
        kills += 1
    resumed = train.fn(*nouns, checkpoint, config)
    assert resumed.fingerprint == whole.fingerprint
    assert resumed.facts == whole.facts


def test_adapters_are_merged_into_a_plain_model(
    nouns: Nouns, checkpoint: Checkpoint, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    sizes: list[int] = []
    save = training_state.save_state

    def measure(file: Path, *state: object) -> None:
        save(file, *state)  # type: ignore[arg-type]
        kept = [name for name in load_file(file) if name.startswith("model.")]
        sizes.append(len(kept))
        assert all(".lora_" in name for name in kept)

    monkeypatch.setattr(training_state, "save_state", measure)
    changes = {"lora_rank": 2, "patience": 0, "learning_rate": 2e-2}
    trained = train.fn(*nouns, checkpoint, FAST.model_copy(update=changes))
    assert set(sizes) == {2 * 6 * 3}  # A and B of six matrices in three layers
    assert trained.facts["last_loss"] < trained.facts["first_loss"]
    before, after = (load_file(made.path / "model.safetensors") for made in (checkpoint, trained))
    assert before.keys() == after.keys()
    for name, weight in before.items():
        update = after[name] - weight
        if weight.ndim == 2 and name.startswith("encoder.layer"):
            large = torch.linalg.svdvals(update.double()) > 1e-4
            assert large.any() and not large[2:].any(), name
        else:
            assert not update.any(), name
    for file in ("config.json", "modules.json"):
        assert (trained.path / file).read_bytes() == (checkpoint.path / file).read_bytes()


def test_the_rank_and_the_alpha_of_adapters_count(nouns: Nouns, checkpoint: Checkpoint) -> None:
    def learn(**changes: object) -> str:
        config = FAST.model_copy(update={"epochs": 1, "patience": 0, "lora_rank": 2, **changes})
        return train.fn(*nouns, checkpoint, config).fingerprint

    assert learn() == learn(lora_alpha=4.0)
    assert len({learn(), learn(lora_alpha=8.0), learn(lora_rank=3), learn(seed=1)}) == 4


def test_the_dev_score_is_that_of_a_search_done_by_hand(
    tmp_path: Path, words: tuple[str, ...], checkpoint: Checkpoint
) -> None:
    encoder = load_encoder(checkpoint.path)
    texts = [" ".join(words[n * 3 : n * 3 + 8]) for n in range(20)]
    corpus = Corpus.write(
        tmp_path,
        [
            {"passage_id": f"{n // 2}#{n % 2}", "document_id": str(n // 2), "title": "",
             "section": "", "text": text, "source": "s", "position": "", "cluster": f"{n}"}
            for n, text in enumerate(texts)
        ],
    )  # fmt: skip
    passages = read_passages(corpus)
    rows: list[dict[str, Any]] = []
    for query, (row, grade, hides) in enumerate([(0, 1, True), (5, 2, False), (12, 1, True)]):
        rows += [
            {"query_id": f"q{query}", "query": words[row * 3], "passage_id": passages.ids[answer],
             "relevance": relevance, "origin": "structure", "split": "dev", "weight": 1.0,
             "masked": words[row * 3] if hides and answer == row else ""}
            for answer, relevance in ((row, grade), ((row + 7) % 20, 1))
        ]  # fmt: skip
    dev = read_dev_set(Pairs.write(tmp_path, rows), passages, seed=0)
    expected = []
    for query in range(3):
        own = [row for row in rows if row["query_id"] == f"q{query}"]
        grades = {passages.rows[row["passage_id"]]: row["relevance"] for row in own}
        masked = {passages.rows[row["passage_id"]]: row["masked"] for row in own}
        documents = {passages.documents[row] for row in grades}
        asked = encoder.encode([own[0]["query"]], "query", [3])[0, 0]
        scores = {}
        for row, text in enumerate(passages.texts):
            if row in grades or passages.documents[row] not in documents:
                seen = mask(text, masked[row]) if masked.get(row) else text
                scores[row] = float(encoder.encode([seen], "document", [3])[0, 0] @ asked)
        ranking = sorted(scores, key=lambda row: -scores[row])
        gains = [[grades.get(row, 0) for row in ranking]]
        expected.append(float(ndcg(gains, [list(grades.values())])[0]))
    assert dev.score(encoder) == pytest.approx(np.mean(expected), abs=1e-9)
    few = read_dev_set(
        Pairs.write(tmp_path, rows), passages, seed=0, most_queries=2, most_passages=9
    )
    assert len(few.questions) == 2 and few.is_searched.shape[1] <= 9 + 2
    human = [row | {"origin": "human"} for row in rows[:2]] + rows[2:]
    assert len(read_dev_set(Pairs.write(tmp_path, human), passages, seed=0).questions) == 1


def test_the_first_of_equal_scores_is_the_best() -> None:
    model = torch.nn.Linear(1, 1, bias=False)
    scores = iter([0.1, 0.5, 0.5, 0.4, 0.9])
    stopping = EarlyStopping(lambda: next(scores), patience=2, looks=4)
    for done in range(4):
        torch.nn.init.constant_(model.weight, done)
        assert stopping.is_over == (done == 4)
        stopping.look(done, 4, model)
    assert stopping.is_over and stopping.best_step == 1
    again = EarlyStopping(lambda: 0.0, patience=2, looks=4)
    again.restore(stopping.to_tensors())
    again.put_back(model)
    assert again.is_over and float(model.weight) == 1


def test_patience_without_dev_queries_is_an_error(
    tmp_path: Path, words: tuple[str, ...], checkpoint: Checkpoint
) -> None:
    nouns = make_nouns(tmp_path / "root", words)
    with pytest.raises(BurnishError, match="hold no dev query. Raise --synthesize.dev-fraction"):
        train.fn(*nouns, checkpoint, FAST)
