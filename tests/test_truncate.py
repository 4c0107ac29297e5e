"""The model is cut where the dev scores say, and is proved before it is kept."""

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tasks.choose import choose
from tasks.contracts import BurnishError, Checkpoint, Scores
from tasks.core.encoder import Encoder
from tasks.core.prices import Cell
from tasks.model_files import load_encoder, save_encoder
from tasks.truncate import TruncateConfig, truncate, verify_cut

MakeCheckpoint = Callable[..., Checkpoint]
LEVELS = {1: 0.3, 2: 0.79, 3: 0.8}  # layer 2 is within 5 % of layer 3, layer 1 is not


def rows(levels: dict[int, float], **changes: Any) -> list[dict[str, Any]]:  # noqa: ANN401
    """Make one row per layer, its values spread a little around its level."""
    noise = np.random.default_rng(0).normal(0, 0.01, size=200)
    return [
        {
            "system": "tuned",
            "layer": layer,
            "pooling": "mean",
            "dimension": 32,
            "split": "dev",
            "origin": "synthetic",
            "metric": "ndcg@10",
            "value": level,
            "low": level,
            "high": level,
            "cost": float(layer),
            "values": (level + noise).tolist(),
        }
        | changes
        for layer, level in levels.items()
    ]


def write_scores(checkpoint: Checkpoint, *parts: list[dict[str, Any]], **facts: Any) -> Scores:  # noqa: ANN401
    return Scores.write(checkpoint.root, [row for part in parts for row in part], facts=facts)


@pytest.mark.parametrize(
    ("architecture", "pooling"), [("modernbert", "mean"), ("qwen3", "lasttoken")]
)
def test_cuts_proves_and_reports(
    make_encoder: Callable[..., Encoder],
    make_checkpoint: MakeCheckpoint,
    architecture: str,
    pooling: str,
) -> None:
    whole = make_encoder(architecture, pooling=pooling, prompts={})
    checkpoint = make_checkpoint(whole)
    scores = write_scores(checkpoint, rows(LEVELS, pooling=pooling))
    truncated = truncate.fn(checkpoint, scores, TruncateConfig())
    facts = truncated.facts
    assert (facts["layer"], facts["layers_before"], facts["best_layer"]) == (2, 3, 3)
    assert (facts["pooling"], facts["dimension"]) == (pooling, 32)
    assert "Layer 2" in facts["reason"]
    assert facts["runner_up"]["layer"] == 3
    assert facts["min_cosine"] >= 0.99999
    assert facts["bytes"] < facts["bytes_before"]
    assert json.loads((truncated.path / "manifest.json").read_text())["facts"] == facts
    cut = load_encoder(truncated.path)
    assert cut.layers == 2
    assert cut.model.num_parameters() == facts["parameters"] < facts["parameters_before"]
    expected = whole.encode(["gold mine"], "query", [2])
    np.testing.assert_allclose(cut.encode(["gold mine"], "query", [2]), expected, atol=1e-6)


def test_the_chosen_pooling_and_length_are_the_saved_models(
    make_encoder: Callable[..., Encoder], make_checkpoint: MakeCheckpoint
) -> None:
    whole = make_encoder("llama")
    checkpoint = make_checkpoint(whole)
    better = rows({1: 0.3, 2: 0.9, 3: 0.9}, pooling="max", dimension=8)
    scores = write_scores(checkpoint, rows(LEVELS), better, milliseconds={"1": 0.5, "2": 1.25})
    truncated = truncate.fn(checkpoint, scores, TruncateConfig())
    facts = truncated.facts
    assert [facts[name] for name in Cell._fields] == [2, "max", 8]
    assert "Layer 2 (max pooling, 8 numbers)" in facts["reason"]
    chosen = facts["chosen"]
    assert (chosen["milliseconds"], chosen["gflops"], chosen["bytes_per_vector"]) == (1.25, 2, 32)
    vector = load_encoder(truncated.path).encode(["gold mine"], "query", [2])[0, 0]
    uncut = replace(whole, pooling="max").encode(["gold mine"], "query", [2])[0, 0, :8]
    np.testing.assert_allclose(vector, uncut / np.linalg.norm(uncut), atol=1e-6)
    assert [facts["runner_up"][name] for name in Cell._fields] == [3, "max", 8]
    assert json.loads((truncated.path / "manifest.json").read_text())["facts"] == facts


def test_weights_are_counted_as_they_are_saved(
    make_encoder: Callable[..., Encoder], make_checkpoint: MakeCheckpoint, architecture: str
) -> None:
    whole = make_encoder(architecture)
    checkpoint = make_checkpoint(whole)
    scores = write_scores(checkpoint, rows(LEVELS))
    for row in choose(checkpoint.facts["exits"], scores, whole, TruncateConfig()).rows:
        cut = whole.cut(row.cell.layer)
        assert row.price.megabytes == pytest.approx(4e-6 * cut.model.num_parameters())


def choose_layer_of(checkpoint: Checkpoint, *parts: list[dict[str, Any]], **settings: Any) -> int:  # noqa: ANN401
    encoder = load_encoder(checkpoint.path)
    config = TruncateConfig(**settings)
    scores, exits = write_scores(checkpoint, *parts), checkpoint.facts["exits"]
    return choose(exits, scores, encoder, config).chosen.cell.layer


def test_chooses_among_the_exits_alone(make_checkpoint: MakeCheckpoint) -> None:
    # Layer 2 would do, but was not trained to be cut at.
    assert choose_layer_of(make_checkpoint(exits=[1, 3]), rows(LEVELS)) == 3
    assert choose_layer_of(make_checkpoint(exits=[1, 2, 3]), rows(LEVELS)) == 2


def test_a_healed_model_stands_for_the_whole_one_at_its_depth(
    make_encoder: Callable[..., Encoder], make_checkpoint: MakeCheckpoint
) -> None:
    whole = make_checkpoint(make_encoder(), exits=[3])
    healed = make_checkpoint(make_encoder(layers=2, seed=5), layers=2, kept=[1, 3])
    truncated = truncate.fn(whole, write_scores(whole, rows(LEVELS)), TruncateConfig(), [healed])
    assert truncated.facts["layer"] == 2
    assert truncated.facts["source"] == healed.fingerprint
    assert truncated.facts["kept"] == [1, 3]
    assert truncated.facts["layers_before"] == 3
    np.testing.assert_allclose(
        load_encoder(truncated.path).encode(["gold mine"], "query", [2]),
        load_encoder(healed.path).encode(["gold mine"], "query", [2]),
        atol=1e-6,
    )
    kept = truncate.fn(
        whole, write_scores(whole, rows(LEVELS | {2: 0.1})), TruncateConfig(), [healed]
    )
    assert (kept.facts["layer"], kept.facts["source"]) == (3, whole.fingerprint)
    assert kept.facts["kept"] == [1, 2, 3]


def test_tolerance_decides(checkpoint: Checkpoint) -> None:
    assert choose_layer_of(checkpoint, rows(LEVELS), tolerance=0.0) == 3
    assert choose_layer_of(checkpoint, rows(LEVELS), tolerance=0.7) == 1


def test_human_queries_come_before_synthetic_ones(checkpoint: Checkpoint) -> None:
    human = rows({1: 0.8, 2: 0.8, 3: 0.8}, origin="human")
    assert choose_layer_of(checkpoint, rows(LEVELS), human) == 1


def test_a_few_human_queries_do_not_outweigh_many(checkpoint: Checkpoint) -> None:
    few = rows({1: 0.8, 2: 0.8, 3: 0.8}, origin="human")
    for row in few:
        row["values"] = [0.8] * 29
    assert choose_layer_of(checkpoint, rows(LEVELS), few) == 2
    assert choose_layer_of(checkpoint, rows(LEVELS), few, min_questions=29) == 1
    assert choose_layer_of(checkpoint, few) == 3  # alone they decide, but prove nothing


@pytest.mark.parametrize(
    "other",
    [
        {"system": "base"},
        {"split": "test"},
        {"metric": "mrr@10"},
        {"origin": "general"},
    ],
)
def test_other_rows_have_no_say(checkpoint: Checkpoint, other: dict[str, Any]) -> None:
    misleading = rows({1: 0.9, 2: 0.1, 3: 0.1}, **other)
    assert choose_layer_of(checkpoint, rows(LEVELS), misleading) == 2
    assert choose_layer_of(checkpoint, misleading, rows(LEVELS)) == 2


def test_metric_can_be_chosen(checkpoint: Checkpoint) -> None:
    other = rows({1: 0.8, 2: 0.8, 3: 0.8}, metric="recall@100")
    assert choose_layer_of(checkpoint, rows(LEVELS), other, metric="recall@100") == 1


def test_a_budget_of_measured_time_is_kept(checkpoint: Checkpoint) -> None:
    encoder, config = load_encoder(checkpoint.path), TruncateConfig(max_milliseconds=1.0)
    measured = write_scores(checkpoint, rows(LEVELS), milliseconds={"1": 0.9, "2": 1.1, "3": 1.5})
    choice = choose(checkpoint.facts["exits"], measured, encoder, config)
    assert (choice.chosen.cell.layer, choice.chosen.is_within) == (1, False)
    unmeasured = write_scores(checkpoint, rows(LEVELS), milliseconds={"1": 0.9})
    with pytest.raises(BurnishError, match=r"how many milliseconds the layers \[2, 3\] take"):
        choose(checkpoint.facts["exits"], unmeasured, encoder, config)


def test_a_budget_that_nothing_keeps_is_told_in_options(checkpoint: Checkpoint) -> None:
    with pytest.raises(BurnishError, match="Set --truncate.max-bytes-per-vector to at least 128,"):
        choose_layer_of(checkpoint, rows(LEVELS), max_bytes_per_vector=64)


def test_says_which_exit_has_no_score(checkpoint: Checkpoint) -> None:
    with pytest.raises(BurnishError, match=r"no ndcg@10 of the tuned model's layers \[1, 3\]"):
        choose_layer_of(checkpoint, rows({2: 0.5}))


def test_another_cell_is_not_kept(make_encoder: Callable[..., Encoder], tmp_path: Path) -> None:
    encoder = make_encoder(prompts={})
    save_encoder(encoder.cut(1), tmp_path)
    with pytest.raises(BurnishError, match="gives other vectors than layer 2") as raised:
        verify_cut(encoder, Cell(2, "max", 16), tmp_path)
    for told in ("layers: 1, not 2", "pooling: 'mean', not 'max'", "[32], not 16", "cosine"):
        assert told in str(raised.value)
