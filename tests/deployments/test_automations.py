"""Automations: made once, a person's edits stay, and what they do is done by a real server."""

import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from datetime import timedelta
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import Any
from uuid import UUID

import prefect.automations
import pytest
from prefect import flow
from prefect.blocks.notifications import CustomWebhookNotificationBlock
from prefect.client.orchestration import SyncPrefectClient, get_client
from prefect.client.schemas.objects import ConcurrencyLimitStrategy
from prefect.events.schemas.automations import Automation, AutomationCore
from prefect.settings import PREFECT_API_URL
from prefect.states import Pending

from deployments.automations import (
    SILENT_SECONDS,
    crash_runs_that_never_start,
    crash_silent_runs,
    register_automations,
)
from flows.announce import announce_move
from tasks.contracts import BurnishError

pytestmark = pytest.mark.usefixtures("server")


class Ear(BaseHTTPRequestHandler):
    """What a team's chat would be: it remembers what it is told."""

    heard: list[dict[str, Any]] = []  # noqa: RUF012 - of the class, which the server makes anew

    def do_POST(self) -> None:
        length = int(self.headers["Content-Length"])
        Ear.heard.append(json.loads(self.rfile.read(length)))
        self.send_response(200)
        self.end_headers()

    def log_message(self, *arguments: object) -> None:
        pass


@pytest.fixture(scope="module")
def block() -> Iterator[str]:
    """Save a notification block that tells a server on loopback."""
    server = HTTPServer(("127.0.0.1", 0), Ear)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    CustomWebhookNotificationBlock(
        name="ear", url=f"http://127.0.0.1:{server.server_port}/", method="POST",
        json_data={"subject": "{{subject}}", "body": "{{body}}"},
    ).save("burnish-test", overwrite=True)  # fmt: skip
    yield "burnish-test"
    server.shutdown()


@pytest.fixture
def client() -> Iterator[SyncPrefectClient]:
    with get_client(sync_client=True) as client:
        for automation in list_ours(client):
            client.delete_automation(automation.id)
        yield client


def list_ours(client: SyncPrefectClient) -> list[Automation]:
    found = client.request("POST", "/automations/filter", json={}).json()
    every = [Automation.model_validate(one) for one in found]
    return [one for one in every if one.name.startswith("Burnish")]


def wait_for(find: Callable[[], object], seconds: float = 60) -> bool:
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        if find():
            return True
        time.sleep(0.3)
    return False


def test_made_once_and_a_persons_edits_stay(
    client: SyncPrefectClient, block: str, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level("INFO", "deployments"):
        register_automations("no-such-block")
    assert "no notification block named no-such-block" in caplog.text
    assert len(list_ours(client)) == 2
    register_automations(block)
    made = {one.name: one.id for one in list_ours(client)}
    assert len(made) == 4

    (silent,) = client.read_automations_by_name(crash_silent_runs().name)
    edited = silent.model_copy(update={"enabled": False, "description": "Ours."})
    prefect.automations.Automation(**edited.model_dump()).update()
    register_automations(block)
    assert {one.name: one.id for one in list_ours(client)} == made
    (after,) = client.read_automations_by_name(silent.name)
    assert (after.enabled, after.description) == (False, "Ours.")


def test_a_block_that_was_made_anew_is_the_one_that_tells(client: SyncPrefectClient) -> None:
    def save() -> UUID:
        url = "http://127.0.0.1:9/"
        made = CustomWebhookNotificationBlock(name="ear", url=url).save("made-anew")
        return UUID(str(made))

    def find_used() -> UUID:
        (told,) = client.read_automations_by_name("Burnish: tell of failed runs")
        return told.actions[0].block_document_id  # type: ignore[union-attr]

    first = save()
    register_automations("made-anew")
    assert find_used() == first
    client.delete_block_document(first)
    second = save()
    register_automations("made-anew")
    assert find_used() == second


def test_people_are_told_of_a_failed_deployment_and_of_a_champion(
    client: SyncPrefectClient, block: str
) -> None:
    register_automations(block)
    Ear.heard.clear()

    def run(deployment: str) -> None:
        """Run the flow as a deployment of that name, in this process."""
        from prefect.flow_engine import run_flow

        identifier = client.create_deployment(client.create_flow(ends), deployment)
        run_flow(ends, client.create_flow_run_from_deployment(identifier), return_type="state")

    @flow(name="ends", persist_result=False)
    def ends() -> None:
        raise BurnishError("The disk is full.")

    # the server reads its automations from time to time: what comes too early, nobody hears
    assert wait_for(lambda: announce_move("m", "6", "7", "Better.") or Ear.heard, 30)
    assert Ear.heard[0]["subject"] == "Burnish: Version 7 of m is the champion, in place of 6."
    assert "Better." in Ear.heard[0]["body"]
    Ear.heard.clear()
    run("not-ours")
    run("retrain")
    assert wait_for(lambda: [one for one in Ear.heard if "retrain" in one["subject"]])
    told = next(one for one in Ear.heard if "retrain" in one["subject"])
    assert told["subject"] == "Burnish: retrain Failed"
    assert "The disk is full." in told["body"]
    assert "None" not in told["body"]
    assert not [one for one in Ear.heard if "not-ours" in one["body"]]


def test_nobody_is_told_where_nothing_moved(client: SyncPrefectClient, block: str) -> None:
    register_automations(block)
    Ear.heard.clear()
    announce_move("m", "7", "7", "Again.")
    time.sleep(1)
    assert Ear.heard == []


CHILD = """
import flows, os, time
from prefect import flow
@flow(name="{name}", persist_result=False)
def sleeps():
    from prefect.runtime import flow_run
    print(flow_run.id, flush=True)
    time.sleep(600)
sleeps()
"""


def start_and_kill(name: str) -> UUID:
    """Start a flow in a process of its own, and kill that once it runs."""
    environment = os.environ | {
        "PREFECT_API_URL": str(PREFECT_API_URL.value()), "PYTHONPATH": str(Path.cwd()),
    }  # fmt: skip
    process = subprocess.Popen(
        [sys.executable, "-c", CHILD.format(name=name)],
        env=environment, stdout=subprocess.PIPE, text=True,
    )  # fmt: skip
    assert process.stdout is not None
    identifier = UUID(process.stdout.readline().strip())
    time.sleep(3)  # its first heartbeat is on its way
    process.send_signal(signal.SIGKILL)
    process.wait()
    return identifier


def hasten(automation: AutomationCore) -> AutomationCore:
    """Return an automation that waits for 10 seconds only, the least there is."""
    trigger = automation.trigger.model_copy(update={"within": timedelta(seconds=10)})
    return automation.model_copy(update={"trigger": trigger})


def take(client: SyncPrefectClient, run: UUID) -> str:
    """Take a run as a worker does that is about to start it; return the state it is in then."""
    return str(client.set_flow_run_state(run, Pending()).state.name)  # type: ignore[union-attr]


def test_dead_runs_are_marked_crashed_and_give_their_slots_back(client: SyncPrefectClient) -> None:
    for automation in (crash_silent_runs(), crash_runs_that_never_start()):
        client.create_automation(hasten(automation))

    @flow(name="retrain")
    def retrains() -> None:
        pass

    identifier = client.create_deployment(
        client.create_flow(retrains), "one-at-a-time", concurrency_limit=1,
        concurrency_options={"collision_strategy": ConcurrencyLimitStrategy.ENQUEUE},
    )  # fmt: skip
    never, waiting = (client.create_flow_run_from_deployment(identifier).id for _ in range(2))
    time.sleep(5)  # until the server has read the automations
    assert take(client, never) == "Pending"
    assert take(client, waiting) == "AwaitingConcurrencySlot"
    ours, other = start_and_kill("retrain"), start_and_kill("of-others")
    for run, told in ((ours, "No heartbeat"), (never, "Not started")):
        assert wait_for(lambda run=run: client.read_flow_run(run).state.is_crashed())  # type: ignore[misc, union-attr]
        assert told in str(client.read_flow_run(run).state.message)  # type: ignore[union-attr]
    assert client.read_flow_run(other).state.is_running()  # type: ignore[union-attr]
    assert take(client, waiting) == "Pending"


def test_silence_is_several_heartbeats_and_each_run_counts_for_itself() -> None:
    import flows  # noqa: F401 - sets how often hearts beat

    assert 3 * int(os.environ["PREFECT_FLOWS_HEARTBEAT_FREQUENCY"]) <= SILENT_SECONDS
    for automation in (crash_silent_runs(), crash_runs_that_never_start()):
        assert automation.trigger.for_each == {"prefect.resource.id"}  # type: ignore[union-attr]
