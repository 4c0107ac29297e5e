"""Training: it learns, exits learn beside, a resume ends bit for bit the same."""

import random
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from pydantic import ValidationError
from safetensors.torch import load_file

from tasks import training_state
from tasks.contracts import BurnishError, Checkpoint, Corpus, Pairs, Triplets
from tasks.core.batches import build_batch, group_queries
from tasks.core.encoder import Encoder
from tasks.core.text import compose
from tasks.core.training import Schedule
from tasks.examples import read_examples
from tasks.heal import HealConfig, heal
from tasks.learn import resolve_dimensions, resolve_exits
from tasks.model_files import load_encoder
from tasks.tables import read_passages
from tasks.train import TrainConfig, train
from tasks.training_state import fit_kept

FAST = TrainConfig(
    epochs=12, learning_rate=2e-3, passages_per_batch=8, neighbours=2, precision="float32",
    checkpoint_seconds=1e-6, blend=1.0, exits=(2, 3),
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
             "negative_ids": [f"{(number + 1) % 24}#0"], "unknown_ids": [], "score": 0.9,
             "negative_scores": [0.5]}
        )  # fmt: skip
    root = tmp_path / "root"
    return Corpus.write(root, passages), Pairs.write(root, pairs), Triplets.write(root, triplets)


def accuracy(encoder: Encoder, dataset: Dataset, layer: int, length: int | None = None) -> float:
    """Return the share of queries that find their passage first, embeddings cut to a length."""
    passages = dataset[0].read().to_pylist()
    texts = [compose(row["title"], row["section"], row["text"]) for row in passages]
    queries = [row["query"] for row in dataset[1].read().to_pylist()]
    asked = encoder.encode(queries, "query", [layer])[:, 0, :length]
    seen = encoder.encode(texts, "document", [layer])[:, 0, :length]
    found = asked @ (seen / np.linalg.norm(seen, axis=1, keepdims=True)).T
    return float((found.argmax(axis=1) == np.arange(len(queries))).mean())


def test_every_exit_learns_to_find_what_the_base_does_not(
    dataset: Dataset, checkpoint: Checkpoint
) -> None:
    before = load_encoder(checkpoint.path)
    trained = train.fn(*dataset, checkpoint, FAST)
    after = load_encoder(trained.path)
    assert trained.facts["exits"] == [2, 3]
    assert trained.facts["last_loss"] < trained.facts["first_loss"]
    for layer, gain in ((2, 0.1), (3, 0.4)):
        assert accuracy(after, dataset, layer) > accuracy(before, dataset, layer) + gain, layer


def test_exits_follow_the_last_layer(dataset: Dataset, checkpoint: Checkpoint) -> None:
    texts = read_passages(dataset[0]).texts

    def agreement(**changes: float) -> float:
        settings = FAST.model_copy(update={"exit_weight": 0.0, **changes})
        encoder = load_encoder(train.fn(*dataset, checkpoint, settings).path)
        exits = encoder.encode(texts, "document", [2, 3])
        return float((exits[:, 0] * exits[:, 1]).sum(axis=1).mean())

    assert agreement(distillation_weight=5.0) > agreement(distillation_weight=0.0) + 0.1


@pytest.mark.parametrize("killed_at", [3, POLISH_STEPS - 2])
def test_resumed_after_a_kill_it_ends_with_the_same_weights(
    dataset: Dataset, checkpoint: Checkpoint, monkeypatch: pytest.MonkeyPatch, killed_at: int
) -> None:
    whole = train.fn(*dataset, checkpoint, FAST)
    (whole.path / "manifest.json").unlink()
    done = 0
    save = training_state.save_state

    def save_then_die(*arguments: object) -> None:
        nonlocal done
        save(*arguments)  # type: ignore[arg-type]
        done += 1
        if done == killed_at:
            raise KeyboardInterrupt

    monkeypatch.setattr(training_state, "save_state", save_then_die)
    with pytest.raises(KeyboardInterrupt):
        train.fn(*dataset, checkpoint, FAST)
    steps: list[int] = []
    monkeypatch.setattr(
        training_state, "save_state", lambda *a: (save(*a), steps.append(len(a[3])))
    )
    resumed = train.fn(*dataset, checkpoint, FAST)
    assert steps[0] == killed_at % POLISH_STEPS + 1  # no step is done twice
    assert resumed.fingerprint == whole.fingerprint
    assert resumed.facts == whole.facts
    assert not list((checkpoint.root / "unfinished").iterdir())


def test_another_seed_gives_another_model(dataset: Dataset, checkpoint: Checkpoint) -> None:
    short = FAST.model_copy(update={"epochs": 1})
    first = train.fn(*dataset, checkpoint, short)
    assert train.fn(*dataset, checkpoint, short).fingerprint == first.fingerprint
    other = train.fn(*dataset, checkpoint, short.model_copy(update={"seed": 1}))
    assert other.fingerprint != first.fingerprint


@pytest.mark.parametrize(
    "changes",
    [
        {"symmetric": True},
        {"loss": "triplet"},
        {"loss": "triplet", "margin": 0.5},
        {"loss": "triplet", "triplet_negatives": "hardest"},
        {"loss": "contrastive"},
        {"loss": "contrastive", "margin": 1.5},
        {"loss": "cosine"},
        {"dimensions": (8, 16)},
        {"packing": "hardest"},
    ],
)
def test_every_setting_of_the_polish_counts(
    dataset: Dataset, checkpoint: Checkpoint, changes: dict[str, object]
) -> None:
    short = {"epochs": 1, **changes}
    unchanged = {"epochs": 1, "loss": changes.get("loss", "infonce")}
    if unchanged == short:
        unchanged["loss"] = "infonce"
    found = train.fn(*dataset, checkpoint, FAST.model_copy(update=short))
    other = train.fn(*dataset, checkpoint, FAST.model_copy(update=unchanged))
    assert found.fingerprint != other.fingerprint
    assert found.facts["loss"] == short.get("loss", "infonce")


def test_an_embedding_trained_to_be_cut_finds_more_when_it_is_cut(
    dataset: Dataset, checkpoint: Checkpoint
) -> None:
    def found(dimensions: tuple[int, ...]) -> float:
        config = FAST.model_copy(update={"dimensions": dimensions})
        trained = train.fn(*dataset, checkpoint, config)
        assert trained.facts["dimensions"] == [*dimensions, 32]
        return sum(
            accuracy(load_encoder(trained.path), dataset, layer, length=4) for layer in (2, 3)
        )

    assert found((4, 8)) > found(()) + 0.2


def test_in_small_passes_the_same_is_learnt(dataset: Dataset, checkpoint: Checkpoint) -> None:
    def learn(**changes: object) -> tuple[np.ndarray, dict[str, object]]:
        config = FAST.model_copy(update={"epochs": 2, "dimensions": (8,), **changes})
        trained = train.fn(*dataset, checkpoint, config)
        texts = read_passages(dataset[0]).texts
        return load_encoder(trained.path).encode(texts, "document", [2, 3]), trained.facts

    plain, facts = learn()
    cached, cached_facts = learn(texts_per_pass=3)
    assert cached_facts["first_loss"] == pytest.approx(facts["first_loss"], abs=2e-4)
    assert float((plain * cached).sum(axis=-1).min()) > 0.999


def test_too_few_passages_are_an_error(dataset: Dataset, checkpoint: Checkpoint) -> None:
    corpus, pairs, triplets = dataset
    one = Triplets.write(corpus.root, triplets.read().slice(0, 1))
    with pytest.raises(BurnishError, match="Only 1 passages of the train split have a query"):
        train.fn(corpus, pairs, one, checkpoint, FAST)


def test_a_healed_model_is_trained_at_its_last_layer_all_the_way(
    dataset: Dataset, checkpoint: Checkpoint
) -> None:
    corpus, pairs, _ = dataset
    healing = HealConfig(epochs=1, precision="float32")
    healed = heal.fn(checkpoint, corpus, pairs, 2, healing)
    config = FAST.model_copy(update={"blend": 0.5, "exit_weight": 0.7}).for_healed()
    assert config == FAST.model_copy(update={"blend": 1.0, "exits": ()})

    trained = train.fn(*dataset, healed, config)

    assert trained.facts["exits"] == [2]
    assert trained.facts["kept"] == healed.facts["kept"] == [1, 3]
    assert trained.facts["healed"] == healed.facts
    before, after = load_encoder(healed.path), load_encoder(trained.path)
    assert after.layers == 2
    assert accuracy(after, dataset, 2) > accuracy(before, dataset, 2) + 0.3


def test_an_exit_that_is_no_layer_is_an_error() -> None:
    with pytest.raises(BurnishError, match=r"layers \[7\], but the base has layers 1 to 6"):
        resolve_exits((3, 7), 6)


def test_a_dimension_that_embeddings_do_not_have_is_an_error(
    dataset: Dataset, checkpoint: Checkpoint
) -> None:
    assert resolve_dimensions((), 32) == (32,)
    wrong = FAST.model_copy(update={"dimensions": (16, 64)})
    with pytest.raises(BurnishError, match=r"names \[64\], but .* have 32 dimensions: name"):
        train.fn(*dataset, checkpoint, wrong)
    with pytest.raises(ValidationError, match="greater than or equal to 1"):
        TrainConfig(dimensions=(0,))


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"loss": "triplet", "temperature": 0.1}, "temperature is a setting of .* infonce"),
        ({"loss": "cosine", "symmetric": True}, "symmetric is a setting of .* infonce"),
        ({"margin": 0.2}, "margin is a setting of .* triplet and contrastive; infonce has none"),
        ({"loss": "contrastive", "triplet_negatives": "hardest"}, "is a setting of .* triplet;"),
        ({"lora_alpha": 8}, "lora_alpha does nothing without lora_rank: set it to"),
        ({"evaluations_per_epoch": 2}, "does nothing without patience"),
        ({"exit_weight": 1.0}, "does nothing without exits: name the layers"),
        ({"teacher_weight": 2.0}, "does nothing without teacher: set it to margin_mse or kl"),
    ],
)
def test_a_setting_of_another_loss_is_refused(settings: dict[str, object], message: str) -> None:
    with pytest.raises(ValidationError, match=message):
        TrainConfig.model_validate(settings)


def test_all_settings_at_their_defaults_fit_every_loss() -> None:
    form = TrainConfig().model_dump()  # a form sends every field
    for loss in ("infonce", "triplet", "contrastive", "cosine"):
        assert TrainConfig.model_validate(form | {"loss": loss}).loss == loss


def test_a_base_compared_by_inner_products_keeps_to_infonce(
    dataset: Dataset,
    make_checkpoint: Callable[..., Checkpoint],
    make_encoder: Callable[..., Encoder],
) -> None:
    base = make_checkpoint(make_encoder(normalize=False))
    with pytest.raises(BurnishError, match="triplet is made for cosines.*Leave train.loss at"):
        train.fn(*dataset, base, FAST.model_copy(update={"loss": "triplet"}))


def test_what_the_teacher_holds_for_an_answer_is_left_alone_where_it_is_met(
    dataset: Dataset,
) -> None:
    corpus, pairs, triplets = dataset
    rows = triplets.read().to_pylist()
    rows[0] |= {"unknown_ids": ["5#0"]}
    passages = read_passages(corpus)
    queries = read_examples(pairs, Triplets.write(corpus.root, rows), passages)
    batch = build_batch(
        [0, 1, 5], group_queries(queries), passages.texts, passages.documents,
        queries_per_passage=1, negatives_per_passage=0, seed=(0,),
    )  # fmt: skip
    assert batch.relations.tolist() == [[1, -1, 0], [-1, 1, -1], [-1, -1, 1]]


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
    mined = {"query_id": "q", "negative_ids": ["c#0"], "negative_scores": [0.25]}
    triplets = Triplets.write(
        tmp_path,
        [
            {"passage_id": "a#1", "unknown_ids": [], "score": 0.75, **mined},
            {"passage_id": "b#0", "unknown_ids": ["c#1"], "score": 0.5, **mined},
        ],
    )
    passages = read_passages(corpus)
    (query,) = read_examples(pairs, triplets, passages)
    named = {passages.ids[row] for row in query.positives}
    assert named == {"a#1", "b#0"}
    assert {passages.ids[row] for row in query.unknown} == {"a#0", "b#1", "c#1"}
    assert [passages.ids[row] for row in query.negatives] == ["c#0"]
    scored = {passages.ids[row]: score for row, score in query.teacher_scores.items()}
    assert scored == {"a#1": 0.75, "b#0": 0.5, "c#0": 0.25}


def test_a_prompt_that_leaves_no_room_for_the_text_is_an_error(
    dataset: Dataset,
    make_checkpoint: Callable[..., Checkpoint],
    make_encoder: Callable[..., Encoder],
) -> None:
    base = make_checkpoint(make_encoder(prompts={"query": "a an and are as at be by: "}))
    with pytest.raises(BurnishError, match=r"query prompt takes \d+ tokens.*train.max_tokens is 8"):
        train.fn(*dataset, base, FAST.model_copy(update={"max_tokens": 8}))


@pytest.mark.parametrize(
    ("fault", "message"),
    [
        (
            torch.OutOfMemoryError("CUDA out of memory."),
            "does not hold step 3. Set train.texts_per",
        ),
        (None, "gradient of step 3 is not finite. Lower the learning rate"),
    ],
)
def test_a_step_that_cannot_be_taken_is_told_and_the_weights_stay(
    make_encoder: Callable[..., Encoder], tmp_path: Path, fault: Exception | None, message: str
) -> None:
    encoder, seen = make_encoder(), []

    def loss_at(step: int) -> torch.Tensor:
        seen.append({name: value.clone() for name, value in encoder.model.named_parameters()})
        if step == 2 and fault is not None:
            raise fault
        weight = next(encoder.model.parameters())
        return weight.sum() * (float("inf") if step == 2 else 1.0)

    file = tmp_path / "polish.safetensors"
    config = TrainConfig(precision="float32", checkpoint_seconds=1e-6)
    with pytest.raises(BurnishError, match=message):
        fit_kept(file, encoder, Schedule(5, 1e-3, 0.0), loss_at, config, seed=0)
    kept = load_file(file)
    for name, value in encoder.model.named_parameters():
        assert torch.equal(value, seen[2][name]) and torch.equal(value, kept[f"model.{name}"])
