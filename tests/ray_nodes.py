"""A Ray cluster of nodes on this machine, each of processes of its own, on loopback alone."""

import contextlib
import os
import secrets
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

import psutil

HOST = "127.0.0.1"
START_SECONDS = 120


class RayNodes:
    """Nodes of one place each, as `ray start` makes them; their processes end with `stop`."""

    def __init__(self, work: Path, count: int = 2, gpus: int = 0) -> None:
        """Start a head and `count - 1` more.

        Args:
            work: Folder for Ray's files. Short: sockets below it may have 107 characters at most.
            count: Nodes.
            gpus: That each node says it has; there need be none.
        """
        self._gpus = gpus
        self.address = f"{HOST}:{find_port()}"
        self._work = work
        # A password of this cluster's own, for the nodes and for who joins from this process.
        (work / "token").write_text(secrets.token_hex(32))
        os.environ |= {"RAY_AUTH_MODE": "token", "RAY_AUTH_TOKEN_PATH": str(work / "token")}
        self._nodes: list[subprocess.Popen[bytes]] = []
        for number in range(count):
            self._start(number)

    def _start(self, number: int) -> None:
        where = (
            ["--head", f"--port={self.address.rpartition(':')[2]}", "--include-dashboard=false",
             f"--ray-client-server-port={find_port()}", f"--temp-dir={self._work}"]
            if number == 0 else [f"--address={self.address}"]
        )  # fmt: skip
        environment = os.environ | {
            "PYTHONPATH": str(Path(__file__).parents[1]), "RAY_USAGE_STATS_ENABLED": "0",
            "RAY_DISABLE_MEMORY_MONITOR": "1",
        }  # fmt: skip
        with (self._work / f"node-{number}.log").open("wb") as log:
            node = subprocess.Popen(
                [sys.executable, "-m", "ray.scripts.scripts", "start", "--block", "--num-cpus=1",
                 f"--num-gpus={self._gpus}", f"--node-ip-address={HOST}", "--disable-usage-stats",
                 "--object-store-memory=300000000", *where],
                env=environment, stdout=log, stderr=log, start_new_session=True,
            )  # fmt: skip
        self._nodes.append(node)
        started = time.monotonic()
        while "Ray runtime started" not in (self._work / f"node-{number}.log").read_text():
            if node.poll() is not None or time.monotonic() - started > START_SECONDS:
                told = (self._work / f"node-{number}.log").read_text()
                self.stop()
                raise RuntimeError(f"Ray node {number} does not start: {told[-2000:]}")
            time.sleep(0.2)

    def kill(self, number: int) -> None:
        """Kill a node's processes all at once, as if its machine had gone."""
        for process in self._processes(number):
            process.kill()
        self._nodes[number].wait()

    def stop(self) -> None:
        """End all nodes, the head last."""
        for number, node in reversed(list(enumerate(self._nodes))):
            if node.poll() is None:
                left = self._processes(number)
                node.send_signal(signal.SIGTERM)
                with contextlib.suppress(subprocess.TimeoutExpired):
                    node.wait(20)
                for process in left:
                    if process.is_running():
                        process.kill()
                node.wait()

    def _processes(self, number: int) -> list[psutil.Process]:
        node = psutil.Process(self._nodes[number].pid)
        return [*node.children(recursive=True), node]


def find_port() -> int:
    """Find a port that nobody listens on."""
    with socket.socket() as found:
        found.bind((HOST, 0))
        return int(found.getsockname()[1])
