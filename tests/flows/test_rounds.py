"""Rounds of mining: the tuned model mines anew, and a round that does not gain is dropped."""

import re
from pathlib import Path

import numpy as np

from flows.rounds import measure_gain
from tasks.contracts import Scores
from tests.flows.conftest import run_child


def write(root: Path, values: np.ndarray, origin: str = "human", split: str = "dev") -> Scores:
    row = {
        "system": "tuned", "layer": 3, "pooling": "mean", "dimension": 8, "split": split,
        "origin": origin, "metric": "ndcg@10", "value": float(values.mean()), "low": 0.0,
        "high": 1.0, "cost": 1.0, "values": values.tolist(),
    }  # fmt: skip
    test = row | {"split": "test", "values": (1 - values).tolist()}
    return Scores.write(root, [row, test])


def test_a_gain_is_measured_on_dev_and_query_by_query(tmp_path: Path) -> None:
    draw = np.random.default_rng(0)
    hard = draw.uniform(0, 1, 100)  # queries differ far more than models do
    before, after = write(tmp_path, hard), write(tmp_path, hard * 0.98 + 0.02)
    gain = measure_gain(before, after)
    assert gain.low > 0
    assert gain.is_beyond_chance
    assert gain.difference == measure_gain(after, before).difference * -1
    chance = measure_gain(before, write(tmp_path, np.clip(hard + draw.normal(0, 0.2, 100), 0, 1)))
    assert chance.low < 0 < chance.high
    few = measure_gain(write(tmp_path, hard[:5]), write(tmp_path, hard[:5] + 0.5))
    assert few.low > 0  # and yet five of five is luck
    assert not few.is_beyond_chance


def test_the_second_round_is_mined_by_the_tuned_model(tmp_path: Path, options: list[str]) -> None:
    root = tmp_path / "root"
    ended = run_child(["retrain", *options, "--rounds=3", f"--root={root}"])
    assert ended.returncode == 0, ended.stderr[-3000:]
    told = re.findall(r"round (\d) (gains|is no gain)", ended.stderr)
    assert told[0][0] == "2"
    # the rounds end with the first that does not gain, and that one is not the model that is kept
    assert [outcome for _, outcome in told[:-1]] == ["gains"] * (len(told) - 1)
    rounds = 1 + len(told)
    for noun in ("candidates", "triplets"):
        assert len(list((root / noun).iterdir())) == rounds
    kept = sum(outcome == "gains" for _, outcome in told)
    trained = re.findall(r"trained on (\d+) queries", ended.stderr)
    assert len(trained) == rounds + 1  # and the healed model, once
    assert kept in (rounds - 1, rounds - 2)
