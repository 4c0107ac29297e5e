"""The whole chain: from documents to a registered model, killed anywhere, run again."""

import re
from pathlib import Path

import mlflow
import numpy as np
import pytest
from prefect.client.orchestration import get_client
from prefect.client.schemas.filters import FlowRunFilter, FlowRunFilterName

from flows.links import FLOW_RUN_PAGE_TAG, FLOW_RUN_TAG
from flows.retrain import describe_settings, seeded
from flows.settings import RetrainConfig
from tasks.registry import Registry
from tests.flows.conftest import fingerprints, read_facts, run_child

STAGES = (
    "ingest", "synthesize", "retrieve", "mine", "draw", "train", "heal", "evaluate",
    "truncate", "register",
)  # fmt: skip
# A function that each stage calls when its work is nearly done and not yet signed.
KILLED_IN = {
    "ingest": "tasks.ingest:_tell",
    "synthesize": "tasks.synthesize:_check",
    "retrieve": "tasks.candidates:_count_found",
    "mine": "tasks.mining:_tabulate",
    "draw": "tasks.draw:describe",
    "train": "tasks.phases:blend_weights",
    "heal": "tasks.heal:_mean",
    "evaluate": "tasks.scoring:score_bm25",
    "truncate": "tasks.truncate:verify_cut",
    "register": "tasks.register:_point",
}


def states(log: str) -> dict[str, str]:
    """Read from the log how each stage ended: `Completed` or `Cached`."""
    return dict(re.findall(r"Task run '(\w+)-\w+' - Finished in state (\w+)", log))


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("whole") / "root"


def test_documents_become_a_registered_model(
    whole: Path, options: list[str], capfd: pytest.CaptureFixture[str]
) -> None:
    first = run_child(["retrain", *options, f"--root={whole}"])
    assert first.returncode == 0, first.stderr[-3000:]
    assert states(first.stderr) == dict.fromkeys(STAGES, "Completed")
    trained = re.findall(r"Task run 'train-\w+' - Finished in state Completed", first.stderr)
    assert len(trained) == 2  # the whole model, and what is left of it once healed
    for told in ("60 documents", "1 no text", "not UTF-8", "Hard negatives",
                 "Trained on the queries", "Kept:", "version 1", "load_model("):  # fmt: skip
        assert told in " ".join(first.stdout.split()), told


def test_run_again_unchanged_every_stage_is_cached(
    whole: Path, options: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MLFLOW_UI_URL", "http://me:secret@mlflow.example:5000/")
    before = fingerprints(whole)
    again = run_child(["retrain", *options, f"--root={whole}"])
    assert states(again.stderr) == dict.fromkeys(STAGES, "Cached")
    assert fingerprints(whole) == before


def test_the_registered_model_is_the_cut_one(whole: Path) -> None:
    facts = read_facts(whole, "registration")
    client = Registry(whole, "burnish").client
    version = client.get_model_version_by_alias("burnish", "candidate")
    assert str(version.version) == facts["version"] == "1"
    run = client.get_run(version.run_id)
    assert run.info.status == "FINISHED"
    history = client.get_metric_history(version.run_id, "test_human_tuned_ndcg_at_10")
    assert sorted(point.step for point in history) == [2, 3]  # healed, and the last
    plain = client.get_metric_history(version.run_id, "test_human_plain_ndcg_at_10")
    assert sorted(point.step for point in plain) == [1, 2]
    assert {"layers.json", "layers.png", "lineage.json", "dataset.html"} <= {
        file.path for file in client.list_artifacts(version.run_id)
    }
    kept = int(run.data.metrics["layer"])
    pulled = mlflow.sentence_transformers.load_model("models:/burnish@candidate")
    model = pulled[0].auto_model
    assert len(model.encoder.layer) == model.config.num_hidden_layers == kept
    answered = mlflow.pyfunc.load_model("models:/burnish@candidate").predict({"input": ["gold"]})
    embedding = answered["data"][0]["embedding"]
    assert np.allclose(embedding, pulled.encode("gold"), atol=1e-5)


def read_shown(run_id: str) -> dict[str, str]:
    """Read what a flow run shows in Prefect, by key."""
    with get_client(sync_client=True) as client:
        sought = {"artifacts": {"flow_run_id": {"any_": [run_id]}}}
        found = client.request("POST", "/artifacts/filter", json=sought).json()
    return {one["key"]: str(one["data"]) for one in found if one["key"]}


def test_the_page_of_a_run_links_to_its_version_and_back(whole: Path) -> None:
    registry, facts = Registry(whole, "burnish"), read_facts(whole, "registration")
    version = registry.client.get_model_version("burnish", facts["version"])
    run = registry.client.get_run(facts["run_id"])
    first = version.tags[FLOW_RUN_TAG]
    assert run.data.tags[FLOW_RUN_TAG] == first
    assert version.tags[FLOW_RUN_PAGE_TAG].endswith(f"/runs/flow-run/{first}")
    with get_client(sync_client=True) as client:
        sought = FlowRunFilter(name=FlowRunFilterName(any_=["no champion: not beyond chance"]))
        named = [str(one.id) for one in client.read_flow_runs(flow_run_filter=sought)]
    assert first in named
    again = max(named, key=lambda one: one != first)
    shown, shown_again = read_shown(first), read_shown(again)
    assert shown.keys() == {"dataset", "retrain-summary", "scores", "gate", "set-aside"}
    page = shown["retrain-summary"]
    for told in ("![quality and cost](data:image/", "![scores by layer](data:image/",
                 "| better than the base | NO |", "| the same in a new process | yes |",
                 "no text", f"mlflow ui --backend-store-uri sqlite:///{whole}/mlfl"):  # fmt: skip
        assert told in page, told
    assert len(page) < 500_000
    assert "against the base" in shown["scores"]
    # where browsers find MLflow at an address of its own, there are links, without its password
    place = f"http://me@mlflow.example:5000/#/models/burnish/versions/{facts['version']}"
    assert place in shown_again["retrain-summary"]
    assert place in shown_again["model-version"]
    assert facts["run_id"] in shown_again["mlflow-run"]
    assert not [key for key, data in shown_again.items() if "secret" in data]


def test_killed_in_every_stage_it_goes_on_and_ends_the_same(
    whole: Path, tmp_path: Path, options: list[str]
) -> None:
    root = tmp_path / "root"
    arguments = ["retrain", *options, f"--root={root}"]
    for number, stage in enumerate(STAGES):
        killed = run_child(arguments, killed_in=KILLED_IN[stage])
        assert killed.returncode == -9, (stage, killed.stderr[-3000:])
        ended_now = {STAGES[number - 1]: "Completed"} if number else {}
        if stage == "evaluate":
            ended_now["train"] = "Completed"  # of what is left of the model once it is healed
        expected = dict.fromkeys(STAGES[:number], "Cached") | ended_now
        assert states(killed.stderr) == expected, stage
    ended = run_child(arguments)
    assert ended.returncode == 0, ended.stderr[-3000:]
    assert states(ended.stderr) == dict.fromkeys(STAGES[:-1], "Cached") | {"register": "Completed"}
    assert fingerprints(root) == fingerprints(whole)
    assert read_facts(root, "registration")["version"] == "1"


def test_one_seed_reaches_every_stage_that_names_none() -> None:
    config = RetrainConfig.model_validate({"seed": 7, "train": {"seed": 3}})
    stages = seeded(config)
    assert (stages.synthesize.seed, stages.train.seed, stages.evaluate.seed) == (7, 3, 7)


def test_no_secret_is_among_the_settings(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", "sk-very-secret")
    assert "sk-very-secret" not in str(describe_settings(RetrainConfig()))
