"""Automations in Prefect: new documents start runs, dead runs end, people are told what matters.

Each is made once and looked up by its name ever after: what a person changes of it in the UI stays,
also that it is switched off. One that was deleted is made again; switch it off instead.

People are told through a notification block, of any of Prefect's kinds (Slack, Teams, e-mail by
SendGrid, PagerDuty, a webhook of your own, and others), which is made in the UI under Blocks, or

    python -c 'from prefect.blocks.notifications import SlackWebhook as B
    B(url="https://hooks.slack.com/services/...").save("burnish")'

The address with its secret stays in the block, which Prefect keeps encrypted.
"""

import datetime
import logging
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any
from uuid import UUID

from prefect.client.schemas.objects import StateType
from prefect.events.actions import ChangeFlowRunState, SendNotification
from prefect.events.schemas.automations import AutomationCore, EventTrigger, Posture

from deployments.deployed import NAMES
from deployments.triggers import TRIGGER, start_for_documents
from flows.announce import EVENT

if TYPE_CHECKING:
    from prefect.client.orchestration import SyncPrefectClient
    from prefect.events.schemas.automations import Automation

logger = logging.getLogger(__name__)

HEARTBEAT_SECONDS = 30  # the least that Prefect takes; PREFECT_FLOWS_HEARTBEAT_FREQUENCY of a run
SILENT_SECONDS = 4 * HEARTBEAT_SECONDS  # three may get lost while a machine swaps
WAITING_SECONDS = 15 * 60  # to start: a node that is fetched for it pulls gigabytes first

FLOWS = (*NAMES, "dataset", "model", "reproduce")  # with those that run inside others
RUNS = {"prefect.resource.id": "prefect.flow-run.*"}
STARTING = {
    f"prefect.flow-run.{name}" for name in ("Pending", "Submitting", "InfrastructurePending")
}
ALIVE = {f"prefect.flow-run.{name}" for name in ("heartbeat", "Running", "Cancelling")}


def register_automations(
    block: str = "burnish",
    started: Sequence[UUID] = (),
    before: "Sequence[Automation]" = (),
) -> None:
    """Make the automations that are not there yet.

    Args:
        block: Name of the notification block that people are told through. While there is none,
            nobody is told; call this again once there is.
        started: The deployment that new documents start, if there is one.
        before: Those that there were before the deployments were registered. One that belonged to
            a deployment, as the trigger of earlier versions did, is gone now, and comes back as a
            person left it.
    """
    from prefect.client.orchestration import get_client

    with get_client(sync_client=True) as client:
        wanted = [
            crash_silent_runs(),
            crash_runs_that_never_start(),
            *map(start_for_documents, started),
        ]
        found = find_block(client, block)
        if found is None:
            logger.info(
                "nobody is told of failures and promotions: there is no notification block named "
                "%s. Make one of any kind in Prefect's UI under Blocks, and register again", block,
            )  # fmt: skip
        else:
            wanted += [tell_of_failures(found), tell_of_champions(found)]
        left = {one.name: one for one in before}
        for automation in wanted:
            _make(client, automation, left.get(automation.name))


def crash_silent_runs() -> AutomationCore:
    """Mark a run crashed that says nothing any more: its process and its worker are gone.

    What is marked frees its slot. Only our flows are looked at: others may beat more slowly. A run
    that was only cut off from the server ends as completed all the same when it does.
    """
    return AutomationCore(
        name="Burnish: crash runs that fell silent",
        description=f"A run that sent no heartbeat for {SILENT_SECONDS} seconds is dead. Runs need "
        f"PREFECT_FLOWS_HEARTBEAT_FREQUENCY={HEARTBEAT_SECONDS}.",
        trigger=_silence(ALIVE, SILENT_SECONDS),
        actions=[_crash(f"No heartbeat for {SILENT_SECONDS} seconds: its process is gone.")],
    )


def crash_runs_that_never_start() -> AutomationCore:
    """Mark a run crashed whose worker died while it started it: it would hold its slot for ever."""
    return AutomationCore(
        name="Burnish: crash runs that never start",
        description="A worker took the run and died: the run would wait for ever, and those after "
        "it. Give this more time where machines are slow to come.",
        trigger=_silence(STARTING, WAITING_SECONDS),
        actions=[
            _crash(f"Not started within {WAITING_SECONDS // 60} minutes: its worker is gone.")
        ],
    )


def tell_of_failures(block: UUID) -> AutomationCore:
    """Notify people of runs of the deployments that failed or crashed."""
    ends = {f"prefect.flow-run.{name}" for name in ("Failed", "Crashed", "TimedOut")}
    body = (
        "Run {{ flow_run.name }} of {{ deployment.name }}: {{ flow_run.state.name }}.\n"
        "{{ flow_run.state.message }}\n{{ flow_run | ui_url or '' }}\n"
        "What was finished is kept: the next run goes on from it."
    )
    return AutomationCore(
        name="Burnish: tell of failed runs",
        trigger=_event(ends, RUNS, _of("deployment", NAMES)),
        actions=[_notify(block, "Burnish: {{ deployment.name }} {{ flow_run.state.name }}", body)],
    )


def tell_of_champions(block: UUID) -> AutomationCore:
    """Notify people when another version becomes champion, whoever moved it."""
    body = "{{ event.payload.told }}\n{{ event.payload.reason }}\n{{ event.payload.page }}"
    return AutomationCore(
        name="Burnish: tell of a new champion",
        trigger=_event({EVENT}, {"prefect.resource.id": "model.*"}, {}),
        actions=[_notify(block, "Burnish: {{ event.payload.told }}", body)],
    )


def find_block(client: "SyncPrefectClient", name: str) -> UUID | None:
    """Return the notification block of this name, of whatever kind; nothing if there is none."""
    sought = {
        "block_documents": {"name": {"any_": [name]}, "is_anonymous": {"eq_": False}},
        "block_schemas": {"block_capabilities": {"all_": ["notify"]}},
    }
    found: list[dict[str, Any]] = client.request(
        "POST", "/block_documents/filter", json=sought
    ).json()
    return UUID(found[0]["id"]) if found else None


def find_automations(client: "SyncPrefectClient") -> "list[Automation]":
    """Return those of our automations that a person may have changed and Prefect may delete."""
    return client.read_automations_by_name(TRIGGER)


def _make(
    client: "SyncPrefectClient", automation: AutomationCore, before: "Automation | None"
) -> None:
    known = client.read_automations_by_name(automation.name)
    if not known:
        kept = ("enabled", "description", "trigger", "actions")
        left = {name: getattr(before, name) for name in kept} if before else {}
        client.create_automation(automation.model_copy(update=left))
        logger.info("made the automation %s", automation.name)
    for one in known:
        _mend(client, one, automation)


def _mend(client: "SyncPrefectClient", known: "Automation", wanted: AutomationCore) -> None:
    """Use the notification block or the deployment that there is now, where the old is deleted."""
    from prefect import automations
    from prefect.exceptions import ObjectNotFound

    readers: dict[str, Callable[[Any], object]] = {
        "block_document_id": client.read_block_document, "deployment_id": client.read_deployment,
    }  # fmt: skip
    for action, new in zip(known.actions, wanted.actions, strict=False):
        for field, read in readers.items():
            # a person may have taken another action, or have the deployment inferred
            if not getattr(action, field, None) or not getattr(new, field, None):
                continue
            try:
                read(getattr(action, field))
            except ObjectNotFound:
                setattr(action, field, getattr(new, field))
                automations.Automation(**known.model_dump()).update()
                logger.info("%s: what it used was deleted, and is made anew", known.name)


def _silence(after: set[str], seconds: int) -> EventTrigger:
    """Fire for each run that did something named, and then nothing at all for so long."""
    return EventTrigger(
        posture=Posture.Proactive,
        match=RUNS,  # type: ignore[arg-type]
        match_related=_of("flow", FLOWS),
        after=after,
        expect={"prefect.flow-run.*"},
        for_each={"prefect.resource.id"},  # without it Prefect fires for ever, runs or none
        threshold=1,
        within=datetime.timedelta(seconds=seconds),
    )


def _event(names: set[str], match: dict[str, Any], related: dict[str, Any]) -> EventTrigger:
    return EventTrigger(
        posture=Posture.Reactive,
        match=match,
        match_related=related,
        expect=names,
        for_each={"prefect.resource.id"},
        threshold=1,
    )


def _of(role: str, names: tuple[str, ...]) -> dict[str, Any]:
    return {"prefect.resource.role": role, "prefect.resource.name": list(names)}


def _crash(message: str) -> ChangeFlowRunState:
    return ChangeFlowRunState(name=None, state=StateType.CRASHED, message=message, force=False)


def _notify(block: UUID, subject: str, body: str) -> SendNotification:
    return SendNotification(block_document_id=block, subject=subject, body=body)
