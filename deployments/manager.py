"""The process manager: supervisord, with a configuration made for it and no port of its own."""

import os
import shlex
import subprocess
import sys
import uuid
import xmlrpc.client
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from tasks.contracts import BurnishError

from .guard import MARK, SECONDS_TO_END, end_marked
from .services import Service

SOCKET_CHARACTERS = 100  # longer names no system takes
TRIES = 1000  # with a second more between each two: days, for a database that is away
SHOWN_LINES = 15
ENDED = {"BACKOFF", "EXITED", "FATAL", "UNKNOWN"}


class Manager:
    """Supervisord with its services, ended with all of them at the end of the `with`."""

    def __init__(self, folder: Path, services: Sequence[Service]) -> None:
        """Take the folder for the configuration and the logs, and what will be started."""
        self.folder, self.services = folder, services
        self.logs = folder / "logs"
        self.mark = uuid.uuid4().hex
        self.socket = find_socket(folder, self.mark)
        self._process: subprocess.Popen[bytes] | None = None

    def start(self, environment: Mapping[str, str]) -> None:
        """Start supervisord, and with it the services that do not wait."""
        self.logs.mkdir(parents=True, exist_ok=True)
        self.socket.parent.mkdir(mode=0o700, exist_ok=True)
        self.socket.unlink(missing_ok=True)
        file = self.folder / "supervisord.conf"
        file.write_text(self.configure())
        for service in self.services:
            (self.logs / f"{service.name}.log").touch()
        with (self.logs / "supervisord.out").open("wb") as out:
            self._process = subprocess.Popen(
                [sys.executable, "-m", "supervisor.supervisord", "-c", str(file)],
                env={**environment, MARK: self.mark},
                stdin=subprocess.DEVNULL, stdout=out, stderr=subprocess.STDOUT,
                start_new_session=True,  # Ctrl-C is for the launcher, which ends this in order
            )  # fmt: skip

    def configure(self) -> str:
        """Return the configuration. It holds no secret: those are in the environment alone."""
        general: dict[str, dict[str, Any]] = {
            "unix_http_server": {"file": self.socket, "chmod": "0700"},
            "supervisord": {
                "nodaemon": "true", "silent": "true", "identifier": "burnish",
                "logfile": self.logs / "supervisord.log", "logfile_maxbytes": "10MB",
                "pidfile": self.folder / "supervisord.pid", "childlogdir": self.logs,
            },
            "rpcinterface:supervisor": {
                "supervisor.rpcinterface_factory":
                    "supervisor.rpcinterface:make_main_rpcinterface"
            },
            "supervisorctl": {"serverurl": f"unix://{self.socket}"},
        }  # fmt: skip
        guard = Service(
            "guard", "", (sys.executable, "-m", "deployments.guard", str(os.getpid())), ()
        )
        programs = {
            f"program:{service.name}": self._describe(service, priority)
            for priority, service in enumerate([guard, *self.services], 1)
        }
        sections = (general | programs).items()
        return "\n".join(
            f"[{name}]\n" + "".join(f"{key}={_escape(value)}\n" for key, value in settings.items())
            for name, settings in sections
        )

    def _describe(self, service: Service, priority: int) -> dict[str, Any]:
        hidden = [part for name in service.hidden for part in ("-u", name)]
        command = ["/usr/bin/env", *hidden, *service.command]
        return {
            "command": shlex.join(command),
            "priority": priority,  # the last to start is the first to stop
            "autostart": str(not service.waits).lower(),
            "autorestart": "true", "startsecs": 3, "startretries": TRIES,
            "stopsignal": "TERM", "killasgroup": "true",
            "stopasgroup": str(not service.stops_alone).lower(),
            "stopwaitsecs": service.stop_seconds,
            "redirect_stderr": "true", "stdout_logfile": self.logs / f"{service.name}.log",
            "stdout_logfile_maxbytes": "10MB", "stdout_logfile_backups": 5,
        }  # fmt: skip

    def begin(self, service: Service) -> None:
        """Start a service that waited."""
        self._call().startProcess(service.name, False)

    def find_state(self, service: Service) -> str:
        """Return the state of a service in supervisord's words; `STARTING` before it knows."""
        try:
            return str(self._call().getProcessInfo(service.name)["statename"])
        except (OSError, xmlrpc.client.Error):
            return "STARTING"

    def check(self, service: Service) -> str:
        """Return the state of a service that is expected to run.

        Raises:
            BurnishError: it ended, or supervisord did; the end of its log is told.
        """
        if self._process is None or self._process.poll() is not None:
            told = _read_end(self.logs / "supervisord.out")
            raise BurnishError(f"The process manager supervisord ended:\n{told}")
        state = self.find_state(service)
        if state in ENDED:
            raise BurnishError(f"{service.title} does not start.\n{self.read_end(service)}")
        return state

    def read_end(self, service: Service) -> str:
        """Return the last lines of a service's log, and where the others are."""
        file = self.logs / f"{service.name}.log"
        return f"The last lines of {file}:\n{_read_end(file)}"

    def wait(self) -> None:
        """Wait for as long as supervisord runs.

        Raises:
            BurnishError: it ended by itself.
        """
        assert self._process is not None
        code = self._process.wait()
        raise BurnishError(
            f"The process manager supervisord ended with {code}, so all services were ended. See "
            f"{self.logs / 'supervisord.log'}, and start again with `burnish up`."
        )

    def __enter__(self) -> Self:
        """Return this manager."""
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """End supervisord and its services in order, and by force what is left then."""
        if self._process is None:
            return
        try:
            self._process.terminate()
            self._process.wait(SECONDS_TO_END)
        except (subprocess.TimeoutExpired, KeyboardInterrupt):
            self._process.kill()
            self._process.wait()
        finally:
            end_marked(self.mark)
            self.socket.unlink(missing_ok=True)
            if self.socket.parent != self.folder and self.socket.parent.exists():
                self.socket.parent.rmdir()

    def _call(self) -> Any:  # noqa: ANN401 - what supervisord offers
        from supervisor.xmlrpc import SupervisorTransport

        transport = SupervisorTransport(None, None, f"unix://{self.socket}")
        return xmlrpc.client.ServerProxy("http://127.0.0.1", transport=transport).supervisor


def find_socket(folder: Path, mark: str) -> Path:
    """Return a name for the socket: below the folder, unless that is too long for one."""
    socket = folder / "supervisor.sock"
    if len(os.fsencode(socket)) < SOCKET_CHARACTERS:
        return socket
    return Path("/tmp", f"burnish-{mark}", "supervisor.sock")


def _escape(value: object) -> str:
    return str(value).replace("%", "%%")


def _read_end(file: Path) -> str:
    lines = file.read_text(errors="replace").splitlines() if file.exists() else []
    return "\n".join(f"  {line}" for line in lines[-SHOWN_LINES:])
