"""Whether a service is ready: asked again and again, for as long as it has time."""

import base64
import time
import urllib.error
import urllib.request
from collections.abc import Callable
from datetime import datetime

from tasks.contracts import BurnishError

from .access import Login
from .manager import Manager
from .services import Service

POLL_SECONDS = 0.5
LOCAL = urllib.request.build_opener(urllib.request.ProxyHandler({}))  # no proxy knows loopback


class Deadline:
    """The time until which everything has to be ready."""

    def __init__(self, seconds: float) -> None:
        self.seconds = seconds
        self.began, self._end = time.time(), time.monotonic() + seconds

    def wait(self, manager: Manager, service: Service, is_ready: Callable[[str], bool]) -> None:
        """Ask, with the state of the service, until it is ready.

        Raises:
            BurnishError: it ended, or the time is over; the end of its log is told.
        """
        while not is_ready(manager.check(service)):
            if time.monotonic() > self._end:
                raise BurnishError(
                    f"{service.title} was not ready after {self.seconds:.0f} s; --start-seconds "
                    f"gives it longer.\n{manager.read_end(service)}"
                )
            time.sleep(POLL_SECONDS)


def wait_for_health(manager: Manager, service: Service, deadline: Deadline) -> None:
    """Wait until a server says that it is well.

    Raises:
        BurnishError: it ended, or the time is over.
    """
    deadline.wait(manager, service, lambda state: is_well(service.health))


def wait_for_worker(manager: Manager, service: Service, deadline: Deadline) -> None:
    """Wait until a worker has told Prefect that it is there; of anything else, until it runs.

    Raises:
        BurnishError: it ended, or the time is over.
    """
    pool = service.name.removeprefix("worker-")
    if pool == service.name:
        deadline.wait(manager, service, lambda state: state == "RUNNING")
    else:
        deadline.wait(manager, service, lambda state: is_online(pool, deadline.began))


def is_well(address: str) -> bool:
    """Tell whether a server answers with 200."""
    try:
        with LOCAL.open(address, timeout=5) as answer:
            return bool(answer.status == 200)
    except (urllib.error.URLError, OSError):
        return False


def is_online(pool: str, since: float) -> bool:
    """Tell whether a worker of the pool has been heard of since then, in seconds of the epoch."""
    import httpx
    from prefect.client.orchestration import get_client

    try:
        with get_client(sync_client=True) as client:
            answer = client.request(
                "POST", "/work_pools/{work_pool_name}/workers/filter",
                path_params={"work_pool_name": pool}, json={},
            )  # fmt: skip
            heard = [one["last_heartbeat_time"] for one in answer.json()]
    except httpx.HTTPError:
        return False
    return any(datetime.fromisoformat(one).timestamp() >= since for one in heard if one)


def require_login(address: str, login: Login) -> None:
    """Refuse a password that MLflow does not know: it keeps the one of its first start.

    Raises:
        BurnishError: MLflow knows another.
    """
    told = base64.b64encode(f"{login.name}:{login.password}".encode()).decode()
    request = urllib.request.Request(
        f"{address}/api/2.0/mlflow/experiments/search?max_results=1",
        headers={"Authorization": f"Basic {told}"},
    )
    try:
        with LOCAL.open(request, timeout=30):
            return
    except urllib.error.HTTPError as error:
        if error.code != 401:
            raise BurnishError(f"MLflow at {address} answers {error.code}.") from None
    raise BurnishError(
        f"MLflow knows {login.name} by another password, that of its first start. Give that one, "
        "or change it first (mlflow.server.get_app_client, update_user_password)."
    )
