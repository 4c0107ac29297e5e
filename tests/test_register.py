"""Registering: one version per model, proven from the registry, the alias last, if at all."""

import os
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from safetensors.numpy import load_file, save_file

from tasks.contracts import BurnishError, Checkpoint, Corpus, Scores
from tasks.core.encoder import Encoder
from tasks.register import RegisterConfig, register
from tasks.registry import CANDIDATE, CHAMPION, Registry

DRAW = np.random.default_rng(0)
WEAK = DRAW.uniform(0, 0.5, 40)
STRONG = WEAK + DRAW.uniform(0, 0.5, 40)
LINEAGE = {"corpus": "c0ffee", "settings": {"train.seed": 0}}


def score(root: Path, tuned: np.ndarray, base: np.ndarray) -> Scores:
    """Write the scores of a tuned model and its base."""
    rest = {"layer": 3, "pooling": "mean", "dimension": 32, "split": "test", "origin": "human",
            "metric": "ndcg@10", "low": 0.0, "high": 1.0, "cost": 1.0}  # fmt: skip
    return Scores.write(
        root,
        [
            rest | {"system": system, "value": float(values.mean()), "values": values.tolist()}
            for system, values in (("tuned", tuned), ("base", base))
        ],
    )


@pytest.fixture
def corpus(tmp_path: Path) -> Corpus:
    """Give a corpus of three passages."""
    row = {"document_id": "d", "title": "", "section": "", "source": "s", "position": ""}
    texts = ("the ship sails", "gold and iron", "a wolf in the forest")
    return Corpus.write(
        tmp_path / "root",
        [
            row | {"passage_id": f"d#{n}", "cluster": f"d#{n}", "text": text}
            for n, text in enumerate(texts)
        ],
    )


def test_versions_proofs_and_aliases(
    corpus: Corpus,
    make_encoder: Callable[..., Encoder],
    make_checkpoint: Callable[..., Checkpoint],
) -> None:
    root = corpus.root
    base = make_checkpoint()
    facts = {"layer": 3, "bytes": 1}
    first = make_checkpoint(make_encoder(seed=1), **facts)
    second = make_checkpoint(make_encoder(seed=2), **facts)
    better, worse = score(root, STRONG, WEAK), score(root, WEAK, STRONG)
    registry = Registry(root, "burnish")

    def aliases() -> dict[str, str | None]:
        found = {alias: registry.find(alias) for alias in (CANDIDATE, CHAMPION)}
        return {alias: version and str(version.version) for alias, version in found.items()}

    def publish(cut: Checkpoint, scores: Scores, opponent_version: str = "") -> str:
        done = register.fn(
            cut, cut, base, corpus, scores, None, opponent_version, registry.uri, LINEAGE,
            RegisterConfig(),
        )  # fmt: skip
        assert done.facts["cosine_from_registry"] > 0.9999
        return str(done.facts["version"])

    assert aliases() == {CANDIDATE: None, CHAMPION: None}
    assert publish(first, better) == "1"
    assert aliases() == {CANDIDATE: "1", CHAMPION: "1"}
    # the same model again, as after a kill, is no second version
    assert publish(first, better) == "1"
    assert len(registry.client.search_model_versions("name = 'burnish'")) == 1
    # what it has to beat is still what it beat then, not itself
    assert registry.find_opponent(first.fingerprint) is None
    assert str(registry.find_opponent(second.fingerprint).version) == "1"
    # a worse one is registered and proven, but the champion stays
    assert publish(second, worse, "1") == "2"
    assert aliases() == {CANDIDATE: "2", CHAMPION: "1"}
    # a better one does not overrun a champion that it was not compared with
    assert publish(second, better, "") == "2"
    assert aliases() == {CANDIDATE: "2", CHAMPION: "1"}
    # what the registry gives back is not what was logged: refused, and no alias moves
    version = registry.find(CANDIDATE)
    assert version is not None
    logged = version.source.rpartition("/")[2]
    (weights,) = root.glob(f"mlartifacts/**/{logged}/**/model.safetensors")
    save_file({name: value * 1.5 for name, value in load_file(weights).items()}, weights)
    registry.client.set_registered_model_alias("burnish", CANDIDATE, "1")
    with pytest.raises(BurnishError, match="gives other vectors than the model that was logged"):
        publish(second, better, "1")
    assert aliases() == {CANDIDATE: "1", CHAMPION: "1"}


def test_a_registry_that_is_down_is_named_without_its_password(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "http://me:secret@127.0.0.1:9")
    for name in ("MLFLOW_TRACKING_USERNAME", "MLFLOW_TRACKING_PASSWORD"):
        monkeypatch.setenv(name, "")
    monkeypatch.setenv("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "0")
    with pytest.raises(BurnishError, match="does not answer") as refused:
        Registry(tmp_path, "burnish")
    assert "secret" not in str(refused.value)
    assert os.environ["MLFLOW_TRACKING_PASSWORD"] == "secret"  # where MLflow looks for it
