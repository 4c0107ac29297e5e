"""Registering: one version per model, proven from the registry, the alias last, if at all."""

import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import mlflow
import numpy as np
import pytest
from safetensors.numpy import load_file, save_file

from tasks.aliases import Aliases, promote, read_aliases, roll_back
from tasks.contracts import BurnishError, Checkpoint, Corpus, Scores
from tasks.core.encoder import Encoder
from tasks.model_files import save_encoder
from tasks.register import RegisterConfig, register
from tasks.registry import CANDIDATE, CHAMPION, CHECKPOINT_TAG, PROOF_TAG, Registry, read_proof
from tasks.verify import PROBES
from tests.test_aliases import Killed, die_before_write

DRAW = np.random.default_rng(0)
WEAK = DRAW.uniform(0, 0.5, 40)
STRONG = WEAK + DRAW.uniform(0, 0.5, 40)
LINEAGE = {"corpus": "c0ffee", "settings": {"train.seed": 0}}


def score(root: Path, tuned: np.ndarray, base: np.ndarray, layer: int = 3) -> Scores:
    """Write the scores of a tuned model and its base."""
    rest = {"layer": layer, "pooling": "mean", "dimension": 32, "split": "test", "origin": "human",
            "metric": "ndcg@10", "low": 0.0, "high": 1.0, "cost": 1.0}  # fmt: skip
    return Scores.write(
        root,
        [
            rest | {"system": system, "value": float(values.mean()), "values": values.tolist()}
            for system, values in (("tuned", tuned), ("base", base))
        ],
    )


def write_corpus(root: Path) -> Corpus:
    """Write a corpus of three passages."""
    row = {"document_id": "d", "title": "", "section": "", "source": "s", "position": ""}
    texts = ("the ship sails", "gold and iron", "a wolf in the forest")
    return Corpus.write(
        root,
        [
            row | {"passage_id": f"d#{n}", "cluster": f"d#{n}", "text": text}
            for n, text in enumerate(texts)
        ],
    )


def save(root: Path, encoder: Encoder) -> Checkpoint:
    facts = {"exits": [encoder.layers], "layer": encoder.layers, "bytes": 1}
    return Checkpoint.commit(root, lambda folder: save_encoder(encoder, folder), facts)


def publish(
    cut: Checkpoint, scores: Scores, opponent_version: str = "", base: Checkpoint | None = None
) -> dict[str, Any]:
    """Register a checkpoint; return what is told of it."""
    corpus, address = write_corpus(cut.root), Registry(cut.root, "burnish").uri
    done = register.fn(
        cut, cut, base or cut, corpus, scores, None, opponent_version, address, LINEAGE,
        RegisterConfig(),
    )  # fmt: skip
    assert done.facts["cosine_from_registry"] > 0.9999
    return done.facts


def load_champion() -> list[np.ndarray]:
    """Pull the champion as anyone would, and embed with it."""
    model = mlflow.sentence_transformers.load_model("models:/burnish@champion")
    return [model.encode_query(PROBES), model.encode_document(PROBES)]


def change_weights(registry: Registry, number: str) -> None:
    """Change a version's weights where the registry keeps them."""
    logged = registry.client.get_model_version("burnish", number).source.rpartition("/")[2]
    (weights,) = registry.root.glob(f"mlartifacts/**/{logged}/**/model.safetensors")
    save_file({name: value * 1.5 for name, value in load_file(weights).items()}, weights)


def test_versions_proofs_and_aliases(tmp_path: Path, make_encoder: Callable[..., Encoder]) -> None:
    root = tmp_path / "root"
    first, second = (save(root, make_encoder(seed=seed)) for seed in (1, 2))
    better, worse = score(root, STRONG, WEAK), score(root, WEAK, STRONG)
    registry = Registry(root, "burnish")

    assert read_aliases(registry) == Aliases("", "", "")
    assert publish(first, better)["version"] == "1"
    assert read_aliases(registry) == Aliases("1", "1", "")
    one = load_champion()
    # the same model again, as after a kill, is no second version
    assert publish(first, better)["version"] == "1"
    assert len(registry.client.search_model_versions("name = 'burnish'")) == 1
    # what it has to beat is still what it beat then, not itself
    assert registry.find_opponent(first.fingerprint) is None
    assert str(registry.find_opponent(second.fingerprint).version) == "1"

    # a worse one is registered and proven, but the champion stays, and nobody slips
    told = publish(second, worse, "1")
    assert (told["version"], told["champion_moved"]) == ("2", False)
    assert told["reason"].startswith("Not the champion: ndcg@10 on 40 human test questions: -0.")
    assert read_aliases(registry) == Aliases("2", "1", "")
    with pytest.raises(BurnishError, match=r"Version 2 of burnish, .* refused. Not the champion"):
        promote(registry)
    # a better one does not overrun a champion that it was not compared with
    assert "became champion meanwhile" in publish(second, better, "")["reason"]
    assert read_aliases(registry) == Aliases("2", "1", "")

    # it is promoted after all, and rolled back: bit for bit what was there before
    publish(second, better, "1")
    assert read_aliases(registry) == Aliases("2", "2", "1")
    assert not np.array_equal(load_champion()[0], one[0])
    assert roll_back(registry) == Aliases("2", "1", "2")
    for now, then in zip(load_champion(), one, strict=True):
        assert np.array_equal(now, then)
    # and no run brings back what a person rolled back from
    assert "rolled back from" in publish(second, better, "1")["reason"]
    assert read_aliases(registry) == Aliases("2", "1", "2")


def test_what_the_registry_changes_is_refused_and_no_alias_moves(
    tmp_path: Path, make_encoder: Callable[..., Encoder]
) -> None:
    cut = save(tmp_path / "root", make_encoder(seed=1))
    better = score(cut.root, STRONG, WEAK)
    publish(cut, better)
    registry = Registry(cut.root, "burnish")
    proof = read_proof(registry.find(CHAMPION))
    assert (proof["layers"], proof["pooling"], proof["prompt of a query"]) == (3, "mean", "query: ")
    for alias in (CANDIDATE, CHAMPION):
        registry.client.delete_registered_model_alias("burnish", alias)
    change_weights(registry, "1")
    with pytest.raises(BurnishError, match="holds other files than were proven"):
        publish(cut, better)
    registry.client.delete_model_version_tag("burnish", "1", PROOF_TAG)
    with pytest.raises(BurnishError, match="not the model that was logged: vectors: the lowest"):
        publish(cut, better)
    assert read_aliases(registry) == Aliases("", "", "")
    assert PROOF_TAG not in registry.client.get_model_version("burnish", "1").tags


def test_killed_before_any_write_the_old_champion_stays_and_the_next_run_ends_it(
    tmp_path: Path, make_encoder: Callable[..., Encoder]
) -> None:
    root = tmp_path / "root"
    first, second = (save(root, make_encoder(seed=seed)) for seed in (1, 2))
    better = score(root, STRONG, WEAK)
    publish(first, better)
    registry = Registry(root, "burnish")
    kills = 0
    for number in range(20):  # each begins with what the last one left
        with pytest.MonkeyPatch.context() as patch:
            die_before_write(patch, number)
            try:
                publish(second, better, "1")
            except Killed:
                kills += 1
            else:
                break
        aliases = read_aliases(registry)
        assert aliases.champion == "1"
        assert all(read_proof(registry.client.get_model_version("burnish", version))
                   for version in aliases if version)  # fmt: skip
    assert kills == 6  # upload, version, proof, verdict, candidate, previous; see test_aliases
    assert read_aliases(registry) == Aliases("2", "2", "1")
    assert len(registry.client.search_model_versions("name = 'burnish'")) == 2


# One process imports what is slow to import, then there are four.
FOUR = """
import os, sys, traceback
from pathlib import Path
import matplotlib.figure, mlflow.pyfunc
import tasks.publish, tasks.embed, tasks.speed
from tests.conftest import build_encoder
from tests.test_register import STRONG, WEAK, publish, save, score
root, children = Path(sys.argv[1]), []
for seed in range(1, 5):
    children.append(os.fork())
    if not children[-1]:
        status = 1
        try:
            cut = save(root, build_encoder(seed=seed, layers=2))
            publish(cut, score(root, STRONG, WEAK, layer=2))
            status = 0
        except BaseException:
            traceback.print_exc()
        finally:
            os._exit(status)
sys.exit(max(os.waitpid(child, 0)[1] for child in children) and 1)
"""


@pytest.mark.skipif(not hasattr(os, "fork"), reason="four processes of one")
def test_four_at_once_leave_four_versions_and_one_champion(tmp_path: Path) -> None:
    root = tmp_path / "root"  # nothing is there: who comes first makes the registry too
    ended = subprocess.run(
        [sys.executable, "-c", FOUR, str(root)],
        cwd=Path(__file__).parents[1], env=os.environ | {"OMP_NUM_THREADS": "1"},
        capture_output=True, text=True, check=False, timeout=600,
    )  # fmt: skip
    assert ended.returncode == 0, ended.stderr[-3000:]
    registry = Registry(root, "burnish")
    versions = registry.client.search_model_versions("name = 'burnish'")
    assert {str(version.version) for version in versions} == {"1", "2", "3", "4"}
    assert len({version.tags[CHECKPOINT_TAG] for version in versions}) == 4
    for version in versions:
        assert read_proof(version)["layers"] == 2
        assert registry.client.get_run(version.run_id).info.status == "FINISHED"
    told = [json.loads(file.read_text()) for file in root.glob("registration/*/registration.json")]
    assert sorted(one["moved"] for one in told) == [False, False, False, True]
    assert sum("became champion meanwhile" in one["reason"] for one in told) == 3
    (winner,) = (one["checkpoint"] for one in told if one["moved"])
    assert registry.find(CHAMPION).tags[CHECKPOINT_TAG] == winner
    assert read_aliases(registry) == Aliases("4", str(registry.find(CHAMPION).version), "")


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
