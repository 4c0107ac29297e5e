"""`burnish up` on Postgres; a database that goes away; an endpoint that answers 429 for an hour.

    python -m tests.benchmarks.outages WORK [--parts postgres database endpoint]
        [--moments .2 .5 .85] [--away 75]

WORK is a new folder. The small corpus of sixty documents is what every run is made of, started from
the deployment as the form starts it. The parts:

`postgres`: `burnish up` behind a login, with both servers on a Postgres of its own (Debian's, run
on loopback below WORK). Told are the seconds until all is ready and until the first run is
completed; then it is ended by SIGTERM and started again onto its own data. The database's password
must be in no file but Postgres' own and on no command line.

`database`: a run undisturbed, then one for every moment (a share of the undisturbed time), in a
root and with a registered model of its own: Postgres is stopped hard at that moment, is away for so
many seconds, and is started again; the next run is started as soon as the server takes it. Told is
how the run that was hit ended and after how many seconds, whether the next one completed and made
the same, and whether any run is left that is not over, or any slot taken.

`endpoint`: `burnish up` with SQLite, and a chat endpoint on loopback that answers some requests and
then 429 alone, with `Retry-After: 3600` and without, then only for seconds, then no more. Told is
per run how it ended and is named, after how many seconds, what it was asked and what it logged.

Postgres is looked for in /usr/lib/postgresql; `apt-get install postgresql` puts it there.
"""

import argparse
import json
import os
import pwd
import subprocess
import sys
import threading
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple
from urllib.parse import quote

import httpx

from deployments.automations import SILENT_SECONDS
from tests.benchmarks.telling import say, wait_for
from tests.deployments.conftest import Up, find_ports
from tests.generators.conftest import ChatServer, Reply, says
from tests.small_corpus import (
    NOUNS,
    SETTINGS,
    name_made,
    write_base,
    write_documents,
    write_questions,
)

PARTS = ("postgres", "database", "endpoint")
LOGIN = ("ann", "correct-horse-battery")
SECRET = "very-secret-elephant"
PASSWORD = f"{SECRET}@1:/%"  # as password managers make them
OVER = {"COMPLETED", "FAILED", "CRASHED", "CANCELLED"}
SECONDS = 900
COMPARED = NOUNS[:-1]  # registrations have names of their own


class Postgres:
    """Debian's Postgres on loopback, with a cluster of its own."""

    def __init__(self, folder: Path) -> None:
        """Make the cluster and two databases, and start it."""
        found = sorted(Path("/usr/lib/postgresql").glob("*/bin"), key=lambda p: float(p.parts[-2]))
        if not found:
            sys.exit("No Postgres in /usr/lib/postgresql. Install it: apt-get install postgresql.")
        self.programs, self.folder = found[-1], folder
        (self.port,) = find_ports(1)
        # Postgres refuses to run as root
        self.user = "nobody" if os.geteuid() == 0 else pwd.getpwuid(os.geteuid()).pw_name
        folder.mkdir(mode=0o700)
        (folder / "password").write_text(PASSWORD)
        if os.geteuid() == 0:
            for path in (folder, folder / "password"):
                os.chown(path, pwd.getpwnam(self.user).pw_uid, -1)
        self._call(
            "initdb", f"--pgdata={folder / 'data'}", "--username=burnish", "--encoding=UTF8",
            "--auth=scram-sha-256", f"--pwfile={folder / 'password'}",
        )  # fmt: skip
        self.start()
        for name in ("prefect", "mlflow"):
            self._call("createdb", "-h", "127.0.0.1", "-p", str(self.port), "-U", "burnish", name)

    def start(self) -> None:
        """Start it and wait until it answers."""
        listening = f"-p {self.port} -c listen_addresses=127.0.0.1 -c unix_socket_directories="
        self._control("start", "-w", "-l", str(self.folder / "log"), "-o", listening)

    def stop(self) -> None:
        """Stop it hard: every connection breaks, as if the machine lost its power."""
        self._control("stop", "-m", "immediate")

    def name(self) -> dict[str, str]:
        """Return both databases' addresses, as the environment gives them to `burnish up`."""
        place = f"burnish:{quote(PASSWORD, safe='')}@127.0.0.1:{self.port}"
        return {
            "PREFECT_SERVER_DATABASE_CONNECTION_URL": f"postgresql+asyncpg://{place}/prefect",
            "MLFLOW_BACKEND_STORE_URI": f"postgresql://{place}/mlflow",
        }

    def _control(self, *arguments: str) -> None:
        self._call("pg_ctl", "-D", str(self.folder / "data"), *arguments)

    def _call(self, program: str, *arguments: str) -> None:
        subprocess.run(
            [self.programs / program, *arguments], check=True, cwd=self.folder, user=self.user,
            stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
            env={"PATH": os.environ["PATH"], "PGPASSWORD": PASSWORD, "LC_ALL": "C.UTF-8"},
        )  # fmt: skip


class Team:
    """`burnish up`, ended and started again at will, and who asks it."""

    def __init__(self, work: Path, given: Mapping[str, str], *, has_login: bool = False) -> None:
        """Write the corpus; nothing is started yet."""
        work.mkdir(parents=True)
        self.work, self.root = work, work / "root"
        self.login = LOGIN if has_login else None
        told = {"PREFECT_SERVER_API_AUTH_STRING": ":".join(LOGIN)} if has_login else {}
        self.given = told | {**given}
        self.ports = find_ports(2)
        self.client = httpx.Client(
            base_url=f"http://127.0.0.1:{self.ports[0]}/api", auth=self.login, timeout=60
        )
        self.up: Up | None = None
        write_base(work / "base")
        write_documents(work / "docs")
        write_questions(work / "questions", work / "docs")

    def start(self) -> float:
        """Start it; return the seconds until it was ready."""
        began = time.monotonic()
        options = [f"--root={self.root}", f"--prefect-port={self.ports[0]}",
                   f"--mlflow-port={self.ports[1]}"]  # fmt: skip
        self.up = Up(options, self.work, self.given)
        self.up.wait_until_ready()
        return time.monotonic() - began

    def end(self) -> int | None:
        """End it by SIGTERM, if it runs; return how it ended."""
        up, self.up = self.up, None
        return None if up is None else up.end()

    def ask(self, method: str, path: str, told: object = None) -> Any:  # noqa: ANN401
        """Ask Prefect; again where that says that its database is busy, as clients do."""
        for pause in (1, 2, 4, 0):
            answer = self.client.request(method, path, json=told)
            if answer.status_code != httpx.codes.SERVICE_UNAVAILABLE:
                break
            time.sleep(pause)
        return answer.raise_for_status().json()

    def run(self, root: Path, name: str, **settings: object) -> str:
        """Start `retrain` as the form does; return the run's id."""
        told = SETTINGS | {
            "base": str(self.work / "base"), "sources": [str(self.work / "docs")],
            "root": str(root), "questions": str(self.work / "questions"),
            "registry": {"name": name}, **settings,
        }  # fmt: skip
        found = self.ask("GET", "/deployments/name/retrain/retrain")["id"]
        made = self.ask(
            "POST", f"/deployments/{found}/create_flow_run", {"parameters": {"config": told}}
        )
        return str(made["id"])

    def read(self, run: str) -> dict[str, Any]:
        """Return what Prefect knows of a run; nothing while it does not answer."""
        try:
            return dict(self.ask("GET", f"/flow_runs/{run}"))
        except httpx.HTTPError:
            return {"state_type": "", "state_name": "", "name": ""}

    def wait(self, run: str, states: set[str], seconds: float = SECONDS) -> float:
        """Wait until a run is in one of these states; return how long that took."""
        return wait_for(lambda: self.read(run)["state_type"] in states, seconds)

    def ask_mlflow(self, path: str, told: object = None) -> Any:  # noqa: ANN401
        """Ask MLflow's server."""
        address = f"http://127.0.0.1:{self.ports[1]}/api/2.0/mlflow/{path}"
        method = "GET" if told is None else "POST"
        answer = httpx.request(method, address, json=told, auth=self.login, timeout=60)
        return answer.raise_for_status().json()

    def list_versions(self) -> list[str]:
        """Return all versions of all registered models."""
        found = self.ask_mlflow("model-versions/search?max_results=100")
        rows = found.get("model_versions", [])
        return sorted(f"{row['name']} {row['version']} {row['status']}" for row in rows)

    def list_stale(self) -> list[str]:
        """Return MLflow's runs that are not over."""
        numbers = [
            one["experiment_id"]
            for one in self.ask_mlflow("experiments/search", {"max_results": 100})["experiments"]
        ]
        told = {"experiment_ids": numbers, "filter": "attributes.status = 'RUNNING'"}
        found = self.ask_mlflow("runs/search", told | {"max_results": 100})
        return [run["info"]["run_name"] for run in found.get("runs", [])]

    def look_around(self) -> dict[str, Any]:
        """Return what must be nothing in the end."""
        runs = self.ask("POST", "/flow_runs/filter", {"limit": 200})
        tasks = self.ask("POST", "/task_runs/filter", {"limit": 200})
        limits = self.ask("POST", "/v2/concurrency_limits/filter", {})
        left = [run["name"] for run in runs if run["state_type"] not in OVER]
        states = [one["state_type"] for one in tasks]
        return {
            "runs that are not over": left,
            "task runs that are not over": sum(state not in OVER for state in states),
            "slots taken": sum(limit["active_slots"] for limit in limits),
            "runs in MLflow that are not over": self.list_stale(),
        }

    def find_logs(self, run: str, word: str) -> list[str]:
        """Return what a run, and those inside it, have told Prefect that holds a word."""
        since = {"timestamp": {"after_": self.read(run)["start_time"]}}
        sought = {"logs": since, "limit": 200, "sort": "TIMESTAMP_ASC"}
        lines = self.ask("POST", "/logs/filter", sought)
        return [line["message"] for line in lines if word in line["message"]]

    def find_secret(self) -> list[str]:
        """Return where the database's password is: files below WORK, and command lines."""
        import psutil

        grep = ["grep", "-rlaF", "--exclude-dir=pg", SECRET, str(self.work)]
        files = subprocess.run(grep, capture_output=True, text=True, check=False).stdout.split()
        lines = []
        for process in psutil.process_iter():
            try:
                if SECRET in " ".join(process.cmdline()):
                    lines.append(" ".join(process.cmdline())[:80])
            except psutil.Error:
                continue
        return files + lines


class Row(NamedTuple):
    """One line of the table at the end."""

    what: str
    ended: str
    seconds: float
    notes: str


def show_postgres(team: Team) -> list[Row]:
    """Bring it up on Postgres, run, end, bring it up again."""
    began = time.monotonic()
    rows = [Row("up on Postgres", "ready", team.start(), "")]
    run = team.run(team.work / "first", "burnish")
    team.wait(run, OVER)
    first = team.read(run)
    rows.append(
        Row("first run, from the start", first["state_name"], time.monotonic() - began,
            first["name"])
    )  # fmt: skip
    versions = team.list_versions()
    began = time.monotonic()
    code = team.end()
    rows.append(Row("SIGTERM", f"ended with {code}", time.monotonic() - began, ""))
    seconds = team.start()
    is_there = team.read(run) == first and team.list_versions() == versions != []
    kept = f"the run and {len(versions)} versions are {'there' if is_there else 'NOT THERE'}"
    rows.append(Row("up again", "ready", seconds, kept))
    again = team.run(team.work / "first", "burnish")
    seconds = team.wait(again, OVER)
    ended = team.read(again)
    rows.append(Row("second run", ended["state_name"], seconds, ended["name"]))
    return rows


def show_database(
    team: Team, database: Postgres, moments: Sequence[float], away: float
) -> list[Row]:
    """Run undisturbed, then with the database gone at each moment."""
    if team.up is None:
        team.start()
    calm = team.work / "calm"
    run = team.run(calm, "calm")
    team.wait(run, {"RUNNING"})
    whole = team.wait(run, OVER)
    rows = [Row("undisturbed", team.read(run)["state_name"], whole, "")]
    for number, moment in enumerate(moments):
        rows += disturb(team, database, moment * whole, away, f"hit{number}")
        say(str(rows[-2:]))
    time.sleep(SILENT_SECONDS + 20)  # what fell silent is marked until then
    rows.append(Row("in the end", "", 0, json.dumps(team.look_around())))
    return rows


def disturb(team: Team, database: Postgres, after: float, away: float, name: str) -> list[Row]:
    """Run, take the database away for a while, and run again."""
    root = team.work / name
    hit = team.run(root, name)
    team.wait(hit, {"RUNNING"})
    time.sleep(after)
    made = name_made(root, COMPARED)
    stage = next((noun for noun in NOUNS if noun not in made), "the end")
    database.stop()
    stopped = time.monotonic()
    time.sleep(away)
    database.start()
    following = ""

    def start() -> bool:
        nonlocal following
        try:
            following = team.run(root, name)
        except httpx.HTTPError:
            return False
        return True

    seconds = wait_for(start, 300)
    notes = (
        f"gone {after:.0f} s after the start, before {stage}, for {away:.0f} s; the server took "
        f"the next run {seconds:.1f} s after"
    )
    team.wait(hit, OVER)
    seconds = time.monotonic() - stopped
    time.sleep(5)  # its name comes after its state
    ended = team.read(hit)
    rows = [Row(name, ended["state_name"], seconds, f"{ended['name']}; {notes}")]
    seconds = team.wait(following, OVER)
    ended = team.read(following)
    is_same = name_made(root, COMPARED) == name_made(team.work / "calm", COMPARED)
    alike = "the same as undisturbed" if is_same else "OTHER THAN UNDISTURBED"
    rows.append(Row(f"next of {name}", ended["state_name"], seconds, alike))
    return rows


class Moody:
    """A chat endpoint that answers, or is busy, as it is told."""

    def __init__(self) -> None:
        """Start it; it is busy until it is told otherwise."""
        self.answers = self.refusals = self.refused = 0
        self.asks: str | None = None
        self.answered: list[str] = []
        self._lock = threading.Lock()
        self.server = ChatServer(self.reply)
        threading.Thread(target=self.server.serve_forever, args=(0.05,), daemon=True).start()

    def set(self, answers: int, refusals: int, asks: str | None) -> None:
        """Answer so often, then refuse so often, then answer.

        Args:
            answers: Requests that are answered first.
            refusals: Requests that are answered with 429 then.
            asks: Seconds to be left alone that it asks for with that; none if it does not say.
        """
        self.answers, self.refusals, self.asks, self.refused = answers, refusals, asks, 0

    def reply(self, text: str, number: int) -> Reply:
        """Answer with words of the passage, as a person might search for it."""
        with self._lock:
            if self.answers <= 0 and self.refusals > 0:
                self.refusals -= 1
                self.refused += 1
                headers = {} if self.asks is None else {"Retry-After": self.asks}
                return 429, headers, {"error": {"message": "Too many requests"}}
            self.answers -= 1
            self.answered.append(text)
        words = text.split("\n")[-1].lower().replace(".", "").split()
        asked = [" ".join(words[start::8][:5]) for start in (0, 2, 5)]
        return says(json.dumps(asked), (100, 30))


def show_endpoint(team: Team) -> list[Row]:
    """Make queries by an endpoint that is busy for an hour, for half a minute, and no more."""
    os.environ.setdefault("NO_PROXY", "127.0.0.1")
    team.start()
    moody = Moody()
    rows = [
        ask_moody(team, moody, "429, Retry-After: 3600", (10, 10_000, "3600")),
        ask_moody(team, moody, "429 for longer than its 30 s of patience", (10, 10_000, None)),
        ask_moody(team, moody, "429 six times, Retry-After: 5", (10, 6, "5")),
    ]
    twice = len(moody.answered) - len(set(moody.answered))
    rows.append(Row("passages asked about", str(len(set(moody.answered))), 0, f"{twice} twice"))
    rows.append(Row("in the end", "", 0, json.dumps(team.look_around())))
    moody.server.shutdown()
    return rows


def ask_moody(team: Team, moody: Moody, what: str, told: tuple[int, int, str | None]) -> Row:
    """Run with the endpoint in a mood; each run goes on from the one before."""
    moody.set(*told)
    before = len(moody.answered)
    asked = {"base_url": moody.server.url, "model": "m", "concurrency": 4, "patience_seconds": 30}
    made = {"generator": "endpoint", "endpoint": asked}
    run = team.run(team.work / "asked", "asked", synthesize=made)
    team.wait(run, {"RUNNING"} | OVER)
    seconds = team.wait(run, OVER)
    time.sleep(5)  # its name comes after its state, and its log in batches
    ended, logged = team.read(run), team.find_logs(run, "is busy: ")
    say(f"{what}:\n  {ended['state']['message']}\n  " + "\n  ".join(logged))
    notes = (
        f"{ended['name']}; {len(moody.answered) - before} answers, {moody.refused} refusals; "
        f"{len(logged)} lines of the log say that it waits"
    )
    return Row(what, ended["state_name"], seconds, notes)


def main() -> None:
    """Run the parts that are asked for; tell what came of them."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("work", type=Path)
    parser.add_argument("--parts", nargs="+", choices=PARTS, default=PARTS)
    parser.add_argument("--moments", nargs="+", type=float, default=(0.2, 0.5, 0.85))
    parser.add_argument("--away", type=float, default=75)
    options = parser.parse_args()
    work: Path = options.work.resolve()
    work.mkdir(parents=True)
    rows: list[Row] = []
    if {"postgres", "database"} & set(options.parts):
        rows += on_postgres(work, options.parts, options.moments, options.away)
    if "endpoint" in options.parts:
        team = Team(work / "sqlite", {})
        try:
            rows += show_endpoint(team)
        finally:
            say(f"burnish up ended with {team.end()}")
    for row in rows:
        say(f"{row.what:<42} {row.ended:<14} {row.seconds:>6.0f} s  {row.notes}")


def on_postgres(
    work: Path, parts: Sequence[str], moments: Sequence[float], away: float
) -> list[Row]:
    """Run the parts that need Postgres, each with one of its own."""
    rows: list[Row] = []
    for part in [part for part in PARTS[:2] if part in parts]:
        (work / part).mkdir()
        database = Postgres(work / part / "pg")
        # hashing passwords, MLflow takes most of a run's time; outages are the same without a login
        team = Team(work / part / "team", database.name(), has_login=part == "postgres")
        try:
            if part == "postgres":
                rows += show_postgres(team)
            else:
                rows += show_database(team, database, moments, away)
            rows.append(Row("database's password", "", 0, f"is in {team.find_secret()}"))
        finally:
            say("\n".join(map(str, rows)))
            say(f"burnish up ended with {team.end()}")
            database.stop()
    return rows


if __name__ == "__main__":
    main()
