"""guard: when the launcher or the process manager is killed, nothing they started stays."""

import contextlib
import os
import signal
import sys
import time

import psutil

MARK = "BURNISH_UP"  # every process that one launcher started has its mark in its environment
SECONDS_TO_END = 150  # the process manager ends its services one after the other
SECONDS_TO_DIE = 30  # what hangs in the kernel (a lost network disk) is not waited for longer


def main() -> None:
    """Wait until one of the two is gone; end the other, then all that has their mark.

    Started as the first of the manager's services, which it ends last: what is left of the others
    then are processes that nobody waits for. `python -m deployments.guard LAUNCHER`.
    """
    launcher, manager = _find(int(sys.argv[1])), _find(os.getppid())
    if read_mark(manager) != os.environ[MARK]:
        manager = None  # it was killed already, and this one has been given another parent
    signal.signal(signal.SIGTERM, lambda *_: sys.exit())
    try:
        while is_alive(launcher) and is_alive(manager):
            time.sleep(1)
        if manager is not None and is_alive(manager):
            manager.terminate()
            manager.wait(SECONDS_TO_END)
        while is_alive(launcher):  # it ends all that is left, and this one, or is dying as well
            time.sleep(0.2)
    finally:
        if not is_alive(launcher):  # otherwise the launcher does it, or goes on
            end_marked(os.environ[MARK])


def end_marked(mark: str) -> None:
    """Kill every process that has this mark, but this one, and wait until they are gone.

    Runs of flows are in sessions of their own, so that no process group holds them all. What one
    of them starts before it is killed is found by the next look.
    """
    end = time.monotonic() + SECONDS_TO_DIE
    while (found := find_marked(mark)) and time.monotonic() < end:
        for process in found:
            with contextlib.suppress(psutil.NoSuchProcess):
                process.kill()
        psutil.wait_procs(found, timeout=1)  # a signal only asks the kernel to end it


def find_marked(mark: str) -> list[psutil.Process]:
    """Return the processes that have this mark, but this one."""
    every = (one for one in psutil.process_iter() if one.pid != os.getpid())
    return [process for process in every if read_mark(process) == mark and is_alive(process)]


def is_alive(process: psutil.Process | None) -> bool:
    """Tell whether a process runs; one that its parent has not asked after yet does not."""
    try:
        return (
            process is not None
            and process.is_running()
            and process.status() != psutil.STATUS_ZOMBIE
        )
    except psutil.NoSuchProcess:
        return False


def read_mark(process: psutil.Process | None) -> str:
    """Return the mark of a process; empty if it has none, or is gone."""
    try:
        return process.environ().get(MARK, "") if process is not None else ""
    except (psutil.Error, OSError):  # another user's, or gone meanwhile
        return ""


def _find(number: int) -> psutil.Process | None:
    try:
        return psutil.Process(number)
    except psutil.NoSuchProcess:
        return None


if __name__ == "__main__":
    main()
