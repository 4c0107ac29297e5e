"""`burnish up`: one command brings everything up, and again, and down; with and without a login."""

import re
import shutil
import signal
import socket
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import httpx
import psutil
import pytest

from deployments.guard import find_marked
from deployments.up import UpConfig
from deployments.up import up as start
from tasks.aliases import Aliases, read_aliases
from tasks.contracts import BurnishError
from tasks.model_files import save_encoder
from tasks.registry import CANDIDATE, CHAMPION, Registry
from tests.conftest import WORDS, build_encoder
from tests.deployments.conftest import Up, find_ports, wait_for
from tests.test_aliases import make_registry

README = Path(__file__).parents[2] / "README.md"
PASSWORD = "correct-horse-battery"
FINAL = {"COMPLETED", "FAILED", "CRASHED", "CANCELLED"}


class Place(NamedTuple):
    """Where it is started: a root in which an earlier run has registered three versions."""

    folder: Path
    prefect_port: int
    mlflow_port: int

    @property
    def root(self) -> Path:
        return self.folder / "a root"

    @property
    def options(self) -> list[str]:
        return [f"--root={self.root}", f"--prefect-port={self.prefect_port}",
                f"--mlflow-port={self.mlflow_port}"]  # fmt: skip

    def ask(self, method: str, path: str, told: object = None, login: Any = None) -> Any:  # noqa: ANN401
        """Ask Prefect's server as the UI does."""
        address = f"http://127.0.0.1:{self.prefect_port}/api{path}"
        answer = httpx.request(method, address, json=told, auth=login, timeout=60)
        answer.raise_for_status()
        return answer.json() if answer.content else None

    def find(self, name: str, login: Any = None) -> Any:  # noqa: ANN401
        return self.ask("GET", f"/deployments/name/{name}/{name}", login=login)

    def run(self, name: str, login: Any = None, **config: object) -> str:  # noqa: ANN401
        """Start a run as the form does; return its id."""
        found = self.find(name, login)
        told = {"parameters": {"config": found["parameters"]["config"] | config}}
        made = self.ask("POST", f"/deployments/{found['id']}/create_flow_run", told, login)
        return str(made["id"])

    def find_state(self, run: str, login: Any = None) -> str:  # noqa: ANN401
        return str(self.ask("GET", f"/flow_runs/{run}", login=login)["state_type"])


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Place]:
    place = Place(tmp_path_factory.mktemp("up"), *find_ports(2))
    registry = make_registry(place.root)
    assert registry.experiment_id  # its artifacts are files of this machine
    for alias, number in ((CHAMPION, "1"), (CANDIDATE, "2")):
        registry.client.set_registered_model_alias("burnish", alias, number)
    save_encoder(build_encoder(), place.folder / "base")
    (place.folder / "docs").mkdir()
    for number in range(5):
        text = " ".join(WORDS[number : number + 40])
        (place.folder / "docs" / f"{number}.md").write_text(f"# {WORDS[number]}\n\n{text}\n")
    yield place


@pytest.fixture(scope="module")
def silent() -> Iterator[str]:
    """Give the address of a server that accepts and never answers: a run that does not end."""
    with socket.create_server(("127.0.0.1", 0), backlog=50) as listening:
        yield f"http://127.0.0.1:{listening.getsockname()[1]}/docs/"


def test_it_comes_up_works_and_goes_down(place: Place, silent: str) -> None:
    up = Up(place.options, place.folder)
    try:
        said = up.wait_until_ready()
        assert f"http://127.0.0.1:{place.prefect_port}" in said
        mark = up.find_mark()
        assert find_listening(mark) == {place.prefect_port, place.mlflow_port}
        refuses("runs already on", root=place.root)
        for port in ("prefect_port", "mlflow_port"):
            taken = {"root": place.folder / "other", port: getattr(place, port)}
            refuses(f"--{port.replace('_', '-')}", **taken)

        # documents named as seen from where it was started, read by a worker
        base = str(place.folder / "base")
        read = place.run("ingest", base=base, sources=["docs"])
        promoted = place.run("promote")
        edit(place)
        for run in (read, promoted):
            wait_for(lambda run=run: place.find_state(run) in FINAL)
            assert place.find_state(run) == "COMPLETED", up.said.read_text()
        assert (place.root / "last.json").exists()
        wait_for(lambda: "tasks.ingest" in find_sayers(place, read))

        stuck = place.run("ingest", base=base, sources=[silent])
        wait_for(lambda: place.find_state(stuck) == "RUNNING")
        assert find_runs(mark)
    finally:
        code = up.end(signal.SIGTERM)
    assert code == 0
    assert up.said.read_text().endswith("Everything is stopped.\n")
    assert find_marked(mark) == []
    (place.folder / "stuck").write_text(stuck)


def find_sayers(place: Place, run: str) -> set[str]:
    """Return the names of the loggers that have a line on a run's page."""
    sought = {"logs": {"flow_run_id": {"any_": [run]}}}
    return {one["name"] for one in place.ask("POST", "/logs/filter", sought)}


def find_listening(mark: str) -> set[int]:
    """Return the ports that are listened at; nothing is, but for loopback."""
    every = [
        connection.laddr
        for process in find_marked(mark)
        for connection in process.net_connections()
        if connection.status == psutil.CONN_LISTEN
    ]
    assert {address.ip for address in every} == {"127.0.0.1"}
    return {address.port for address in every}


def find_runs(mark: str) -> list[psutil.Process]:
    return [one for one in find_marked(mark) if "PREFECT__FLOW_RUN_ID" in one.environ()]


def edit(place: Place) -> None:
    """Change the nightly schedule as a person does."""
    found = place.find("retrain")
    (nightly,) = found["schedules"]
    told = {"schedule": {"cron": "30 5 * * 1", "timezone": "Europe/Berlin"}, "active": True}
    place.ask("PATCH", f"/deployments/{found['id']}/schedules/{nightly['id']}", told)


def refuses(told: str, **options: Any) -> None:  # noqa: ANN401
    with pytest.raises(BurnishError, match=told):
        start(UpConfig(**options))


def test_started_again_it_goes_on_behind_a_login(
    place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    login = ("ann", PASSWORD)
    given = {"PREFECT_SERVER_API_AUTH_STRING": ":".join(login)}
    up = Up([*place.options, "--auth"], place.folder, given)
    try:
        up.wait_until_ready()
        mark = up.find_mark()
        (nightly,) = place.find("retrain", login)["schedules"]
        assert (nightly["schedule"]["cron"], nightly["active"]) == ("30 5 * * 1", True)
        stuck = (place.folder / "stuck").read_text()
        assert place.find_state(stuck, login) == "CRASHED"

        mlflow = f"http://127.0.0.1:{place.mlflow_port}"
        known = "/api/2.0/mlflow/registered-models/get?name=burnish"
        for address in (f"http://127.0.0.1:{place.prefect_port}/api/flows/count", mlflow + known):
            for wrong in (None, ("ann", "wrong-horse-battery")):
                method = "POST" if "flows" in address else "GET"
                assert httpx.request(method, address, auth=wrong).status_code == 401
        assert httpx.get(mlflow + known, auth=login).status_code == 200
        stranger = httpx.get(mlflow + known, auth=login, headers={"Host": "evil.example"})
        assert stranger.status_code == 403

        if shutil.which("curl"):
            push_as_the_readme_says(place, login)
        rolled = place.run("rollback", login)
        wait_for(lambda: place.find_state(rolled, login) in FINAL)
        assert place.find_state(rolled, login) == "COMPLETED"
        for name, value in (("TRACKING_URI", mlflow), ("TRACKING_USERNAME", login[0]),
                            ("TRACKING_PASSWORD", login[1])):  # fmt: skip
            monkeypatch.setenv(f"MLFLOW_{name}", value)
        # the versions of the run before there was a server; promoted at the first start
        registry = Registry(place.root, "burnish")
        assert read_aliases(registry) == Aliases("2", "1", "2")
        run_id = store_through_server(registry)
        tells_no_secret(place, mark)
    finally:
        up.end(signal.SIGKILL)
    wait_for(lambda: not find_marked(mark), 90)
    monkeypatch.delenv("MLFLOW_TRACKING_URI")
    found = Registry(place.root, "burnish").client.download_artifacts(run_id, "note.txt")
    assert Path(found).read_text() == "kept"  # by who asks without a server


def push_as_the_readme_says(place: Place, login: tuple[str, str]) -> None:
    """Send the event of the README with its own command; see that the server has it."""
    (command,) = re.findall(r"```sh\n +(curl .*?)\n +```", README.read_text(), re.DOTALL)
    assert "corpus.burnish" in command
    command = command.replace("burnish", "pushed")  # what watch tells is not this
    command = command.replace("4200", str(place.prefect_port))
    command = command.replace("curl ", f"curl -sS --fail-with-body -u {':'.join(login)} ", 1)
    done = subprocess.run(["bash", "-c", command], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done
    sought = {"filter": {"resource": {"id": ["corpus.pushed"]}}, "limit": 5}
    wait_for(lambda: place.ask("POST", "/events/filter", sought, login)["events"])


def store_through_server(registry: Registry) -> str:
    """Store a file in the experiment of the run before there was a server; return the run."""
    run = registry.client.create_run(registry.experiment_id)
    assert run.info.artifact_uri.startswith("mlflow-artifacts:/")  # where any client finds it
    registry.client.log_text(run.info.run_id, "kept", "note.txt")
    return str(run.info.run_id)


def tells_no_secret(place: Place, mark: str) -> None:
    """The password is in no command line, and in no file as it is."""
    for process in find_marked(mark):
        assert PASSWORD not in " ".join(process.cmdline())
    files = subprocess.run(
        ["grep", "-rlaF", PASSWORD, str(place.folder)], capture_output=True, text=True, check=False
    )
    assert files.stdout == ""
