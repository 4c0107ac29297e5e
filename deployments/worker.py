"""A worker of a pool whose runs end before it does: Prefect's own kills them, in state Running."""

import contextlib
import os
import signal
import subprocess
import sys
import time

import psutil

from .guard import MARK, find_marked, is_alive

POOL_MARK = "BURNISH_POOL"  # in the environment of a pool's worker and of its runs
RUN_MARK = "PREFECT__FLOW_RUN_ID"  # Prefect's own, in the environment of a run
WORKER_SECONDS, RUN_SECONDS = 10, 45  # until what was told to end is killed


def main() -> None:
    """Run the worker of a pool until SIGTERM: then end the runs that it has started, and it.

    A run that is told to end ends as `Crashed` and gives up its place; one that is killed, which is
    what the worker itself would do, stays `Running`. `python -m deployments.worker POOL`.
    """
    pool = sys.argv[1]
    signal.signal(signal.SIGTERM, lambda *_: sys.exit())
    for left in find(pool, of_runs=False):
        left.kill()  # the worker of one of these that was killed; another begins
    command = ("prefect", "worker", "start", "--type", "process", "--pool", pool,
               "--name", f"burnish-{pool}")  # fmt: skip
    worker = subprocess.Popen([sys.executable, "-m", *command], env=os.environ | {POOL_MARK: pool})
    try:
        sys.exit(worker.wait())
    finally:
        if worker.poll() is None:  # the runs of one that crashed go on
            worker.send_signal(signal.SIGSTOP)  # it takes no other run meanwhile
            end(find(pool, of_runs=True), RUN_SECONDS)
            worker.terminate()  # it gets to know this first
            worker.send_signal(signal.SIGCONT)
            try:
                worker.wait(WORKER_SECONDS)
            except subprocess.TimeoutExpired:
                worker.kill()


def find(pool: str, *, of_runs: bool) -> list[psutil.Process]:
    """Return the worker of a pool, or the process of each of its runs without what that started."""
    found = []
    for process in find_marked(os.environ[MARK]):
        try:
            environment = process.environ()
            is_run = RUN_MARK in environment and os.getsid(process.pid) == process.pid
        except (psutil.Error, OSError):
            continue
        is_wanted = is_run if of_runs else RUN_MARK not in environment
        if environment.get(POOL_MARK) == pool and is_wanted:
            found.append(process)
    return found


def end(processes: list[psutil.Process], seconds: float) -> None:
    """Tell processes to end, and kill those that do not."""
    for process in processes:
        with contextlib.suppress(psutil.NoSuchProcess):
            process.terminate()
    last = time.monotonic() + seconds
    while processes := [one for one in processes if is_alive(one)]:
        if time.monotonic() > last:
            for process in processes:
                process.kill()
            return
        time.sleep(0.2)


if __name__ == "__main__":
    main()
