"""Scores equal a slow evaluation written here, of the models as they are searched."""

import itertools
from collections.abc import Callable
from math import log2
from typing import Any, NamedTuple

import numpy as np
import pytest
from torch import Tensor

from tasks.contracts import BurnishError, Checkpoint, Corpus, Pairs, Scores
from tasks.core.encoder import Encoder, Kind
from tasks.core.text import mask
from tasks.evaluate import EvaluateConfig, evaluate, evaluate_last
from tasks.model_files import load_encoder
from tasks.retrieve import RetrieveConfig, retrieve

CONFIG = EvaluateConfig(resamples=100)


class World(NamedTuple):
    """A corpus of documents with two passages, and questions of both origins and splits."""

    corpus: Corpus
    pairs: Pairs
    tuned: Checkpoint
    base: Checkpoint

    def with_pairs(self, change: Callable[[dict[str, Any]], dict[str, Any]]) -> Pairs:
        return Pairs.write(
            self.corpus.root, [change(dict(row)) for row in self.pairs.read().to_pylist()]
        )


@pytest.fixture
def world(
    words: tuple[str, ...],
    make_checkpoint: Callable[..., Checkpoint],
    make_encoder: Callable[..., Encoder],
) -> World:
    tuned, base = make_checkpoint(make_encoder(seed=1)), make_checkpoint(make_encoder(layers=2))
    generator = np.random.default_rng(0)
    passages, pairs = [], []
    for number in range(30):
        for part in range(2):
            text = " ".join(generator.choice(words[:90], size=12))
            name = f"d{number:02}#{part}"
            passages.append(
                {"passage_id": name, "document_id": name[:3], "text": text, "cluster": name}
            )
            span = " ".join(text.split()[3:8])
            split = ("train", "dev", "test")[number % 3]
            kinds = {"span": (span, span), "human": (" ".join(generator.choice(words[:90], 4)), "")}
            for origin, (query, masked) in kinds.items():
                pairs.append(
                    {
                        "query_id": f"{origin}-{name}", "query": query, "passage_id": name,
                        "relevance": 1 + number % 2, "origin": origin, "split": split,
                        "masked": masked, "weight": 1.0,
                    }
                )  # fmt: skip
    human = pairs[5] | {"passage_id": "d29#0", "relevance": 2}  # relevant to two documents
    empty = dict.fromkeys(("title", "section", "source", "position"), "")
    corpus = Corpus.write(base.root, [row | empty for row in passages])
    return World(corpus, Pairs.write(base.root, [*pairs, human]), tuned, base)


def slow_scores(world: World, pairs: Pairs, system: Checkpoint, layer: int, split: str) -> dict:
    """Evaluate by loops: MaxP over all passages, the hidden one in the place of the whole one."""
    encoder = load_encoder(system.path)
    rows = world.corpus.read().to_pylist()
    vectors = encoder.encode([row["text"] for row in rows], "document", [layer])[:, 0]
    queries: dict[tuple[str, str], dict[str, Any]] = {}
    for pair in pairs.read().to_pylist():
        if pair["split"] == split:
            origin = "human" if pair["origin"] == "human" else "synthetic"
            query = queries.setdefault((origin, pair["query_id"]), {"text": pair["query"]})
            query.setdefault("pairs", []).append(pair)
    values: dict[tuple[str, str], list[float]] = {}
    for (origin, _), query in sorted(queries.items()):
        asked = encoder.encode([query["text"]], "query", [layer])[0, 0]
        best: dict[str, float] = {}
        for row, vector in zip(rows, vectors, strict=True):
            for pair in query["pairs"]:
                if pair["passage_id"] == row["passage_id"] and pair["masked"]:
                    hidden = mask(row["text"], pair["masked"])
                    vector = encoder.encode([hidden], "document", [layer])[0, 0]
            score = float(asked @ vector)
            best[row["document_id"]] = max(best.get(row["document_id"], -9), score)
        ranking = sorted(best, key=lambda document: -best[document])
        grades = {pair["passage_id"][:3]: pair["relevance"] for pair in query["pairs"]}
        for metric, value in slow_metrics(ranking, grades).items():
            values.setdefault((origin, metric), []).append(value)
    return values


def slow_metrics(ranking: list[str], grades: dict[str, int]) -> dict[str, float]:
    gains = [grades.get(document, 0) for document in ranking]
    ideal = sorted(grades.values(), reverse=True)
    first = next((rank for rank, gain in enumerate(gains[:10], 1) if gain), 0)
    return {
        "ndcg@10": sum(gain / log2(i + 2) for i, gain in enumerate(gains[:10]))
        / sum(gain / log2(i + 2) for i, gain in enumerate(ideal[:10])),
        "recall@100": sum(gain > 0 for gain in gains[:100]) / len(grades),
        "mrr@10": 1 / first if first else 0.0,
        "map@100": slow_average_precision(gains[:100]) / len(grades),
    }


def slow_average_precision(gains: list[int]) -> float:
    found = [rank for rank, gain in enumerate(gains, 1) if gain]
    return sum(number / rank for number, rank in enumerate(found, 1))


def by_key(scores: Scores) -> dict[tuple, dict[str, Any]]:
    names = ("system", "layer", "split", "origin", "metric")
    return {tuple(row[name] for name in names): row for row in scores.read().to_pylist()}


def test_values_equal_a_slow_evaluation(world: World) -> None:
    found = by_key(evaluate.fn(world.tuned, world.base, world.corpus, world.pairs, CONFIG))
    for split, system, layer in [("dev", "tuned", 1), ("test", "base", 2)]:
        checkpoint = world.tuned if system == "tuned" else world.base
        expected = slow_scores(world, world.pairs, checkpoint, layer, split)
        for (origin, metric), values in expected.items():
            row = found[system, layer, split, origin, metric]
            assert row["values"] == pytest.approx(values, abs=1e-9)
            assert row["value"] == pytest.approx(np.mean(values))
            assert row["low"] <= row["value"] <= row["high"]


def test_a_healed_model_is_the_tuned_one_at_its_depth(
    world: World, make_checkpoint: Callable[..., Checkpoint], make_encoder: Callable[..., Encoder]
) -> None:
    healed = make_checkpoint(make_encoder(layers=2, seed=7), layers=2)
    tuned = world.tuned.model_copy(update={"facts": {"exits": [3]}})
    inputs = (tuned, world.base, world.corpus, world.pairs, CONFIG)
    alone, beside = by_key(evaluate.fn(*inputs)), by_key(evaluate.fn(*inputs, None, [healed]))
    for found, layers in ((alone, {3}), (beside, {2, 3})):
        assert {layer for system, layer, *_ in found if system == "tuned"} == layers
        assert {layer for system, layer, *_ in found if system == "plain"} == {1, 2}
    expected = slow_scores(world, world.pairs, healed, 2, "test")
    for (origin, metric), values in expected.items():
        assert beside["tuned", 2, "test", origin, metric]["values"] == pytest.approx(values)
    unchanged = [key for key in alone if key[:2] != ("tuned", 2)]
    assert {key: beside[key]["values"] for key in unchanged} == {
        key: alone[key]["values"] for key in unchanged
    }


def test_every_system_layer_split_origin_and_metric_has_its_row(world: World) -> None:
    scores = evaluate.fn(world.tuned, world.base, world.corpus, world.pairs, CONFIG)
    found = by_key(scores)
    systems = [("tuned", 1), ("tuned", 2), ("tuned", 3), ("base", 1), ("base", 2), ("BM25", 0)]
    rest = itertools.product(
        ("dev", "test"), ("human", "synthetic"), ("ndcg@10", "recall@100", "mrr@10", "map@100")
    )
    assert set(found) == {(*system, *key) for system, key in itertools.product(systems, rest)}
    costs = [found["tuned", layer, "test", "human", "mrr@10"]["cost"] for layer in (1, 2, 3)]
    assert costs == pytest.approx([costs[0], 2 * costs[0], 3 * costs[0]])
    assert found["BM25", 0, "test", "human", "mrr@10"]["cost"] == 0
    counted = {"dev human": 20, "dev synthetic": 20, "test human": 20, "test synthetic": 20}
    assert scores.facts["questions"] == counted


@pytest.mark.parametrize(("system", "layer"), [("tuned", 3), ("base", 1), ("BM25", 0)])
def test_a_query_cut_out_of_its_passage_does_not_find_itself(
    world: World, system: str, layer: int
) -> None:
    """Whoever copies is not rewarded: without hiding, a copied span is found far too easily."""
    shown = world.with_pairs(lambda row: row | {"masked": ""})
    values = {
        name: by_key(evaluate.fn(world.tuned, world.base, world.corpus, pairs, CONFIG))
        for name, pairs in {"hidden": world.pairs, "shown": shown}.items()
    }
    key = (system, layer, "test", "synthetic", "mrr@10")
    assert values["hidden"][key]["value"] < values["shown"][key]["value"] - 0.03
    human = (system, layer, "test", "human", "mrr@10")
    assert values["hidden"][human]["values"] == values["shown"][human]["values"]


def test_the_base_embeds_the_corpus_once_per_run(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    retrieve.fn(world.corpus, world.pairs, world.base, RetrieveConfig())
    passes: list[tuple[int, set[str]]] = []
    original = Encoder.encode_poolings

    def encode(
        self: Encoder,
        texts: list[str],
        kind: Kind,
        layers: list[int],
        *args: object,
        **kwargs: object,
    ) -> np.ndarray:
        if len(layers) > 1:  # a cut model is timed at its last layer alone
            passes.append((self.layers, set(texts)))
        return original(self, texts, kind, layers, *args, **kwargs)

    monkeypatch.setattr(Encoder, "encode_poolings", encode)
    evaluate.fn(world.tuned, world.base, world.corpus, world.pairs, CONFIG)
    corpus = set(world.corpus.read().column("text").to_pylist())
    embedded = {layers: set() for layers in (2, 3)}
    for layers, texts in passes:
        embedded[layers] |= texts & corpus
    assert embedded == {2: set(), 3: corpus}  # the base has 2 layers here, the tuned model 3


def test_the_champion_is_scored_as_its_last_layer(world: World) -> None:
    champion = evaluate_last.fn(world.tuned, world.corpus, world.pairs, CONFIG)
    found = by_key(champion)
    expected = by_key(evaluate.fn(world.tuned, world.base, world.corpus, world.pairs, CONFIG))
    assert len(found) == 2 * 2 * 4
    for (system, layer, *key), row in found.items():
        assert (system, layer) == ("champion", 3)
        assert row == expected["tuned", 3, *key] | {"system": "champion"}


def test_splits_and_origins_that_are_not_there_have_no_rows(world: World) -> None:
    rows = [row for row in world.pairs.read().to_pylist() if row["origin"] == "human"]
    only_test = [row for row in rows if row["split"] != "dev"]
    pairs = Pairs.write(world.corpus.root, only_test)
    scores = evaluate.fn(world.tuned, world.base, world.corpus, pairs, CONFIG)
    assert {key[2:4] for key in by_key(scores)} == {("test", "human")}
    none = Pairs.write(world.corpus.root, [row for row in rows if row["split"] == "train"])
    with pytest.raises(BurnishError, match="no dev or test query"):
        evaluate.fn(world.tuned, world.base, world.corpus, none, CONFIG)


def test_running_again_gives_the_same_noun(world: World) -> None:
    first, again = (
        evaluate.fn(world.tuned, world.base, world.corpus, world.pairs, CONFIG) for _ in range(2)
    )
    assert (first.path, first.fingerprint) == (again.path, again.fingerprint)
    cost = again.facts["milliseconds"]  # measured, so it differs and is no part of the noun
    assert set(cost) == {"1", "2", "3"}
    assert min(cost.values()) > 0


def test_every_pooling_and_length_scores_as_the_model_cut_to_it(
    world: World, make_checkpoint: Callable[..., Checkpoint]
) -> None:
    encoder = load_encoder(world.tuned.path)
    trained = world.tuned.model_copy(update={"facts": {"dimensions": [8, 32], "exits": [1, 2, 3]}})
    config = CONFIG.model_copy(update={"poolings": ("cls", "mean")})
    scores = evaluate.fn(trained, world.base, world.corpus, world.pairs, config)
    cells: dict[tuple, list[dict[str, Any]]] = {}
    for row in scores.read().to_pylist():
        if row["system"] != "BM25":
            cell = row["system"], row["layer"], row["pooling"], row["dimension"]
            cells.setdefault(cell, []).append(row)
    tuned = itertools.product(["tuned"], (1, 2, 3), ("mean", "cls"), (32, 8))
    base = itertools.product(["base"], (1, 2), ("mean", "cls"), [32])
    assert set(cells) == {*tuned, *base}
    assert next(iter(cells)) == ("tuned", 1, "mean", 32)  # as it is by itself comes first
    for layer, pooling, dimension in ((2, "cls", 8), (3, "cls", 32), (1, "mean", 8)):
        cut = make_checkpoint(encoder.cut(layer, pooling=pooling, dimension=dimension))
        alone = evaluate_last.fn(cut, world.corpus, world.pairs, CONFIG).read().to_pylist()
        together = cells["tuned", layer, pooling, dimension]
        for row, expected in zip(together, alone, strict=True):
            assert row["values"] == pytest.approx(expected["values"], abs=1e-9)


def test_more_cells_cost_no_more_passes(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    passed: list[str] = []
    original = Encoder.forward_poolings

    def forward(
        self: Encoder, batch: dict[str, Tensor], layers: list[int], poolings: list[str]
    ) -> Tensor:
        if len(layers) > 1:
            passed.extend(["text"] * len(batch["input_ids"]))
        return original(self, batch, layers, poolings)

    monkeypatch.setattr(Encoder, "forward_poolings", forward)
    trained = world.tuned.model_copy(update={"facts": {"dimensions": [8, 16, 32]}})
    config = CONFIG.model_copy(update={"poolings": ("cls", "max", "lasttoken")})
    evaluate.fn(trained, world.base, world.corpus, world.pairs, config)
    asked = [row for row in world.pairs.read().to_pylist() if row["split"] != "train"]
    texts = [row["text"] for row in world.corpus.read().to_pylist()]
    queries = {row["query"] for row in asked}
    hidden = {
        mask(texts[2 * int(row["passage_id"][1:3]) + int(row["passage_id"][4:])], row["masked"])
        for row in asked
        if row["masked"]
    }
    assert len(passed) == 2 * (len(queries) + len(hidden) + len(set(texts)))
