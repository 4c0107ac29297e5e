"""register: the deployments in Prefect; what a person has changed there stays."""

import contextlib
import logging
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from prefect.client.schemas.actions import DeploymentScheduleCreate
from prefect.client.schemas.objects import ConcurrencyLimitConfig, ConcurrencyLimitStrategy
from prefect.client.schemas.schedules import CronSchedule
from prefect.types.entrypoint import EntrypointType

from deployments.automations import find_automations, register_automations
from deployments.deployed import DEPLOYED, Deployed
from deployments.given import GivenConfig, describe_documents, fill_in
from deployments.kept import keep_edits
from tasks.contracts import BurnishError

if TYPE_CHECKING:
    from uuid import UUID

    from prefect.client.orchestration import SyncPrefectClient

logger = logging.getLogger(__name__)

CPU, GPU = "cpu", "gpu"
POOL_LIMITS = {CPU: None, GPU: 1}  # runs at once; two trainings do not fit one GPU
PROCESS = "process"  # the type of pools whose runs are processes of the worker's machine


class DeployConfig(GivenConfig):
    """Register the deployments with the Prefect server at PREFECT_API_URL, which runs already."""

    root: Path = Path(".burnish")
    """Folder that the runs work in, where nobody has set another in the UI yet."""
    gpu: bool = False
    """Training and scoring run in the pool `gpu`, where nobody has set another in the UI yet."""


def deploy(config: DeployConfig) -> None:
    """Register the deployments with a Prefect server that runs already.

    Raises:
        BurnishError: no server is named, it does not answer, or it refuses.
    """
    from prefect.settings import PREFECT_API_URL

    if not PREFECT_API_URL.value():
        raise BurnishError(
            "No Prefect server is named. Set PREFECT_API_URL, or start one with `burnish up`."
        )
    told = describe_documents(config, are_here=False)  # runs may be in containers
    is_whole = config.root.as_posix().startswith("/")  # as it is there, whatever it is here
    root = config.root if is_whole else config.root.expanduser().resolve()
    register(root, has_gpu=config.gpu, documents=told)
    logger.info("registered at %s", PREFECT_API_URL.value())


def register(root: Path, *, has_gpu: bool, documents: Mapping[str, Any] | None = None) -> None:
    """Register the pools, every deployment, and the automations.

    A schedule, a parameter, a trigger, or whatever else a person has set in the UI is handed back
    as it was: Prefect itself would write over it. A schedule that was deleted stays deleted.

    Args:
        root: Folder that the runs work in, told to deployments that are new.
        has_gpu: New deployments that train or score belong to the pool `gpu`.
        documents: Parameters of those that read documents, where nobody has set any.

    Raises:
        BurnishError: Prefect does not answer, or refuses.
    """
    import httpx
    from prefect.client.orchestration import get_client
    from prefect.exceptions import PrefectHTTPStatusError

    try:
        with get_client(sync_client=True) as client:
            make_pools(client, [CPU, GPU] if has_gpu else [CPU])
            before, started = find_automations(client), []
            for one in DEPLOYED:
                settings = describe_new(one, root, has_gpu=has_gpu)
                made = _register(client, one, settings, documents or {})
                started += [made] if one.is_triggered else []
            register_automations(started=started, before=before)
    except (httpx.HTTPError, PrefectHTTPStatusError, RuntimeError) as error:
        raise BurnishError(
            f"The deployments cannot be registered with Prefect: {error}. See that its server "
            "runs, and that PREFECT_API_URL and PREFECT_API_AUTH_STRING are right."
        ) from error


def make_pools(client: "SyncPrefectClient", names: list[str]) -> None:
    """Make the work pools that are not there; those that are stay as they are."""
    from prefect.client.schemas.actions import WorkPoolCreate
    from prefect.exceptions import ObjectAlreadyExists

    for name in names:
        limit = POOL_LIMITS[name]
        try:
            client.create_work_pool(
                WorkPoolCreate(name=name, type=PROCESS, concurrency_limit=limit)
            )
        except ObjectAlreadyExists:
            continue


def _register(
    client: "SyncPrefectClient",
    one: Deployed,
    settings: dict[str, Any],
    documents: Mapping[str, Any],
) -> "UUID":
    from prefect.exceptions import ObjectNotFound

    name = one.flow.name
    with contextlib.suppress(ObjectNotFound):
        settings |= keep_edits(client.read_deployment_by_name(f"{name}/{name}"), one.flow)
    settings["parameters"] = fill_in(one.flow, settings["parameters"], documents)
    if settings["job_variables"] is None:
        kind = client.read_work_pool(settings["work_pool_name"]).type
        settings["job_variables"] = describe_place(kind)
    made: UUID = one.flow.to_deployment(  # type: ignore[union-attr, assignment] # no coroutines here
        name,
        description=one.description,
        entrypoint_type=EntrypointType.MODULE_PATH,
        **settings,
    ).apply()
    return made


def describe_new(one: Deployed, root: Path, *, has_gpu: bool) -> dict[str, Any]:
    """Return what a deployment is told when it is registered for the first time."""
    limit = ConcurrencyLimitConfig(
        limit=1, collision_strategy=ConcurrencyLimitStrategy.ENQUEUE
    )  # two at once would race for memory, and for the alias
    return {
        "parameters": {"config": {"root": str(root)}},
        "schedules": [nightly()] if one.is_nightly else [],
        "concurrency_limit": limit if one.is_heavy else None,
        "work_pool_name": GPU if has_gpu and one.is_heavy else CPU,
        "job_variables": None,  # as its pool wants them
    }


def describe_place(kind: str) -> dict[str, str]:
    """Return where the runs of a pool of this type start, as its job variables.

    Processes start in the directory that this was started in, so that paths mean the same there. A
    container has a directory of its own, in which this one is not.

    >>> describe_place("kubernetes")
    {}
    """
    return {"working_dir": str(Path.cwd())} if kind == PROCESS else {}


def nightly() -> DeploymentScheduleCreate:
    """Return the schedule of every night at three, switched off.

    It is there to be switched on: a laptop should not begin to train on Python's documentation in
    its first night because someone has had a look at the UI.
    """
    from tzlocal import get_localzone_name

    schedule = CronSchedule(cron="0 3 * * *", timezone=get_localzone_name() or "UTC")
    return DeploymentScheduleCreate(schedule=schedule, active=False, slug="nightly")
