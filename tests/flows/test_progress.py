"""Progress is an artifact of the run it is in, and nothing anywhere else."""

from typing import Any
from uuid import UUID

import pytest
from prefect import flow, task
from prefect.client.orchestration import get_client
from prefect.runtime import flow_run

from tasks import progress


def read_progress(identifier: UUID) -> list[tuple[str, Any]]:
    with get_client(sync_client=True) as client:
        sought = {"artifacts": {"flow_run_id": {"any_": [str(identifier)]}}}
        found = client.request("POST", "/artifacts/filter", json=sought).json()
    return [(one["description"], one["data"]) for one in found if one["type"] == "progress"]


def work(share: float = 1.0) -> None:
    with progress.progress("chewing", 4, "bites") as advance:
        for _ in range(int(4 * share)):
            advance(1)


@task
def works() -> None:
    work()


@flow(persist_result=False)
def runs(*, is_in_task: bool) -> UUID:
    works() if is_in_task else work()
    return UUID(str(flow_run.id))


@pytest.mark.parametrize("is_in_task", [True, False])
def test_long_work_is_seen(is_in_task: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(progress, "LOG_SECONDS", 0)
    assert read_progress(runs(is_in_task=is_in_task)) == [("chewing", 100.0)]


def test_short_work_is_not() -> None:
    assert read_progress(runs(is_in_task=True)) == []


def test_outside_of_a_run_there_is_the_log_alone(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(progress, "LOG_SECONDS", 0)
    with caplog.at_level("INFO", "tasks"):
        work(0.5)
    assert "chewing: 2 of 4 bites (50 %)" in caplog.text
