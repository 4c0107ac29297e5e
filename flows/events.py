"""Events: what other flows, systems, and people are told through Prefect's server."""

from typing import Any


def post_event(name: str, resource: str, called: str, payload: dict[str, Any]) -> None:
    """Tell Prefect's server that something happened, and see that it has heard.

    `emit_event` returns at once: what it has not sent when the process ends, or while the server
    is away, is lost.

    Args:
        name: Of the event.
        resource: Id of what it happened to.
        called: Its name, for people.
        payload: What can be told in JSON. Under `flow_run` the id of the run that did it.

    Raises:
        Exception: the server is away, or refuses it.
    """
    from prefect.client.orchestration import get_client
    from prefect.events import Event

    run = payload.get("flow_run")
    did = {"prefect.resource.id": f"prefect.flow-run.{run}", "prefect.resource.role": "flow-run"}
    event = Event.model_validate(
        {
            "event": name,
            "resource": {"prefect.resource.id": resource, "prefect.resource.name": called},
            "related": [did] if run else [],
            "payload": payload,
        }
    )
    with get_client(sync_client=True) as client:
        client.request("POST", "/events", json=[event.model_dump(mode="json")]).raise_for_status()
