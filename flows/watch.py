"""watch: notices new documents, and says so to Prefect, where a trigger starts a run for them."""

import logging
import time
from datetime import UTC, datetime, timedelta
from typing import Any, NamedTuple

from pydantic import Field

from flows.bell import Bell, find_folders
from flows.events import post_event
from flows.retrain import list_documents, see
from flows.settings import DocumentsConfig, RetrainConfig
from flows.state import Sight, read_seen
from tasks.contracts import BurnishError

logger = logging.getLogger(__name__)

EVENT = "documents.arrived"
SOON = timedelta(minutes=5)  # a run that is due later than this is not waited for
MOST_PATIENCE = 3600  # seconds until an event that nothing came of is sent once more


class WatchConfig(DocumentsConfig):
    """Notice what is new behind the sources, and tell Prefect, which starts a run for it.

    Where Prefect has the deployment `retrain`, its parameters say what the sources are, as they
    are set in the UI; otherwise the options do.
    """

    name: str = "burnish"
    """Name of the registered model."""
    interval: float = Field(default=60, ge=1)
    """Seconds between two looks. Folders of this machine are looked at as soon as they change."""


class Watched(NamedTuple):
    """What is known of the sources and of what was said about them."""

    sight: Sight | None = None
    """What is behind the sources."""
    since: float = 0
    """When that was first so, in seconds of the epoch."""
    told: float = 0
    """When it was last said; 0 if it was not."""
    times: int = 0


def watch(config: WatchConfig) -> None:
    """Watch until the process is told to end.

    The truth is what the last run covered (`read_seen`) beside what is there now; an event is only
    a bell. So nothing is lost while the server, this process, or the worker is down: what differs
    afterwards is said then, and again if nothing came of it.

    Raises:
        BurnishError: no server is named.
    """
    from prefect.settings import PREFECT_API_URL

    if not PREFECT_API_URL.value():
        raise BurnishError(
            "No Prefect server is named. Set PREFECT_API_URL, or start all with `burnish up`."
        )
    watched, bell = Watched(), Bell()
    settings: DocumentsConfig = config
    while True:
        settings = read_settings(settings, config)
        watched = look_once(settings, config.name, watched, config.interval)
        bell.wait(find_folders(settings.sources), config.interval)


def read_settings(last: DocumentsConfig, config: WatchConfig) -> DocumentsConfig:
    """Return the settings of the deployment as they are now, or what was known last."""
    from prefect.client.orchestration import get_client
    from prefect.exceptions import ObjectNotFound

    try:
        with get_client(sync_client=True) as client:
            found = client.read_deployment_by_name("retrain/retrain")
        return RetrainConfig.model_validate(found.parameters.get("config", {}))
    except ObjectNotFound:
        return config
    except Exception as error:  # noqa: BLE001 - a server that is away comes back
        logger.warning("Prefect does not say what to watch, so it stays as it was: %s", error)
        return last


def look_once(
    settings: DocumentsConfig, name: str, watched: Watched, interval: float, now: float = 0
) -> Watched:
    """Compare the sources with what the last run covered, and tell Prefect if they differ.

    Args:
        settings: The sources, and the root.
        name: Of the registered model.
        watched: What was known at the last look.
        interval: Seconds until the next look.
        now: Seconds of the epoch; 0 for the clock's.
    """
    now = now or time.time()
    try:
        sight = see(settings, list_documents(settings))
        known = read_seen(settings.root.expanduser().resolve(), sight.sources)
        if not known:
            return watched  # nobody has asked for a model of these yet
        if sight != watched.sight:
            watched = Watched(sight, now)
        if sight.content == known or now < watched.told + wait_to_repeat(watched.times, interval):
            return watched
        if is_run_coming(watched.since):
            return watched
        post_event(EVENT, f"corpus.{name}", name, sight._asdict())
    except Exception as error:  # noqa: BLE001 - a source or a server that is away comes back
        logger.warning("looked in vain, and will look again: %s", error)
        return watched
    logger.info("new documents: Prefect was told")
    return watched._replace(told=now, times=watched.times + 1)


def wait_to_repeat(times: int, interval: float) -> float:
    """Return the seconds until an event is sent again, if nothing came of it so many times.

    A run that fails every time is not started every minute.

    >>> [wait_to_repeat(times, 60) for times in (0, 1, 2, 9)]
    [0, 120, 240, 3600]
    """
    return min(interval * 2**times, MOST_PATIENCE) if times else 0


def is_run_coming(since: float) -> bool:
    """Tell whether there is a run that sees, or will see, what was there at a time.

    One that waits to begin does, and so does one that began later.
    """
    from prefect.client.orchestration import get_client

    sought = {
        "deployments": {"name": {"any_": ["retrain"]}},
        "flow_runs": {"state": {"type": {"any_": ["SCHEDULED", "PENDING", "RUNNING"]}}},
        "limit": 200, "sort": "EXPECTED_START_TIME_ASC",
    }  # fmt: skip
    with get_client(sync_client=True) as client:
        runs = client.request("POST", "/flow_runs/filter", json=sought).json()
    return any(_sees(run, since) for run in runs)


def _sees(run: dict[str, Any], since: float) -> bool:
    if run["state_type"] == "RUNNING":
        return datetime.fromisoformat(run["start_time"]).timestamp() > since
    due = datetime.fromisoformat(run["expected_start_time"])
    return due < datetime.now(UTC) + SOON
