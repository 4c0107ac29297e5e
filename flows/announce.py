"""The event `champion.moved`: what people and other systems are told when the champion changes."""

import logging
from typing import Any

from flows.events import post_event
from flows.links import find_flow_run
from tasks.tracking import hide_password

logger = logging.getLogger(__name__)

EVENT = "champion.moved"


def announce_move(name: str, before: str, after: str, reason: str) -> None:
    """Tell Prefect's server that another version is champion; nothing if none is.

    Without a server there is nobody to tell.

    Args:
        name: Of the registered model; the event's resource is `model.<name>`.
        before: Version that was champion; empty if none was.
        after: Version that is champion.
        reason: Why, for a person to read.
    """
    from prefect.settings import PREFECT_API_URL

    if before == after or not PREFECT_API_URL.value():
        return
    try:
        post_event(EVENT, f"model.{name}", name, describe_move(name, before, after, reason))
    except Exception as error:  # noqa: BLE001 - the champion has moved, whoever hears of it
        logger.warning("Prefect was not told that version %s is champion: %s", after, error)


def describe_move(name: str, before: str, after: str, reason: str) -> dict[str, Any]:
    """Return what the event tells; every key is always there.

    >>> describe_move("m", "", "1", "Better.")["told"]
    'Version 1 of m is the champion, the first.'
    """
    replaced = f"in place of {before}" if before else "the first"
    run, page = find_flow_run()
    return {
        "name": name,
        "version": after,
        "previous": before,
        "reason": hide_password(reason),
        "told": f"Version {after} of {name} is the champion, {replaced}.",
        "flow_run": run,
        "page": page,
    }
