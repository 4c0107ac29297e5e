"""A Prefect server for the tests of registration, and `burnish up` as a process of its own."""

import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import psutil
import pytest
from prefect.testing.utilities import prefect_test_harness

from deployments.guard import read_mark

SECONDS = 240  # until a start that hangs is a failure


@pytest.fixture(scope="session")
def server() -> Iterator[None]:
    """Run a Prefect server of its own for the session."""
    with prefect_test_harness(server_startup_timeout=SECONDS):
        yield


def find_ports(count: int) -> list[int]:
    """Return ports that nothing listens at."""
    sockets = [socket.socket() for _ in range(count)]
    for one in sockets:
        one.bind(("127.0.0.1", 0))
    ports = [one.getsockname()[1] for one in sockets]
    for one in sockets:
        one.close()
    return ports


def clean_environment(**more: str) -> dict[str, str]:
    """Return the environment without what says where servers are."""
    kept = {
        name: value
        for name, value in os.environ.items()
        if not name.startswith(("PREFECT_", "MLFLOW_"))
    }
    return kept | more


class Up:
    """`burnish up` in a process of its own."""

    def __init__(
        self, options: list[str], folder: Path, environment: Mapping[str, str] | None = None
    ) -> None:
        """Start it in a folder; what it says is kept in a file there."""
        self.said = folder / "said.txt"
        with self.said.open("w") as out:
            self.process = subprocess.Popen(
                [sys.executable, "-c", "from flows.command import main; main()", "up", *options],
                env=clean_environment(**(environment or {})), cwd=folder,
                stdin=subprocess.DEVNULL, stdout=out, stderr=subprocess.STDOUT,
            )  # fmt: skip

    def wait_until_ready(self) -> str:
        """Return what it has said, once all is ready."""
        wait_for(lambda: "Ready after" in self.said.read_text() or self.process.poll() is not None)
        wait_for(lambda: "Ctrl-C" in self.said.read_text() or self.process.poll() is not None)
        assert self.process.poll() is None, self.said.read_text()
        return self.said.read_text()

    def find_mark(self) -> str:
        """Return the mark of all that it started."""
        return read_mark(find_manager(self.process.pid))

    def end(self, number: int = signal.SIGTERM) -> int:
        """Send it a signal; return how it ended."""
        self.process.send_signal(number)
        return self.process.wait(SECONDS)


def find_manager(launcher: int) -> psutil.Process | None:
    """Return the process manager that a launcher started; not another child, short-lived."""
    children = psutil.Process(launcher).children()
    return next((one for one in children if read_mark(one)), None)


def wait_for(is_so: Callable[[], Any], seconds: float = SECONDS) -> Any:  # noqa: ANN401
    """Return what a question is answered with, once that is not empty."""
    end = time.monotonic() + seconds
    while not (answer := is_so()):
        assert time.monotonic() < end, f"not within {seconds} s"
        time.sleep(0.1)
    return answer
