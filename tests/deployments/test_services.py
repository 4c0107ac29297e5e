"""The plan: what starts here, what is elsewhere, and who sees which secret."""

from pathlib import Path

import pytest

from deployments.access import Login
from deployments.services import Place, Plan, find_gpu, plan_services

LOGIN = Login("ann", "correct horse battery")
DATABASES = {
    "PREFECT_SERVER_DATABASE_CONNECTION_URL": "postgresql+asyncpg://u:hunter2@db/prefect",
    "PREFECT_API_DATABASE_CONNECTION_URL": "postgresql+asyncpg://u:hunter2@db/prefect",
    "MLFLOW_BACKEND_STORE_URI": "postgresql://u:hunter3@db/mlflow",
}


def plan(
    tmp_path: Path, given: dict[str, str], login: Login | None = None, host: str = "127.0.0.1"
) -> Plan:
    place = Place(tmp_path, tmp_path, host, 4200, 5001)
    return plan_services(place, given, login, has_gpu=False)


def test_by_default_all_is_here_and_below_the_root(tmp_path: Path) -> None:
    made = plan(tmp_path, {"PREFECT_PROFILE": "cloud", "PREFECT_API_KEY": "k", "HOME": "/h"})
    names = [service.name for service in made.services]
    assert names[:3] == ["prefect", "mlflow", "worker-cpu"]
    told = made.environment
    assert told["PREFECT_API_URL"] == "http://127.0.0.1:4200/api"
    assert told["MLFLOW_TRACKING_URI"] == made.mlflow == "http://127.0.0.1:5001"
    assert told["MLFLOW_BACKEND_STORE_URI"] == f"sqlite:///{tmp_path}/mlflow.db"
    assert told["PREFECT_HOME"] == f"{tmp_path}/prefect"
    assert told["HOME"] == "/h"
    assert not {"PREFECT_PROFILE", "PREFECT_API_KEY"} & told.keys()  # of another server


def test_states_of_stages_wait_only_for_a_database_that_may_be_away(tmp_path: Path) -> None:
    name = "PREFECT_SERVER_SERVICES_TASK_RUN_RECORDER_FLUSH_INTERVAL"
    assert name in plan(tmp_path, DATABASES).environment
    lite = {"PREFECT_SERVER_DATABASE_CONNECTION_URL": "sqlite+aiosqlite:////data/prefect.db"}
    for given in ({}, lite):
        assert name not in plan(tmp_path, given).environment
    assert plan(tmp_path, {**DATABASES, name: "1"}).environment[name] == "1"


def test_databases_reach_their_server_alone_and_no_command_line(tmp_path: Path) -> None:
    made = plan(tmp_path, DATABASES, LOGIN)
    assert made.environment | DATABASES == made.environment
    seen = {
        service.name: made.environment.keys() - set(service.hidden) for service in made.services
    }
    for name in ("PREFECT_SERVER_DATABASE_CONNECTION_URL", "PREFECT_API_DATABASE_CONNECTION_URL"):
        assert [service for service in seen if name in seen[service]] == ["prefect"]
    for name in ("MLFLOW_BACKEND_STORE_URI", "MLFLOW_FLASK_SERVER_SECRET_KEY",
                 "MLFLOW_AUTH_ADMIN_PASSWORD"):  # fmt: skip
        assert [service for service in seen if name in seen[service]] == ["mlflow"]
    for service in made.services:
        for secret in ("hunter", "horse"):
            assert secret not in " ".join(service.command)


def test_a_server_elsewhere_is_used_and_not_started(tmp_path: Path) -> None:
    given = {"PREFECT_API_URL": "http://box:4200/api", "PREFECT_API_KEY": "k",
             "MLFLOW_TRACKING_URI": "https://u:hunter2@ml.example.org"}  # fmt: skip
    made = plan(tmp_path, given)
    assert made.services[0].name == "worker-cpu"
    assert made.prefect == "http://box:4200"
    assert made.mlflow == "https://u@ml.example.org"  # as it is shown
    assert made.environment | given == made.environment


def test_what_it_told_to_export_names_no_other_server(tmp_path: Path) -> None:
    given = {"PREFECT_API_URL": "http://localhost:4200/api",
             "MLFLOW_TRACKING_URI": "http://127.0.0.1:5001/"}  # fmt: skip
    assert [one.name for one in plan(tmp_path, given).services][:2] == ["prefect", "mlflow"]


def test_runs_outlive_a_database_that_is_away_for_minutes(tmp_path: Path) -> None:
    told = plan(tmp_path, {}).environment
    assert told["PREFECT_CLIENT_RETRY_EXTRA_CODES"] == "500"
    for name in ("PREFECT_CLIENT_MAX_RETRIES", "MLFLOW_HTTP_REQUEST_MAX_RETRIES"):
        assert sum(2**number for number in range(1, int(told[name]) + 1)) > 240  # seconds
    given = {"PREFECT_CLIENT_MAX_RETRIES": "2"}
    assert plan(tmp_path, given).environment["PREFECT_CLIENT_MAX_RETRIES"] == "2"


def test_from_here_a_server_for_all_is_reached_at_loopback(tmp_path: Path) -> None:
    made = plan(tmp_path, {}, LOGIN, host="0.0.0.0")
    assert made.prefect == "http://127.0.0.1:4200"
    assert made.environment["PREFECT_UI_API_URL"] == "/api"  # and the UI from elsewhere
    assert "0.0.0.0" in made.services[0].command


@pytest.mark.parametrize(
    ("script", "expected"),
    [("echo 'GPU 0: H200'", True), ("echo 'no devices'; exit 9", False), ("exit 0", False)],
)
def test_a_gpu_is_what_nvidia_smi_lists(
    script: str, expected: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    program = tmp_path / "nvidia-smi"
    program.write_text(f"#!/bin/sh\n{script}\n")
    program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:/bin:/usr/bin")
    assert find_gpu() == expected
