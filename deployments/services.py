"""The services that run side by side: what each is called by, sees, and waits for."""

import shutil
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

from tasks.tracking import hide_password

from .access import Login, is_loopback, name_address, protect_mlflow, protect_prefect
from .stores import store_mlflow

# What each server alone needs to know: passwords of databases above all.
PREFECT_ONLY = (
    "PREFECT_API_DATABASE_CONNECTION_URL", "PREFECT_SERVER_DATABASE_CONNECTION_URL",
    "PREFECT_API_DATABASE_PASSWORD", "PREFECT_SERVER_DATABASE_PASSWORD",
    "PREFECT_SERVER_API_AUTH_STRING",
)  # fmt: skip
MLFLOW_ONLY = (
    "MLFLOW_BACKEND_STORE_URI", "MLFLOW_ARTIFACTS_DESTINATION", "MLFLOW_AUTH_CONFIG_PATH",
    "MLFLOW_AUTH_ADMIN_USERNAME", "MLFLOW_AUTH_ADMIN_PASSWORD", "MLFLOW_FLASK_SERVER_SECRET_KEY",
)  # fmt: skip
SECONDS_TO_END = 60  # of a run that is stopped: it writes its state, and its workers end
COMMAND = "from flows.command import main; main()"


class Service(NamedTuple):
    """One process that is kept running."""

    name: str
    title: str
    command: tuple[str, ...]
    hidden: tuple[str, ...]
    """Variables of the environment that it does not see."""
    port: int = 0
    health: str = ""
    """Address that answers once it is ready."""
    waits: bool = False
    """Starts when the deployments are registered."""
    stop_seconds: int = 20
    """It is killed if it takes longer to end."""
    stops_alone: bool = False
    """It tells the processes that it started to end itself."""


class Plan(NamedTuple):
    """What is started here, and where everything is."""

    services: list[Service]
    environment: dict[str, str]
    """Of all of them, secrets among it."""
    prefect: str
    mlflow: str


class Place(NamedTuple):
    """Where this is started."""

    root: Path
    folder: Path
    """Below the root: what the servers themselves keep."""
    host: str
    prefect_port: int
    mlflow_port: int


def plan_services(
    place: Place,
    given: Mapping[str, str],
    login: Login | None,
    hosts: Sequence[str] = (),
    *,
    has_gpu: bool,
) -> Plan:
    """Return what has to be started; a server that the environment names elsewhere is not.

    Args:
        place: Folders, host, and ports.
        given: The environment: addresses of databases and servers, passwords.
        login: Who may reach the servers; none if anybody may.
        hosts: Names that clients call MLflow by.
        has_gpu: There is a worker for the pool `gpu` too.
    """
    prefect = name_address(place.host, place.prefect_port)
    mlflow = name_address(place.host, place.mlflow_port)
    environment = {name: value for name, value in given.items() if name != "PREFECT_PROFILE"}
    environment = describe_habits(place, has_far_database=is_database_far(given)) | environment
    services = []
    if is_here(given.get("PREFECT_API_URL", ""), f"{prefect}/api"):
        services.append(serve_prefect(place, prefect))
        environment.pop("PREFECT_API_KEY", None)  # of a server that is not meant here
        environment |= {
            "PREFECT_API_URL": f"{prefect}/api",
            "PREFECT_HOME": str(place.root / "prefect"),
        }
        environment = protect_prefect(login, prefect) | environment
    else:
        prefect = given["PREFECT_API_URL"].removesuffix("/").removesuffix("/api")
    if is_here(given.get("MLFLOW_TRACKING_URI", ""), mlflow):
        services.append(serve_mlflow(place, mlflow, has_login=login is not None))
        environment |= {"MLFLOW_TRACKING_URI": mlflow}
        environment = store_mlflow(place.root) | environment
        environment |= protect_mlflow(login, place.folder, hosts)
    else:
        mlflow = hide_password(given["MLFLOW_TRACKING_URI"])
    services += [work(pool) for pool in (["cpu", "gpu"] if has_gpu else ["cpu"])]
    services.append(watch(place.root))
    return Plan(services, environment, prefect, mlflow)


def is_here(given: str, own: str) -> bool:
    """Tell whether an address is not given, or is the one that a server gets here.

    >>> is_here("", "http://127.0.0.1:4200/api"), is_here("http://box/api", "http://127.0.0.1/api")
    (True, False)
    """
    return not given or given.rstrip("/").replace("localhost", "127.0.0.1") == own


def is_database_far(given: Mapping[str, str]) -> bool:
    """Tell whether the environment names a database of Prefect's server that is no file.

    >>> is_database_far({"PREFECT_SERVER_DATABASE_CONNECTION_URL": "postgresql+asyncpg://db/p"})
    True
    """
    named = next((given[name] for name in PREFECT_ONLY[:2] if given.get(name)), "sqlite")
    return bool(given.get("PREFECT_SERVER_DATABASE_HOST")) or not named.startswith("sqlite")


def describe_habits(place: Place, *, has_far_database: bool) -> dict[str, str]:
    """Return how the services behave where the environment does not say otherwise.

    Args:
        place: Where they are started.
        has_far_database: Prefect's server keeps what it knows in one that may be away.
    """
    # from another machine, this machine's loopback is not where the UI finds its server
    told = {} if is_loopback(place.host) else {"PREFECT_UI_API_URL": "/api"}
    if has_far_database:
        # stages' states are stored when they come, tried five times more, and lost then: the stage
        # would stay `Running` in the UI. So they outlast 100 seconds, and show up to 20 s later
        told |= {
            "PREFECT_SERVER_SERVICES_TASK_RUN_RECORDER_BATCH_SIZE": "1000",
            "PREFECT_SERVER_SERVICES_TASK_RUN_RECORDER_FLUSH_INTERVAL": "20",
        }
    return told | {
        "PREFECT_SERVER_ANALYTICS_ENABLED": "false",
        # by default its pages are written beside its code, where not every user may
        "PREFECT_SERVER_UI_STATIC_DIRECTORY": str(place.root / "prefect" / "ui"),
        "PREFECT_CLI_PROMPT": "false",
        "PREFECT_FLOWS_HEARTBEAT_FREQUENCY": "30",  # the shortest; a dead run is told from it
        "PREFECT_WORKER_QUERY_SECONDS": "3",
        # what Prefect's server answers while its Postgres is away: by default a run, asking once,
        # dies of it, and its worker cannot tell; so it asks for some four minutes, and MLflow's
        # server too, where a command that somebody waits for gives up after seconds
        "PREFECT_CLIENT_RETRY_EXTRA_CODES": "500",
        "PREFECT_CLIENT_MAX_RETRIES": "7",
        "MLFLOW_HTTP_REQUEST_MAX_RETRIES": "7",
        "MLFLOW_DISABLE_TELEMETRY": "true",
        # seven processes for evaluations by language models, which nothing here asks for
        "MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false",
        "PYTHONUNBUFFERED": "1",  # a log is whole when its process is killed
    }


def serve_prefect(place: Place, address: str) -> Service:
    """Return Prefect's server."""
    command = (
        "prefect",
        "server",
        "start",
        "--host",
        place.host,
        "--port",
        str(place.prefect_port),
    )
    return Service(
        "prefect", "Prefect", (sys.executable, "-m", *command), MLFLOW_ONLY,
        port=place.prefect_port, health=f"{address}/api/health",
    )  # fmt: skip


def serve_mlflow(place: Place, address: str, *, has_login: bool) -> Service:
    """Return MLflow's server."""
    command = ("mlflow", "server", "--host", place.host, "--port", str(place.mlflow_port),
               "--workers", "1", *(("--app-name", "basic-auth") if has_login else ()))  # fmt: skip
    return Service(
        "mlflow", "MLflow", (sys.executable, "-m", *command), PREFECT_ONLY,
        port=place.mlflow_port, health=f"{address}/health",
    )  # fmt: skip


def work(pool: str) -> Service:
    """Return the worker of a pool."""
    return Service(
        f"worker-{pool}", f"worker of pool {pool}",
        (sys.executable, "-m", "deployments.worker", pool), PREFECT_ONLY + MLFLOW_ONLY,
        waits=True, stop_seconds=SECONDS_TO_END, stops_alone=True,
    )  # fmt: skip


def watch(root: Path) -> Service:
    """Return what notices new documents."""
    return Service(
        "watch", "watch", (sys.executable, "-c", COMMAND, "watch", "--root", str(root)),
        PREFECT_ONLY + MLFLOW_ONLY, waits=True,
    )  # fmt: skip


def find_gpu() -> bool:
    """Tell whether there is a GPU that CUDA can use, without importing torch for it."""
    program = shutil.which("nvidia-smi")
    if program is None:
        return Path("/dev/nvidia0").exists()  # a container may have the device alone
    try:
        listed = subprocess.run([program, "-L"], capture_output=True, timeout=30, check=False)
    except (OSError, subprocess.TimeoutExpired):
        return False
    return listed.returncode == 0 and b"GPU" in listed.stdout
