"""register: the deployments in Prefect; what a person has changed there stays."""

import contextlib
import logging
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from prefect import Flow
from prefect.client.schemas.actions import DeploymentScheduleCreate
from prefect.client.schemas.objects import ConcurrencyLimitConfig, ConcurrencyLimitStrategy
from prefect.client.schemas.schedules import CronSchedule
from prefect.types.entrypoint import EntrypointType

from deployments.automations import register_automations
from deployments.kept import keep_edits
from deployments.triggers import arrivals
from flows.evaluate import evaluate
from flows.ingest import ingest
from flows.promote import promote_in_prefect, roll_back_in_prefect
from flows.retrain import retrain
from tasks.config import Config
from tasks.contracts import BurnishError

if TYPE_CHECKING:
    from prefect.client.orchestration import SyncPrefectClient

logger = logging.getLogger(__name__)

CPU, GPU = "cpu", "gpu"
POOL_LIMITS = {CPU: None, GPU: 1}  # runs at once; two trainings do not fit one GPU
DEBOUNCE_SECONDS = 15  # documents that arrive together are one run


class DeployConfig(Config):
    """Register the deployments with the Prefect server at PREFECT_API_URL, which runs already."""

    root: Path = Path(".burnish")
    """Folder that the runs work in, where nobody has set another in the UI yet."""
    gpu: bool = False
    """Training and scoring run in the pool `gpu`, where nobody has set another in the UI yet."""


class Deployed(NamedTuple):
    """A flow as it is registered for the first time."""

    flow: Flow[..., Any]
    description: str
    is_heavy: bool = False
    """Works for minutes on a GPU, if there is one: one run at a time, the next one waits."""
    is_nightly: bool = False
    is_triggered: bool = False
    """Starts when documents arrive."""


DEPLOYED = (
    Deployed(
        retrain,
        "Documents in, registered model out. Its nightly schedule is switched off until you "
        "switch it on.",
        is_heavy=True, is_nightly=True, is_triggered=True,
    ),
    Deployed(ingest, "Read the documents as they are now; train nothing."),
    Deployed(
        evaluate, "Score the champion on the documents as they are now; train nothing.",
        is_heavy=True,
    ),
    Deployed(promote_in_prefect, "Make a proven version the champion."),
    Deployed(roll_back_in_prefect, "Make the previous champion champion again."),
)  # fmt: skip


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
    register(config.root.expanduser().resolve(), has_gpu=config.gpu)
    logger.info("registered at %s", PREFECT_API_URL.value())


def register(root: Path, *, has_gpu: bool) -> dict[str, str]:
    """Register every deployment and the pools; return the pool of each, by its full name.

    A schedule, a parameter, or whatever else a person has set in the UI is handed back as it was:
    Prefect itself would write over it. A schedule that was deleted stays deleted.

    Args:
        root: Folder that the runs work in, told to deployments that are new.
        has_gpu: New deployments that train or score belong to the pool `gpu`.

    Raises:
        BurnishError: Prefect does not answer, or refuses.
    """
    import httpx
    from prefect.client.orchestration import get_client
    from prefect.exceptions import PrefectHTTPStatusError

    try:
        with get_client(sync_client=True) as client:
            make_pools(client, [CPU, GPU] if has_gpu else [CPU])
            register_automations()
            return {
                f"{one.flow.name}/{one.flow.name}": _register(client, one, root, has_gpu=has_gpu)
                for one in DEPLOYED
            }
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
                WorkPoolCreate(name=name, type="process", concurrency_limit=limit)
            )
        except ObjectAlreadyExists:
            continue


def _register(client: "SyncPrefectClient", one: Deployed, root: Path, *, has_gpu: bool) -> str:
    from prefect.exceptions import ObjectNotFound

    name = one.flow.name
    settings = describe_new(one, root, has_gpu=has_gpu)
    with contextlib.suppress(ObjectNotFound):
        settings |= keep_edits(client.read_deployment_by_name(f"{name}/{name}"), one.flow)
    one.flow.to_deployment(  # type: ignore[union-attr]  # the flow is synchronous
        name,
        description=one.description,
        entrypoint_type=EntrypointType.MODULE_PATH,
        triggers=[arrivals(DEBOUNCE_SECONDS)] if one.is_triggered else [],
        **settings,
    ).apply()
    return str(settings["work_pool_name"])


def describe_new(one: Deployed, root: Path, *, has_gpu: bool) -> dict[str, Any]:
    """Return what a deployment is told when it is registered for the first time.

    Runs start in the directory that this was started in, so that paths mean the same there.
    """
    limit = ConcurrencyLimitConfig(
        limit=1, collision_strategy=ConcurrencyLimitStrategy.ENQUEUE
    )  # two at once would race for memory, and for the alias
    return {
        "parameters": {"config": {"root": str(root)}},
        "schedules": [nightly()] if one.is_nightly else [],
        "concurrency_limit": limit if one.is_heavy else None,
        "work_pool_name": GPU if has_gpu and one.is_heavy else CPU,
        "job_variables": {"working_dir": str(Path.cwd())},
    }


def nightly() -> DeploymentScheduleCreate:
    """Return the schedule of every night at three, switched off.

    It is there to be switched on: a laptop should not begin to train on Python's documentation in
    its first night because someone has had a look at the UI.
    """
    from tzlocal import get_localzone_name

    schedule = CronSchedule(cron="0 3 * * *", timezone=get_localzone_name() or "UTC")
    return DeploymentScheduleCreate(schedule=schedule, active=False, slug="nightly")
