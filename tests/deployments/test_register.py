"""What is registered: forms that explain and enforce themselves, and edits that outlive it."""

import logging
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any
from uuid import UUID

import httpx
import prefect.automations
import pytest
from prefect import Flow
from prefect.client.orchestration import SyncPrefectClient, get_client
from prefect.client.schemas.actions import WorkPoolCreate
from prefect.client.schemas.responses import DeploymentResponse
from prefect.events.actions import RunDeployment
from prefect.events.schemas.automations import Automation
from prefect.flows import load_flow_from_entrypoint
from prefect.utilities.callables import parameter_schema

from deployments.deployed import DEPLOYED
from deployments.given import GivenConfig, describe_documents, fill_in
from deployments.kept import drop_unknown
from deployments.register import CPU, GPU, PROCESS, describe_new, register
from deployments.triggers import DEBOUNCE_SECONDS, TRIGGER, start_for_documents
from flows.retrain import retrain
from tasks.contracts import BurnishError

FLOWS = [one.flow for one in DEPLOYED]
NAMES = {flow.name for flow in FLOWS}
EDITED = {"config": {"root": "/elsewhere", "seed": 5, "train": {"loss": "cosine"}}}


@pytest.fixture
def client(server: None) -> Iterator[SyncPrefectClient]:
    with get_client(sync_client=True) as connected:
        yield connected


@pytest.fixture(scope="module")
def registered(server: None, tmp_path_factory: pytest.TempPathFactory) -> None:
    """Register all, for tests that change nothing."""
    register(tmp_path_factory.mktemp("root"), has_gpu=False)


@pytest.fixture
def deployment(client: SyncPrefectClient, tmp_path: Path) -> DeploymentResponse:
    """Give `retrain/retrain`, registered as for the first time."""
    for known in client.read_deployments():
        client.delete_deployment(known.id)
    register(tmp_path, has_gpu=False)
    return read(client)


def read(client: SyncPrefectClient, name: str = "retrain") -> DeploymentResponse:
    return client.read_deployment_by_name(f"{name}/{name}")


def ask(client: SyncPrefectClient, method: str, path: str, told: object) -> httpx.Response:
    """Do what the UI does."""
    return httpx.request(method, f"{str(client.api_url).rstrip('/')}{path}", json=told, timeout=60)


def change(client: SyncPrefectClient, method: str, path: str, told: object = None) -> None:
    assert ask(client, method, path, told).is_success


def schedules(deployment: DeploymentResponse) -> set[tuple[Any, ...]]:
    return {
        (one.schedule.cron, one.schedule.timezone, one.active, str(one.parameters))
        for one in deployment.schedules
    }


@pytest.mark.parametrize("flow", FLOWS, ids=lambda flow: flow.name)
def test_every_field_of_every_form_is_explained(flow: Flow[..., Any]) -> None:
    definitions = parameter_schema(flow).model_dump()["definitions"]
    assert definitions
    for name, definition in definitions.items():
        for field, told in definition.get("properties", {}).items():
            same = definitions.get(told.get("$ref", "").rpartition("/")[2], {})
            text = told.get("description") or same.get("description", "")
            assert len(text) > 10, f"{name}.{field}"


def test_all_are_there_and_name_flows_that_can_be_imported(
    deployment: DeploymentResponse, client: SyncPrefectClient, tmp_path: Path
) -> None:
    assert {"retrain", "ingest", "evaluate", "promote", "rollback"} == NAMES
    for flow in FLOWS:
        found = read(client, flow.name)
        assert found.entrypoint is not None
        assert load_flow_from_entrypoint(found.entrypoint) is flow
        assert found.parameters == {"config": {"root": str(tmp_path)}}
        flow.validate_parameters(found.parameters)
        assert found.work_pool_name == CPU
        assert found.job_variables == {"working_dir": str(Path.cwd())}
    (nightly,) = deployment.schedules
    assert (nightly.schedule.cron, nightly.active) == ("0 3 * * *", False)
    assert deployment.global_concurrency_limit is not None
    assert deployment.global_concurrency_limit.limit == 1
    assert deployment.concurrency_options is not None
    assert deployment.concurrency_options.collision_strategy == "ENQUEUE"


@pytest.mark.parametrize(
    ("name", "config"),
    [
        ("retrain", {"train": {"loss": "nope"}}),  # not one of the choices
        ("retrain", {"train": {"learning_rate": -1}}),  # out of bounds
        ("retrain", {"sources": "docs"}),  # no list
        ("retrain", {"root": 3}),  # no path
        ("retrain", {"lerning_rate": 1}),  # misspelt
        ("ingest", {"max_file_bytes": 0}),
        ("evaluate", {"evaluate": {"resamples": 1}}),
        ("promote", {"version": "latest"}),
        ("rollback", {"name": 5}),
    ],
)
def test_a_bad_value_is_refused_before_any_process_starts(
    name: str, config: dict[str, Any], registered: None, client: SyncPrefectClient
) -> None:
    found = read(client, name)
    before = count_runs(client, found.id)
    answer = create_run(client, found.id, config)
    assert answer.status_code == 409
    assert next(iter(config)) in answer.json()["detail"]
    assert count_runs(client, found.id) == before


def test_a_good_value_of_every_kind_is_taken(registered: None, client: SyncPrefectClient) -> None:
    config = {
        "root": "/data", "sources": ["docs, and more", "s3://bucket"], "questions": None,
        "rounds": 10, "train": {"loss": "triplet"}, "ingest": {"max_characters": 5},
    }  # fmt: skip
    answer = create_run(client, read(client).id, config)
    assert answer.status_code == 201, answer.text
    taken = retrain.validate_parameters(answer.json()["parameters"])["config"]
    assert taken.root == Path("/data")
    assert taken.sources == ("docs, and more", "s3://bucket")


def test_what_is_heavy_goes_where_the_gpu_is() -> None:
    pools = {one.flow.name: describe_new(one, Path(), has_gpu=True) for one in DEPLOYED}
    found = {name for name, told in pools.items() if told["work_pool_name"] == GPU}
    assert found == {"retrain", "evaluate"}


def test_what_a_person_sets_outlives_registration(
    deployment: DeploymentResponse, client: SyncPrefectClient, tmp_path: Path
) -> None:
    here = f"/deployments/{deployment.id}"
    (nightly,) = deployment.schedules
    edited = {"cron": "30 5 * * 1", "timezone": "Europe/Berlin"}
    told = {"schedule": edited, "active": True}
    change(client, "PATCH", f"{here}/schedules/{nightly.id}", told)
    added = {"schedule": {"cron": "15 1 * * *", "timezone": "UTC"}, "active": False,
             "parameters": {"config": {"seed": 9}}}  # fmt: skip
    change(client, "POST", f"{here}/schedules", [added])
    told = {"parameters": EDITED, "tags": ["ours"], "paused": True, "concurrency_limit": 2}
    change(client, "PATCH", here, told)
    change(client, "PATCH", f"/work_pools/{CPU}", {"concurrency_limit": 3})
    before = read(client)
    for has_gpu in (False, True):
        register(tmp_path / "another", has_gpu=has_gpu)
    after = read(client)
    assert schedules(after) == schedules(before) == {
        ("30 5 * * 1", "Europe/Berlin", True, "{}"),
        ("15 1 * * *", "UTC", False, "{'config': {'seed': 9}}"),
    }  # fmt: skip
    assert after.parameters == EDITED
    assert (after.tags, after.paused, after.work_pool_name) == (["ours"], True, CPU)
    assert after.global_concurrency_limit is not None
    assert after.global_concurrency_limit.limit == 2
    assert client.read_work_pool(CPU).concurrency_limit == 3
    assert client.read_work_pool(GPU).concurrency_limit == 1


def test_a_schedule_that_was_deleted_stays_deleted(
    deployment: DeploymentResponse, client: SyncPrefectClient, tmp_path: Path
) -> None:
    (nightly,) = deployment.schedules
    change(client, "DELETE", f"/deployments/{deployment.id}/schedules/{nightly.id}")
    register(tmp_path, has_gpu=False)
    assert read(client).schedules == []


def read_trigger(client: SyncPrefectClient) -> Automation:
    (found,) = client.read_automations_by_name(TRIGGER)
    return found


def test_a_trigger_that_was_edited_or_switched_off_stays_so(
    deployment: DeploymentResponse, client: SyncPrefectClient, tmp_path: Path
) -> None:
    made = read_trigger(client)
    (action,) = made.actions
    assert isinstance(action, RunDeployment)
    assert made.enabled
    assert action.deployment_id == deployment.id
    assert action.schedule_after == timedelta(seconds=DEBOUNCE_SECONDS)
    action.schedule_after = timedelta(minutes=10)
    edited = made.model_copy(update={"enabled": False})
    prefect.automations.Automation(**edited.model_dump()).update()
    register(tmp_path, has_gpu=False)
    after = read_trigger(client)
    assert (after.id, after.enabled) == (made.id, False)
    assert after.actions == [action]

    client.delete_deployment(deployment.id)  # and with it nothing of the trigger
    register(tmp_path, has_gpu=False)
    anew = read_trigger(client)
    assert anew.actions == [action.model_copy(update={"deployment_id": read(client).id})]
    assert (anew.id, anew.enabled) == (made.id, False)


def test_documents_named_on_the_command_line_are_set_where_nobody_has_set_any(
    deployment: DeploymentResponse,
    client: SyncPrefectClient,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    for name in ("docs", "other"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "a.md").write_text("# A\n\nText.\n")
    monkeypatch.chdir(tmp_path)
    given = GivenConfig(sources=("docs", "s3://team/docs"), questions="docs")
    told = describe_documents(given, are_here=True)
    register(tmp_path, has_gpu=False, documents=told)
    wanted = {
        "root": str(tmp_path), "sources": [str(tmp_path / "docs"), "s3://team/docs"],
        "questions": str(tmp_path / "docs"),
    }  # fmt: skip
    for name in ("retrain", "ingest", "evaluate"):
        assert read(client, name).parameters == {"config": wanted}
    assert read(client, "promote").parameters == {"config": {"root": str(tmp_path)}}

    other = describe_documents(GivenConfig(sources=("other",), questions="other"), are_here=True)
    with caplog.at_level(logging.WARNING):
        register(tmp_path, has_gpu=False, documents=other)
    assert read(client).parameters == {"config": wanted}
    assert "retrain keeps the sources that Prefect knows" in caplog.text
    kept = fill_in(retrain, {"config": {"sources": ["s3://mine"]}}, other)
    assert kept == {"config": {"sources": ["s3://mine"]}}  # no questions about other documents


def test_documents_that_cannot_be_meant_are_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "C#").mkdir()
    monkeypatch.chdir(tmp_path)
    for given in (GivenConfig(sources=("nowhere",)), GivenConfig(questions="nowhere")):
        with pytest.raises(BurnishError, match="nowhere"):
            describe_documents(given, are_here=True)
        assert describe_documents(given, are_here=False)  # a container may have it
    with pytest.raises(BurnishError, match="password"):
        describe_documents(GivenConfig(sources=("https://ann:horse@h/docs/",)), are_here=False)
    told = describe_documents(GivenConfig(sources=("C#/*.md",)), are_here=True)
    assert told == {"sources": [str(tmp_path / "C#" / "*.md")]}
    assert fill_in(retrain, {"config": None}, told)["config"] == told


def test_a_trigger_of_an_earlier_version_is_taken_over_as_it_was(
    deployment: DeploymentResponse, client: SyncPrefectClient, tmp_path: Path
) -> None:
    client.delete_automation(read_trigger(client).id)
    owned = start_for_documents(deployment.id).model_copy(
        update={"owner_resource": f"prefect.deployment.{deployment.id}", "enabled": False}
    )
    client.create_automation(owned)
    before = read_trigger(client)
    register(tmp_path, has_gpu=False)  # Prefect deletes what a deployment owns
    after = read_trigger(client)
    assert after.id != before.id
    assert (after.enabled, after.actions) == (False, before.actions)


def test_runs_in_containers_are_told_no_directory_of_this_machine(
    client: SyncPrefectClient, registered: None, tmp_path: Path
) -> None:
    def begin_anew(kind: str) -> DeploymentResponse:
        for known in client.read_deployments():
            client.delete_deployment(known.id)
        change(client, "DELETE", f"/work_pools/{CPU}")
        client.create_work_pool(WorkPoolCreate(name=CPU, type=kind))
        register(tmp_path, has_gpu=False)
        return read(client)

    found = begin_anew("kubernetes")
    assert (found.work_pool_name, found.job_variables) == (CPU, {})
    assert client.read_work_pool(CPU).type == "kubernetes"
    assert begin_anew(PROCESS).job_variables == {"working_dir": str(Path.cwd())}


def test_what_the_code_no_longer_takes_is_left_out_and_told(
    caplog: pytest.LogCaptureFixture,
) -> None:
    old = {"config": {"seed": 5, "sources": [1], "gone": 1, "train": {"loss": "magic", "seed": 2}}}
    with caplog.at_level(logging.WARNING):
        kept = drop_unknown(old, retrain)
    assert kept == {"config": {"seed": 5, "train": {"seed": 2}}}
    for name in ("gone", "train.loss", "sources"):
        assert f"config.{name} is set in the UI" in caplog.text


def create_run(
    client: SyncPrefectClient, deployment: UUID, config: dict[str, Any]
) -> httpx.Response:
    told = {"parameters": {"config": config}}
    return ask(client, "POST", f"/deployments/{deployment}/create_flow_run", told)


def count_runs(client: SyncPrefectClient, deployment: UUID) -> int:
    told = {"deployments": {"id": {"any_": [str(deployment)]}}}
    return int(ask(client, "POST", "/flow_runs/count", told).json())
