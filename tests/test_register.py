"""Registering: one version per model, proven from the registry, the alias last, if at all."""

import json
import os
import re
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import mlflow
import numpy as np
import pytest
from mlflow.utils import validation
from safetensors.numpy import load_file, save_file

from tasks.aliases import Aliases, promote, read_aliases, roll_back
from tasks.contracts import BurnishError, Checkpoint, Corpus, Pairs, Scores
from tasks.core.encoder import Encoder
from tasks.evaluate import EvaluateConfig, evaluate
from tasks.model_files import save_encoder
from tasks.publish import name_metric
from tasks.register import RegisterConfig, register
from tasks.registry import CANDIDATE, CHAMPION, CHECKPOINT_TAG, PROOF_TAG, Registry, read_proof
from tasks.tracking import find_address, hide_password
from tasks.verify import PROBES

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
    corpus, address = write_corpus(cut.root), Registry(cut.root, "burnish").shown
    done = register.fn(
        cut, cut, cut, base or cut, corpus, scores, None, opponent_version, address, LINEAGE,
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


def ask(root: Path, words: tuple[str, ...]) -> tuple[Corpus, Pairs]:
    """Write 60 passages, and for each a question made of five of its words."""
    draw, passages, pairs = np.random.default_rng(0), [], []
    empty = dict.fromkeys(("title", "section", "source", "position"), "")
    for number in range(60):
        name, text = f"d{number}", list(draw.choice(words[:90], 12))
        place = {"passage_id": f"{name}#0", "document_id": name, "cluster": f"{name}#0"}
        passages.append(empty | place | {"text": " ".join(text)})
        asked = {"query_id": f"q{number}", "query": " ".join(text[3:8]), "passage_id": f"{name}#0"}
        rest = {"relevance": 1, "origin": "human", "masked": "", "weight": 1.0}
        pairs.append(asked | rest | {"split": "test" if number % 3 else "dev"})
    return Corpus.write(root, passages), Pairs.write(root, pairs)


def test_a_deliberately_bad_candidate_is_measured_and_refused(
    tmp_path: Path, make_encoder: Callable[..., Encoder], words: tuple[str, ...]
) -> None:
    root = tmp_path / "root"
    good, spoilt = make_encoder(), make_encoder()  # random layers stir what the words say
    for name, parameter in good.model.named_parameters():
        if "output" in name or "position" in name:  # layers that do nothing find words
            parameter.data.fill_("LayerNorm.weight" in name)
    base, bad = save(root, good), save(root, spoilt)
    corpus, pairs = ask(root, words)
    scores = evaluate.fn(bad, base, corpus, pairs, EvaluateConfig(resamples=100))
    told = publish(bad, scores, base=base)
    assert not told["champion_moved"]
    (comparison,) = told["comparisons"]
    assert comparison["high"] < 0
    reason = r"Not the champion: ndcg@10 on 40 human test questions: -0\.\d+ against the base's 0\."
    assert re.match(reason, told["reason"])
    registry = Registry(root, "burnish")
    assert read_aliases(registry) == Aliases("1", "", "")
    with pytest.raises(BurnishError, match=f"the candidate, is refused. {reason}"):
        promote(registry)
    assert registry.find(CHAMPION) is None


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


class Left(NamedTuple):
    """What is left in the registry after a process."""

    status: int
    aliases: Aliases
    versions: list[str]
    proven: list[str]


def read_left(told: list[Any]) -> Left:
    status, aliases, versions, proven = told
    return Left(status, Aliases(*aliases), versions, proven)


class Aftermath(NamedTuple):
    """What processes that came at once, and others that were killed, left in the registry."""

    folder: Path
    four: Left
    killed: list[Left]


@pytest.fixture(scope="module")
def aftermath(tmp_path_factory: pytest.TempPathFactory) -> Aftermath:
    folder = tmp_path_factory.mktemp("processes")
    address = {"MLFLOW_TRACKING_URI": f"sqlite:///{folder / 'mlflow.db'}", "OMP_NUM_THREADS": "1"}
    ended = subprocess.run(
        [sys.executable, "-m", "tests.registrations", str(folder)],
        cwd=Path(__file__).parents[1], env=os.environ | address,
        capture_output=True, text=True, check=False, timeout=1800,
    )  # fmt: skip
    assert ended.returncode == 0, ended.stderr[-3000:]
    four, killed = json.loads(ended.stdout.splitlines()[-1])
    return Aftermath(folder, read_left(four), [read_left(one) for one in killed])


@pytest.fixture
def shared(aftermath: Aftermath, monkeypatch: pytest.MonkeyPatch) -> Registry:
    """Give the registry that all of them shared, each from a root of its own."""
    monkeypatch.setenv("MLFLOW_TRACKING_URI", f"sqlite:///{aftermath.folder / 'mlflow.db'}")
    return Registry(aftermath.folder / "root5", "burnish")


def test_four_at_once_leave_four_versions_and_one_champion(
    aftermath: Aftermath, shared: Registry
) -> None:
    status, aliases, versions, proven = aftermath.four
    assert (status, versions, proven) == (0, ["1", "2", "3", "4"], ["1", "2", "3", "4"])
    assert len({version.tags[CHECKPOINT_TAG] for version in shared.list_versions()[:4]}) == 4
    registrations = aftermath.folder.glob("root[1-4]/registration/*/registration.json")
    told = [json.loads(file.read_text()) for file in registrations]
    assert sorted(one["moved"] for one in told) == [False, False, False, True]
    assert sum("became champion meanwhile" in one["reason"] for one in told) == 3
    (winner,) = (one["checkpoint"] for one in told if one["moved"])
    champion = shared.client.get_model_version("burnish", aliases.champion)
    assert champion.tags[CHECKPOINT_TAG] == winner
    assert (aliases.candidate, aliases.previous) == ("4", "")


def test_killed_before_any_write_the_old_champion_stays_and_the_next_run_ends_it(
    aftermath: Aftermath, shared: Registry
) -> None:
    old = aftermath.four.aliases.champion
    *killed, last = aftermath.killed
    assert [left.status for left in killed] == [-signal.SIGKILL] * len(killed)
    for left in killed:
        assert left.aliases.champion == old
        assert {*left.aliases} - {""} <= {*left.proven}
    # run, model, its end, the version; the proof; three tags, the description, and three aliases
    assert len(killed) >= 12
    assert last.aliases == Aliases("5", "5", old)
    assert last.versions == last.proven == ["1", "2", "3", "4", "5"]
    runs = shared.client.search_runs([shared.experiment_id])
    assert {run.info.status for run in runs} == {"FINISHED", "KILLED"}  # none for ever running


def test_an_endpoint_may_call_its_model_anything() -> None:
    row = {"split": "test", "origin": "human", "metric": "ndcg@10"}
    for system in ("../org//e5:large@v2", "e5 (größer), 8\nbits", "text-embedding-3.small"):
        name = name_metric(row | {"system": system})
        validation._validate_metric_name(name)
        assert name.startswith("test_human_")
    assert name == "test_human_text-embedding-3.small_ndcg_at_10"


def test_a_databases_password_is_shown_nowhere(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # a database that MLflow does not know, which it says with the whole address
    given = "nosql://me:secret@127.0.0.1:9/db"
    monkeypatch.setenv("MLFLOW_TRACKING_URI", given)
    with pytest.raises(BurnishError, match="nosql://me@127.0.0.1:9/db") as raised:
        Registry(tmp_path, "burnish")
    assert "secret" not in str(raised.value)
    assert find_address(tmp_path) == given  # as MLflow needs it
    for address, shown in (
        (
            "postgresql+psycopg2://me:se/c@r:et@host:5/db?a=b",
            "postgresql+psycopg2://me@host:5/db?a=b",
        ),
        ("mysql://host/db?user=me&password=secret&a=b", "mysql://host/db?user=me&password=...&a=b"),
        ("sqlite:////home/a:b/c@d/mlflow.db", "sqlite:////home/a:b/c@d/mlflow.db"),
        ("http://127.0.0.1:5000", "http://127.0.0.1:5000"),
    ):
        assert hide_password(address) == shown


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
