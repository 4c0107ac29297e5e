"""The registry's janitor: runs that a kill left running there are ended, if they surely are."""

import logging
import platform
import time
from pathlib import Path
from typing import TYPE_CHECKING

from .contracts import fingerprint
from .registry import CHECKPOINT_TAG, Registry

if TYPE_CHECKING:
    from mlflow.entities import Run

logger = logging.getLogger(__name__)

PROCESS_TAG = "burnish.process"  # who logs the run: place, number, and start of the process
LONGEST_SECONDS = 24 * 3600  # no upload takes a day; a lock is given up after an hour
CLOCK_SECONDS = 2  # that the start of one process may be told differently by


def describe_process() -> str:
    """Return what tells this process from every other, wherever it runs."""
    import psutil

    own = psutil.Process()
    return f"{find_place()}/{own.pid}/{own.create_time():.0f}"


def find_place() -> str:
    """Return where numbers of processes mean what they mean here.

    That is one start of one machine, and in it one container: elsewhere the same number is another
    process, and one that is not here may be alive.
    """
    boot, namespace = Path("/proc/sys/kernel/random/boot_id"), Path("/proc/self/ns/pid")
    try:
        return fingerprint(platform.node(), boot.read_text(), str(namespace.readlink()))
    except OSError:  # not Linux
        return fingerprint(platform.node())


def is_dead(process: str, started: float, now: float | None = None) -> bool:
    """Tell whether who logged a run surely does not any more.

    Args:
        process: From `describe_process`; empty if it was not written down.
        started: When the run began, in seconds since 1970.
        now: The time; by default it is asked for.
    """
    import psutil

    if (time.time() if now is None else now) - started > LONGEST_SECONDS:
        return True
    place, _, rest = process.partition("/")
    number, _, created = rest.partition("/")
    if place != find_place() or not number.isdigit() or not created.isdigit():
        return False  # of another machine: nobody here can know
    try:
        found = psutil.Process(int(number))
        is_same = abs(found.create_time() - int(created)) <= CLOCK_SECONDS
        return not is_same or found.status() == psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return True


def end_dead_runs(registry: Registry) -> int:
    """End the runs of this model whose process was killed; return how many.

    Only what this application logs is touched: a person's own runs have no tag of a checkpoint.
    """
    with registry.answering():
        experiment = registry.client.get_experiment_by_name(registry.name)
        if experiment is None:
            return 0
        where = f"attributes.status = 'RUNNING' and tags.`{CHECKPOINT_TAG}` LIKE '%'"
        found = registry.client.search_runs([experiment.experiment_id], where)
        dead = [run for run in found if _is_dead(run)]
        for run in dead:
            registry.client.set_terminated(run.info.run_id, "KILLED")
            logger.info("run %s was left running by a process that is gone: ended as killed",
                        run.info.run_id)  # fmt: skip
    return len(dead)


def _is_dead(run: "Run") -> bool:
    return is_dead(run.data.tags.get(PROCESS_TAG, ""), run.info.start_time / 1000)
