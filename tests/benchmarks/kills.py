"""SIGKILL of worker, server, and run at moments of a retrain: states end true, the end is the same.

    python -m tests.benchmarks.kills WORK [--kills 10] [--seed 0] [--targets run server …]

WORK is an empty folder. A Prefect server and a worker are started on loopback, with a database of
their own, and `retrain` over sixty small documents as a deployment of one run at a time. It runs
once undisturbed; then, for every kill, in a root of its own: it is started, what is killed is
killed after a share of the undisturbed time (the shares are spread evenly, and drawn within that),
what was killed is started again, and the next run is started at once. Told is, per kill: what was
hit and in which stage, how the run that was hit ended and after how many seconds, whether the next
one completed and made the same, and at the end whether any run is left running or any slot taken.
"""

import argparse
import json
import os
import random
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple
from uuid import UUID

import httpx
from prefect.settings import PREFECT_API_URL, temporary_settings

from deployments.automations import SILENT_SECONDS, register_automations
from tests.benchmarks.telling import say, wait_for
from tests.small_corpus import (
    NOUNS,
    SETTINGS,
    name_made,
    write_base,
    write_documents,
    write_questions,
)

TARGETS = ("run", "worker", "server", "worker and run")
POLL_SECONDS = 2


class Told(NamedTuple):
    """What is said of one kill."""

    target: str
    stage: str
    ended: str
    seconds: float
    following: str
    is_same: bool


class Machine:
    """A Prefect server and a worker, each killed and started at will."""

    def __init__(self, work: Path) -> None:
        """Remember where they are; start both."""
        self.work = work
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            self.port = free.getsockname()[1]
        self.api = f"http://127.0.0.1:{self.port}/api"
        kept = {n: v for n, v in os.environ.items() if not n.startswith(("PREFECT_", "MLFLOW_"))}
        self.environment = kept | {
            "PREFECT_HOME": str(work / "prefect"), "PREFECT_API_URL": self.api,
            "PREFECT_SERVER_ANALYTICS_ENABLED": "false", "HF_HUB_OFFLINE": "1",
            "PREFECT_FLOWS_HEARTBEAT_FREQUENCY": "30", "OMP_NUM_THREADS": "1",
            "PREFECT_WORKER_QUERY_SECONDS": str(POLL_SECONDS),
        }  # fmt: skip
        self.processes: dict[str, subprocess.Popen[bytes]] = {}
        self.start("server")

    def start(self, name: str) -> None:
        """Start the server and wait until it answers, or start the worker."""
        command = {
            "server": ["server", "start", "--host", "127.0.0.1", "--port", str(self.port)],
            "worker": ["worker", "start", "--pool", "cpu", "--type", "process", "--name", "one"],
        }[name]
        with (self.work / f"{name}.log").open("ab") as log:
            self.processes[name] = subprocess.Popen(
                [sys.executable, "-m", "prefect", *command],
                env=self.environment, cwd=self.work, stdout=log, stderr=log,
            )  # fmt: skip
        if name == "server":
            wait_for(self.is_healthy, 180)

    def is_healthy(self) -> bool:
        """Tell whether the server answers."""
        try:
            return httpx.get(f"{self.api}/health", timeout=5).status_code == 200
        except httpx.HTTPError:
            return False

    def kill(self, target: str, run_id: UUID) -> None:
        """Kill a run's process, the server, the worker, or run and worker at once."""
        if "worker" in target:
            self._kill("worker")
        if "run" in target:
            for process in find_processes(run_id):
                os.kill(process, signal.SIGKILL)
        if target == "server":
            self._kill("server")

    def _kill(self, name: str) -> None:
        self.processes[name].kill()
        self.processes[name].wait()

    def revive(self) -> None:
        """Start again what was killed."""
        for name in ("server", "worker"):
            if self.processes[name].poll() is not None:
                self.start(name)

    def end(self) -> None:
        """Stop both."""
        for name, process in reversed(self.processes.items()):  # the worker first
            process.terminate()
            try:
                process.wait(60)
            except subprocess.TimeoutExpired:
                process.kill()
                say(f"the {name} did not end within a minute, and was killed")


def find_processes(run_id: UUID) -> Iterator[int]:
    """Yield the processes that a flow run runs in: each has its number in its environment."""
    import psutil

    for process in psutil.process_iter():
        try:
            if process.environ().get("PREFECT__FLOW_RUN_ID") == str(run_id):
                yield process.pid
        except psutil.Error:
            continue


def deploy(work: Path) -> UUID:
    """Register the pool, the deployment, and the automations; return the deployment's id."""
    from prefect.client.orchestration import get_client
    from prefect.client.schemas.actions import WorkPoolCreate
    from prefect.client.schemas.objects import ConcurrencyLimitConfig, ConcurrencyLimitStrategy
    from prefect.types.entrypoint import EntrypointType

    from flows.retrain import retrain

    register_automations()
    with get_client(sync_client=True) as client:
        client.create_work_pool(WorkPoolCreate(name="cpu", type="process"))
    limit = ConcurrencyLimitConfig(limit=1, collision_strategy=ConcurrencyLimitStrategy.ENQUEUE)
    deployment: Any = retrain.to_deployment(
        "retrain", entrypoint_type=EntrypointType.MODULE_PATH, work_pool_name="cpu",
        concurrency_limit=limit, job_variables={"working_dir": str(work)},
    )  # fmt: skip
    return UUID(str(deployment.apply()))


def start_run(deployment: UUID, work: Path, root: Path) -> UUID:
    """Ask for a run over the small corpus."""
    from prefect.client.orchestration import get_client

    settings = SETTINGS | {
        "base": str(work / "base"), "sources": [str(work / "documents")], "root": str(root),
        "questions": str(work / "questions"),
    }  # fmt: skip
    with get_client(sync_client=True) as client:
        run = client.create_flow_run_from_deployment(deployment, parameters={"config": settings})
    return run.id


def read_state(run_id: UUID) -> str:
    """Return the name of a run's state."""
    from prefect.client.orchestration import get_client

    with get_client(sync_client=True) as client:
        state = client.read_flow_run(run_id).state
    return str(state.name) if state else ""


def is_ended(run_id: UUID) -> bool:
    """Tell whether a run has ended."""
    return read_state(run_id) in {"Completed", "Failed", "Crashed", "Cancelled"}


def disturb(
    machine: Machine, deployment: UUID, target: str, after_seconds: float, calm: Path, root: Path
) -> Told:
    """Run, kill, start again, and run to the end; tell how it went."""
    hit = start_run(deployment, machine.work, root)
    wait_for(lambda: read_state(hit) == "Running", 180)
    time.sleep(after_seconds)
    made = name_made(root)
    stage = next((noun for noun in NOUNS if noun not in made), "the end")
    machine.kill(target, hit)
    machine.revive()
    following = start_run(deployment, machine.work, root)
    seconds = wait_for(lambda: is_ended(hit), 420)
    wait_for(lambda: is_ended(following), 600)
    is_same = name_made(root) == name_made(calm)
    return Told(target, stage, read_state(hit), seconds, read_state(following), is_same)


def look_around(deployment: UUID) -> dict[str, Any]:
    """Return what must be nothing in the end: runs that are not over, and slots that are taken."""
    from prefect.client.orchestration import get_client

    with get_client(sync_client=True) as client:
        runs = client.read_flow_runs()
        limits = client.request("POST", "/v2/concurrency_limits/filter", json={}).json()
    over = {"COMPLETED", "FAILED", "CRASHED", "CANCELLED"}
    left = [run.name for run in runs if run.state is None or run.state.type.value not in over]
    slots = sum(limit["active_slots"] for limit in limits if str(deployment) in limit["name"])
    return {"runs that are not over": left, "slots taken": slots}


def main() -> None:
    """Run undisturbed once, then as often as kills are wanted; tell how they compare."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("work", type=Path)
    parser.add_argument("--kills", type=int, default=10)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--targets", nargs="+", choices=TARGETS, default=TARGETS)
    options = parser.parse_args()
    work = options.work.resolve()
    work.mkdir(parents=True, exist_ok=True)
    write_base(work / "base")
    write_documents(work / "documents")
    write_questions(work / "questions", work / "documents")
    machine = Machine(work)
    try:
        with temporary_settings({PREFECT_API_URL: machine.api}):
            measure(machine, options.kills, options.seed, options.targets)
    finally:
        machine.end()


def measure(machine: Machine, kills: int, seed: int, targets: Sequence[str]) -> None:
    """Run undisturbed once, then with a kill each time, and tell."""
    work, calm = machine.work, machine.work / "calm"
    deployment = deploy(work)
    machine.start("worker")
    first = start_run(deployment, work, calm)
    wait_for(lambda: read_state(first) == "Running", 180)
    whole = wait_for(lambda: is_ended(first), 600)
    say(f"undisturbed: {read_state(first)} after {whole:.0f} s")
    draw = random.Random(seed)
    for number in range(kills):
        moment = whole * (number + draw.random()) / kills
        target = targets[number % len(targets)]
        told = disturb(machine, deployment, target, moment, calm, work / f"killed{number}")
        say(f"{moment:.0f} s: {json.dumps(told._asdict())}")
    time.sleep(SILENT_SECONDS + 20)  # flows inside those that were killed are silent until then
    say(json.dumps(look_around(deployment)))


if __name__ == "__main__":
    main()
