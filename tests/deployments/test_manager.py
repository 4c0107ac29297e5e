"""The process manager: what crashed comes back, and whoever is killed, nothing stays."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

from deployments.guard import find_marked, read_mark
from deployments.manager import Manager, find_socket
from deployments.services import Service
from tasks.contracts import BurnishError
from tests.deployments.conftest import find_manager, wait_for

# A service whose child is in a session of its own, as runs of flows are.
PARENT = (
    "import subprocess, sys, time; print('up', flush=True); "
    "subprocess.Popen([sys.executable, '-c', 'import time; time.sleep(600)'], "
    "start_new_session=True); time.sleep(600)"
)
LAUNCHER = f"""
import sys
from pathlib import Path
from deployments.manager import Manager
from tests.deployments.test_manager import SERVICE
with Manager(Path(sys.argv[1]), [SERVICE]) as manager:
    manager.start({dict(os.environ)!r})
    manager.wait()
"""
SERVICE = Service("parent", "Parent", (sys.executable, "-c", PARENT), ("SECRET",))


@pytest.fixture
def manager(tmp_path: Path) -> Iterator[Manager]:
    deep = tmp_path / (150 * "d")  # too deep for a socket
    deep.mkdir()
    with Manager(deep, [SERVICE]) as made:
        made.start(os.environ | {"SECRET": "hunter2"})
        wait_for(lambda: made.check(SERVICE) == "RUNNING")
        yield made


def find_parents(mark: str) -> list[psutil.Process]:
    return [one for one in find_marked(mark) if PARENT in one.cmdline()]


def test_what_crashed_comes_back_and_nothing_stays(manager: Manager) -> None:
    (crashed,) = find_parents(manager.mark)
    assert "SECRET" not in crashed.environ()
    crashed.kill()
    wait_for(lambda: [one for one in find_parents(manager.mark) if one != crashed])
    # supervisord, guard, parent, and two children
    wait_for(lambda: len(find_marked(manager.mark)) == 5)
    manager.__exit__(None, None, None)
    assert find_marked(manager.mark) == []
    assert not manager.socket.parent.exists()


def launch(folder: Path) -> tuple[subprocess.Popen[bytes], psutil.Process, str]:
    """Start a launcher; return it, its supervisord, and the mark of all four processes below."""
    folder.mkdir()
    launcher = subprocess.Popen(
        [sys.executable, "-c", LAUNCHER, str(folder)], stderr=subprocess.DEVNULL
    )
    supervisord = wait_for(lambda: find_manager(launcher.pid))
    return launcher, supervisord, read_mark(supervisord)


def test_whoever_is_killed_nothing_stays(tmp_path: Path) -> None:
    cases = {name: launch(tmp_path / name) for name in ("launcher", "supervisord", "both")}
    for name, (launcher, supervisord, mark) in cases.items():
        # supervisord, guard, parent, and the parent's child
        wait_for(lambda mark=mark: len(find_marked(mark)) == 4)
        if name != "supervisord":
            launcher.send_signal(signal.SIGKILL)
        if name != "launcher":
            supervisord.kill()
    for name, (launcher, _, mark) in cases.items():
        assert launcher.wait(60) == (1 if name == "supervisord" else -signal.SIGKILL)
        wait_for(lambda mark=mark: not find_marked(mark))


def test_a_launcher_that_dies_after_the_manager_leaves_nothing(tmp_path: Path) -> None:
    launcher, supervisord, mark = launch(tmp_path / "slow")
    wait_for(lambda: len(find_marked(mark)) == 4)
    launcher.send_signal(signal.SIGSTOP)  # too slow to end what the dead manager leaves
    supervisord.kill()
    time.sleep(3)  # the guard looks every second
    launcher.send_signal(signal.SIGKILL)
    wait_for(lambda: not find_marked(mark))


def test_a_service_that_ends_is_told_with_its_last_lines(tmp_path: Path) -> None:
    code = "print('the disk is full'); raise SystemExit(3)"
    broken = Service("broken", "The broken one", (sys.executable, "-c", code), ())
    with Manager(tmp_path, [broken]) as manager:
        manager.start(os.environ)
        with pytest.raises(BurnishError, match=r"(?s)The broken one does not start.*disk is full"):
            wait_for(lambda: manager.check(broken) == "RUNNING")


def test_the_socket_has_a_name_that_systems_take() -> None:
    assert find_socket(Path("/data"), "a") == Path("/data/supervisor.sock")
    assert len(str(find_socket(Path("/" + 200 * "d"), "a"))) < 100
