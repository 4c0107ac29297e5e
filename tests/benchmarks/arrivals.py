"""New documents under `burnish up`: what a burst starts, what a run meanwhile misses, what is lost.

    python -m tests.benchmarks.arrivals WORK

WORK is a new folder. A tiny model is trained on sixty documents first. Then 100 files are dropped
in five seconds, and ten more while the run for them is under way; at last 20 are dropped while
Prefect's server is dead, by SIGKILL, until the process manager has brought it back. It prints how
many runs each began, whether all files are in the corpus, and the seconds from the first drop to
the first line of the flow; and ends with an error if a document is lost.
"""

import argparse
import json
import sys
import time
from datetime import datetime
from pathlib import Path
from typing import Any

import httpx

from deployments.guard import find_marked
from tasks.contracts import Corpus
from tests.deployments.conftest import Up, find_ports, wait_for
from tests.small_corpus import SETTINGS, write_base, write_documents, write_questions

ACTIVE = ["SCHEDULED", "PENDING", "RUNNING"]
SECONDS = 900


class Team:
    """What a team has running, and its folder of documents."""

    def __init__(self, work: Path) -> None:
        """Write the documents and the model; start all on free ports."""
        self.docs, self.root = work / "docs", work / "root"
        write_base(work / "base")
        write_documents(self.docs)
        write_questions(work / "questions", self.docs)
        ports = find_ports(2)
        self.api = f"http://127.0.0.1:{ports[0]}/api"
        self.up = Up(
            [f"--root={self.root}", f"--prefect-port={ports[0]}", f"--mlflow-port={ports[1]}"], work
        )
        self.config = SETTINGS | {
            "base": str(work / "base"), "sources": [str(self.docs)], "root": str(self.root),
            "questions": str(work / "questions"),
        }  # fmt: skip

    def ask(self, method: str, path: str, told: object = None) -> Any:  # noqa: ANN401
        """Ask Prefect's server."""
        answer = httpx.request(method, self.api + path, json=told, timeout=60)
        answer.raise_for_status()
        return answer.json() if answer.content else None

    def train_first(self) -> None:
        """Set the deployment's parameters, as a person does, and train once."""
        found = self.ask("GET", "/deployments/name/retrain/retrain")
        self.ask("PATCH", f"/deployments/{found['id']}", {"parameters": {"config": self.config}})
        self.ask("POST", f"/deployments/{found['id']}/create_flow_run", {})
        wait_for(lambda: not self.list_runs(ACTIVE), SECONDS)

    def list_runs(self, states: list[str] | None = None) -> list[Any]:
        """Return the runs of the deployment, the first first."""
        sought: dict[str, Any] = {
            "deployments": {"name": {"any_": ["retrain"]}}, "sort": "START_TIME_ASC"
        }  # fmt: skip
        if states:
            sought["flow_runs"] = {"state": {"type": {"any_": states}}}
        found: list[Any] = self.ask("POST", "/flow_runs/filter", sought)
        return found

    def drop(self, name: str, count: int, seconds: float = 0) -> None:
        """Write documents, one after the other."""
        for number in range(count):
            text = f"# {name} {number}\n\nThe {name} number {number} is new, and says so.\n"
            (self.docs / f"{name}-{number:03}.md").write_text(text)
            time.sleep(seconds / count)

    def count(self, name: str) -> int:
        """Return how many documents of this name are in the last corpus."""
        last = json.loads((self.root / "last.json").read_text())["corpus"]
        rows = Corpus.open(self.root / "corpus" / last).read().to_pylist()
        return len({row["document_id"] for row in rows if row["document_id"].startswith(name)})

    def settle(self, name: str, count: int) -> None:
        """Wait until all documents of this name are in the corpus, and no run is under way."""
        wait_for(lambda: self.count(name) == count, SECONDS)
        wait_for(lambda: not self.list_runs(ACTIVE), SECONDS)

    def kill_server(self) -> None:
        """Kill Prefect's server."""
        for process in find_marked(self.up.find_mark()):
            if {"server", "prefect.server.api.server:create_app"} & set(process.cmdline()):
                process.kill()
        wait_for(lambda: not self.is_up(), 30)

    def is_up(self) -> bool:
        """Tell whether Prefect's server answers."""
        try:
            return httpx.get(f"{self.api}/health", timeout=2).status_code == 200
        except httpx.HTTPError:
            return False


def measure(team: Team) -> list[str]:
    """Drop documents; return what came of it, a line each."""
    team.train_first()
    before = len(team.list_runs())
    began = time.time()
    team.drop("burst", 100, seconds=5)
    wait_for(lambda: team.list_runs(["RUNNING"]), SECONDS)
    (run,) = team.list_runs(["RUNNING"])
    waited = datetime.fromisoformat(run["start_time"]).timestamp() - began
    team.drop("late", 10)
    team.settle("late", 10)
    names = [one["name"] for one in team.list_runs()][before:]
    told = [
        f"100 files in 5 s: {team.count('burst')} in the corpus; first line after {waited:.1f} s",
        f"10 more while it ran: {team.count('late')} in the corpus; runs for both: {names}",
    ]
    before = len(team.list_runs())
    team.kill_server()
    team.drop("dark", 20)
    wait_for(team.is_up, SECONDS)
    team.settle("dark", 20)
    names = [one["name"] for one in team.list_runs()][before:]
    return [*told, f"20 while the server was dead: {team.count('dark')} in the corpus; {names}"]


def main() -> None:
    """Measure it in the folder that the command line names."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("work", type=Path)
    work = parser.parse_args().work.resolve()
    work.mkdir(parents=True)
    team = Team(work)
    try:
        team.up.wait_until_ready()
        sys.stdout.write("\n".join(measure(team)) + "\n")
    finally:
        team.up.end()


if __name__ == "__main__":
    main()
