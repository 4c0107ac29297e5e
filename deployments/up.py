"""up: everything that a team leaves running, started by one command and ended by Ctrl-C."""

import contextlib
import os
import signal
import socket
import time
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path

from pydantic import Field
from rich.console import Console
from rich.table import Table

from tasks.contracts import BurnishError, writable

from .access import Login, find_login, require_login_beyond_loopback
from .given import GivenConfig, describe_documents
from .health import Deadline, require_login, wait_for_health, wait_for_worker
from .manager import Manager
from .register import register
from .services import Place, Plan, Service, find_gpu, plan_services
from .stores import hand_over_experiments

INLINE_COMMENTS = (" ;", " #", "\n")  # in supervisord's configuration the rest would be a comment


class UpConfig(GivenConfig):
    """Start all that a team leaves running, on this machine; Ctrl-C or SIGTERM ends it.

    Databases other than SQLite are named in the environment, where passwords belong:
    PREFECT_SERVER_DATABASE_CONNECTION_URL and MLFLOW_BACKEND_STORE_URI. Servers that run elsewhere
    already are used if PREFECT_API_URL or MLFLOW_TRACKING_URI name them.
    """

    root: Path = Path(".burnish")
    """Folder for everything that is made, and for what the servers keep; started again, it all
    goes on from there."""
    host: str = "127.0.0.1"
    """Address that the servers listen at. Any that other machines reach needs --auth."""
    prefect_port: int = Field(default=4200, ge=1, le=65535)
    """Port of Prefect's server and its UI."""
    mlflow_port: int = Field(default=5001, ge=1, le=65535)
    """Port of MLflow's server and its UI; not 5000, which macOS takes itself."""
    auth: bool = False
    """Both servers ask for the name and password in PREFECT_SERVER_API_AUTH_STRING
    (name:password, in the environment). On by itself where that is set."""
    allowed_hosts: tuple[str, ...] = ()
    """Names that clients call MLflow's server by, as mlflow.example.org:*, besides localhost. None
    named, localhost and private addresses are allowed."""
    start_seconds: int = Field(default=300, ge=10)
    """Longest time for a service to come up."""


def up(config: UpConfig) -> None:
    """Start servers, register the deployments, start their workers; end all when told to.

    Raises:
        BurnishError: something is in the way, or a service does not come up; all is ended then.
    """
    root = config.root.expanduser().resolve()
    documents = describe_documents(config, are_here=True)
    login = find_login(os.environ, is_wanted=config.auth)
    require_login_beyond_loopback(config.host, login)
    console = Console(highlight=False, soft_wrap=True)
    with hold(root) as folder:
        place = Place(root, folder, config.host, config.prefect_port, config.mlflow_port)
        has_gpu = find_gpu()
        plan = plan_services(place, os.environ, login, config.allowed_hosts, has_gpu=has_gpu)
        for service in plan.services:
            require_free(config.host, service)
        end_on_signals()
        manager = Manager(folder, plan.services)
        with contextlib.suppress(KeyboardInterrupt), manager:
            began = time.monotonic()
            hand_over_experiments(root, plan.environment.get("MLFLOW_BACKEND_STORE_URI", ""))
            console.print(f"Starting {', '.join(one.title for one in plan.services)} ...")
            deadline = Deadline(config.start_seconds)
            begin = partial(register, root, has_gpu=has_gpu, documents=documents)
            bring_up(manager, plan, login, deadline, begin)
            show(console, manager, plan, time.monotonic() - began)
            manager.wait()
        console.print("Everything is stopped.")


def bring_up(
    manager: Manager,
    plan: Plan,
    login: Login | None,
    deadline: Deadline,
    begin: Callable[[], None],
) -> None:
    """Start all services in order: servers, deployments, workers; return when all are ready.

    Args:
        manager: What starts them.
        plan: What is started.
        login: Who may log in, if not anybody.
        deadline: Until when all must be ready.
        begin: Registers the deployments.

    Raises:
        BurnishError: one does not come up.
    """
    from prefect.settings import PREFECT_API_AUTH_STRING, PREFECT_API_URL, temporary_settings

    manager.start(plan.environment)
    for service in plan.services:
        if service.health:
            wait_for_health(manager, service, deadline)
    if login is not None:
        require_login(plan.mlflow, login)
    told = plan.environment.get("PREFECT_API_AUTH_STRING")
    known = {PREFECT_API_URL: plan.environment["PREFECT_API_URL"], PREFECT_API_AUTH_STRING: told}
    with temporary_settings(known):
        begin()
        waiting = [service for service in plan.services if service.waits]
        for service in waiting:
            manager.begin(service)
        for service in waiting:
            wait_for_worker(manager, service, deadline)


def show(console: Console, manager: Manager, plan: Plan, seconds: float) -> None:
    """Tell what runs where, and what to do next."""
    table = Table("", "where", title=f"Ready after {seconds:.0f} s")
    where = {"prefect": plan.prefect, "mlflow": plan.mlflow}
    titles = {service.name: service.title for service in plan.services}
    elsewhere = {"prefect": "Prefect, elsewhere", "mlflow": "MLflow, elsewhere"}
    for name, title in (elsewhere | titles).items():
        table.add_row(title, where.get(name, "this machine"))
    console.print(table)
    console.print(
        f"Start a run, or switch the nightly schedule on, at {plan.prefect}/deployments\n"
        "For commands in another terminal:\n"
        f"  export PREFECT_API_URL={plan.environment['PREFECT_API_URL']} "
        f"MLFLOW_TRACKING_URI={plan.mlflow}\n"
        f"Logs are in {manager.logs}. Ctrl-C ends all of it; `burnish up` goes on from there."
    )


@contextlib.contextmanager
def hold(root: Path) -> Iterator[Path]:
    """Keep another `burnish up` from this root; give the folder for what the servers keep.

    Raises:
        BurnishError: another one has it, or the root cannot be used.
    """
    from filelock import FileLock, Timeout

    if any(mark in str(root) for mark in INLINE_COMMENTS):
        raise BurnishError(
            f"supervisord cannot work in {root}: give a --root without ` #` or ` ;`."
        )
    folder = root / "servers"
    with writable(root):
        folder.mkdir(parents=True, exist_ok=True)
        folder.chmod(0o700)  # logs, and the keys of sessions
    lock = FileLock(folder / "up.lock", timeout=0)
    try:
        lock.acquire()
    except Timeout:
        raise BurnishError(
            f"`burnish up` runs already on {root}. End it, or give another --root."
        ) from None
    with lock:
        yield folder


def require_free(host: str, service: Service) -> None:
    """Refuse a port that something listens at already.

    Raises:
        BurnishError: it is taken, or there is no such host.
    """
    if not service.port:
        return
    try:
        kind, *_, place = socket.getaddrinfo(host, service.port, type=socket.SOCK_STREAM)[0]
        with socket.socket(kind, socket.SOCK_STREAM) as taken:
            taken.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            taken.bind(place)
    except OSError as error:
        raise BurnishError(
            f"{service.title} cannot listen at {host}, port {service.port}: {error.strerror}. End "
            f"what does, or give another --{service.name}-port or --host."
        ) from None


def end_on_signals() -> None:
    """Have SIGTERM, and the end of the terminal, do what Ctrl-C does."""
    for number in (signal.SIGTERM, signal.SIGHUP):
        if signal.getsignal(number) != signal.SIG_IGN:  # as under nohup
            signal.signal(number, signal.default_int_handler)
