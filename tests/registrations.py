"""Processes that register models in one registry, at once or killed: what is left of it, as JSON.

    python -m tests.registrations FOLDER

Four, each with a root and a model of its own, come at once. Then comes a fifth model that beats
the champion, in a process that is killed (SIGKILL) before its first write to the registry, in one
that is killed before its second, and so on, until one ends. What is slow to import is imported
once: each process is a child of this one.
"""

import json
import multiprocessing
import os
import signal
import sys
from collections.abc import Callable
from pathlib import Path

import matplotlib.figure
import mlflow.pyfunc
import pytest

import tasks.embed
import tasks.publish
import tasks.speed
from tasks.aliases import read_aliases
from tasks.registry import Registry, read_proof
from tests.conftest import build_encoder
from tests.test_aliases import die_before_write
from tests.test_register import STRONG, WEAK, Left, publish, save, score

SLOW = (matplotlib.figure, mlflow.pyfunc, tasks.embed, tasks.publish, tasks.speed)
FORK = multiprocessing.get_context("fork")


def register(folder: Path, seed: int, champion: str, writes: int | None = None) -> None:
    """Register a model of its own; killed before a write to the registry, if one is given."""
    cut = save(folder / f"root{seed}", build_encoder(seed=seed, layers=2))
    if writes is not None:
        die_before_write(pytest.MonkeyPatch(), writes, lambda: os.kill(os.getpid(), signal.SIGKILL))
    publish(cut, score(cut.root, STRONG, WEAK, layer=2), champion)


def look(folder: Path, status: int) -> Left:
    """Look into the registry in a process of its own: what is open is not shared with children."""
    queue = FORK.SimpleQueue()

    def tell() -> None:
        registry = Registry(folder / "root5", "burnish")
        versions = registry.list_versions()
        proven = [str(one.version) for one in versions if read_proof(one)]
        numbers = [str(one.version) for one in versions]
        queue.put((read_aliases(registry), numbers, proven))

    assert run(tell) == 0
    return Left(status, *queue.get())


def run(act: Callable[..., None], *arguments: object) -> int:
    """Run `act` in a process of its own; return how it ended."""
    process = FORK.Process(target=act, args=arguments)
    process.start()
    process.join()
    assert process.exitcode is not None
    return process.exitcode


def register_four(folder: Path) -> Left:
    """Register four models at once."""
    processes = [FORK.Process(target=register, args=(folder, n, "")) for n in range(1, 5)]
    for process in processes:
        process.start()
    for process in processes:
        process.join()
    return look(folder, max(abs(process.exitcode or 0) for process in processes))


def register_killed(folder: Path, champion: str) -> list[Left]:
    """Register a fifth, killed before each write in turn, until all of it is done.

    What was reached stays: the next process begins behind the version that the last one made, and
    behind its proof. So the counting begins anew there.
    """
    left = [look(folder, 0)]
    writes = 0
    while len(left) < 40:
        status = run(register, folder, 5, champion, writes)
        left.append(look(folder, status))
        if status == 0:
            break
        has_new = (left[-1].versions, left[-1].proven) != (left[-2].versions, left[-2].proven)
        writes = 0 if has_new else writes + 1
    return left[1:]


if __name__ == "__main__":
    place = Path(sys.argv[1])
    four = register_four(place)
    sys.stdout.write(json.dumps([four, register_killed(place, four.aliases.champion)]))
