"""One process that parses, and what is known of how it ended."""

import contextlib
import json
import os
import signal
import subprocess
import sys
import tempfile
import weakref
from dataclasses import dataclass
from multiprocessing import Pipe
from multiprocessing.connection import Connection
from typing import Any, NamedTuple

from ..contracts import BurnishError
from . import worker

PATIENCE = 10  # times the limit of processor time, for a busy machine
STARTUP_SECONDS = 120
# What comes from people and from the system, not from the page.
OUTSIDE = {signal.SIGHUP, signal.SIGINT, signal.SIGQUIT, signal.SIGKILL, signal.SIGTERM}


@dataclass(frozen=True)
class Limits:
    """What one page may take.

    Attributes:
        seconds: Processor time; a fast machine and a busy one set the same pages aside.
        memory_bytes: Address space of the process, the libraries' own part (0.1 GB) included.
        text_characters: The text found; beyond it is what no person wrote.
    """

    seconds: int = 60
    memory_bytes: int = 1 << 30
    text_characters: int = 1 << 26


class End(NamedTuple):
    """Why a process ended with a page unanswered.

    Attributes:
        reason: `kind: details`.
        is_certain: Whether the page is to blame, whatever the process had met before.
        may_pass: Whether another run may not meet it.
    """

    reason: str
    is_certain: bool = False
    may_pass: bool = False


class Process:
    """A process, and the connection to it; it ends when nobody holds this."""

    def __init__(self, limits: Limits) -> None:
        """Start it, and wait until it is ready.

        Raises:
            BurnishError: it does not start.
        """
        self._limits = limits
        self._owner = os.getpid()
        self._connection, theirs = Pipe()
        sizes = (limits.seconds, limits.memory_bytes, limits.text_characters)
        with theirs, tempfile.TemporaryFile() as errors:
            self._process = subprocess.Popen(
                [
                    *(sys.executable, "-P", "-X", "utf8", "-W", "ignore", "-m", worker.__name__),
                    *map(str, (theirs.fileno(), *sizes)),
                ],
                pass_fds=[theirs.fileno()],
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=errors,
                env=_environment(),
                start_new_session=True,  # who interrupts us from a terminal does not mean it
            )
            theirs.close()
            self.end = weakref.finalize(self, _finish, self._process, self._connection, self._owner)
            if not self._is_ready():
                self.end()
                errors.seek(0)
                told = errors.read().decode(errors="replace").strip().rpartition("\n")[2]
                raise BurnishError(
                    f"The process that parses documents does not start: {told or 'it says nothing'}"
                    f". Run `{sys.executable} -c 'import {worker.__name__}'` to see why."
                )

    @property
    def identifier(self) -> int:
        """The number the system knows it by."""
        return self._process.pid

    def is_ours(self) -> bool:
        """Tell whether it runs, and was not inherited by a fork."""
        return os.getpid() == self._owner and self._process.poll() is None

    def ask(self, kind: str, content: bytes) -> dict[str, Any] | End:
        """Return what the process answers for a page, or why it ended."""
        seconds = self._limits.seconds * PATIENCE
        try:
            self._connection.send_bytes(kind.encode())
            self._connection.send_bytes(content)
            if self._connection.poll(seconds):
                most = 8 * self._limits.text_characters + (1 << 20)
                found: dict[str, Any] = json.loads(self._connection.recv_bytes(most))
                return found
        except (EOFError, OSError):
            with contextlib.suppress(subprocess.TimeoutExpired):
                self._process.wait(10)
            ended = self._why(self._process.returncode)
        else:
            ended = End(f"timed out: over {seconds} seconds", is_certain=True, may_pass=True)
        self.end()
        return ended

    def _is_ready(self) -> bool:
        try:
            return self._connection.poll(STARTUP_SECONDS) and bool(self._connection.recv_bytes())
        except (EOFError, OSError):
            return False

    def _why(self, code: int | None) -> End:
        if code == -signal.SIGXCPU:
            seconds = f"{self._limits.seconds} seconds of processor time"
            return End(f"timed out: over {seconds}", is_certain=True)
        if code == worker.MEMORY_SPENT:
            return End(f"out of memory: over {self._limits.memory_bytes >> 20} MiB")
        if code is None or code >= 0:
            return End(f"crashes the parser: it ended with {code}")
        name = signal.Signals(-code).name
        if -code in OUTSIDE:
            return End(f"stopped from outside: {name}", may_pass=True)
        return End(f"crashes the parser: {name}")


def _finish(process: "subprocess.Popen[bytes]", connection: Connection, owner: int) -> None:
    connection.close()
    if os.getpid() == owner:
        process.kill()
        process.wait()


def _environment() -> dict[str, str]:
    """Return what the process needs to find the code, and none of the secrets beside it."""
    kept = {name: os.environ[name] for name in ("PATH", "SYSTEMROOT") if name in os.environ}
    return kept | {"PYTHONPATH": os.pathsep.join(filter(None, sys.path))}
