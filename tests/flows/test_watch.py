"""New documents are noticed, told, and told again until a run has covered them."""

import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from prefect import flow
from prefect.client.orchestration import SyncPrefectClient, get_client

from flows.bell import Bell, find_folders
from flows.retrain import list_documents, see
from flows.settings import DocumentsConfig
from flows.state import point_to_corpus, read_seen
from flows.watch import EVENT, Watched, is_run_coming, look_once
from tasks.contracts import BurnishError


@pytest.fixture
def client() -> Iterator[SyncPrefectClient]:
    with get_client(sync_client=True) as client:
        yield client


@pytest.fixture
def settings(tmp_path: Path) -> DocumentsConfig:
    """Give sources of three documents that a run has covered."""
    (tmp_path / "docs").mkdir()
    for name in "abc":
        (tmp_path / "docs" / f"{name}.md").write_text(f"# {name}\n\nText of {name}.\n")
    settings = DocumentsConfig(sources=(str(tmp_path / "docs"),), root=tmp_path / "root")
    cover(settings)
    return settings


def cover(settings: DocumentsConfig) -> None:
    """Do what a run does when it has read the documents."""
    point_to_corpus(settings.root, "none", see(settings, list_documents(settings)))


def add(settings: DocumentsConfig, name: str) -> None:
    (Path(settings.sources[0]) / f"{name}.md").write_text(f"# New\n\nText of {name}.\n")


def count(client: SyncPrefectClient, name: str) -> int:
    """Return how many events of a model the server has."""
    sought = {
        "event": {"name": [EVENT]}, "resource": {"id": [f"corpus.{name}"]}, "order": "ASC",
    }  # fmt: skip
    told = {"filter": sought, "limit": 50}
    return len(client.request("POST", "/events/filter", json=told).json()["events"])


def wait_for(is_so: Callable[[], bool], seconds: float = 30) -> None:
    end = time.monotonic() + seconds
    while not is_so():
        assert time.monotonic() < end
        time.sleep(0.1)


def test_what_differs_is_told_until_a_run_has_covered_it(
    settings: DocumentsConfig, client: SyncPrefectClient
) -> None:
    name, watched = "told", Watched()
    watched = look_once(settings, name, watched, 60, now=1000)
    assert watched.told == 0  # all is covered
    add(settings, "d")
    watched = look_once(settings, name, watched, 60, now=1060)
    assert (watched.told, watched.times) == (1060, 1)
    watched = look_once(settings, name, watched, 60, now=1100)  # a run may be on its way
    assert watched.times == 1
    watched = look_once(settings, name, watched, 60, now=1200)  # nothing came of it
    assert watched.times == 2
    add(settings, "e")  # that is news, however patient it was with the others
    watched = look_once(settings, name, watched, 60, now=1201)
    assert (watched.told, watched.times) == (1201, 1)
    cover(settings)
    assert look_once(settings, name, watched, 60, now=9999).told == 1201
    wait_for(lambda: count(client, name) == 3)


@pytest.mark.parametrize("act", ["change", "remove"])
def test_changes_and_removals_are_news(settings: DocumentsConfig, act: str) -> None:
    file = Path(settings.sources[0]) / "a.md"
    file.write_text("# Other\n\nText.\n") if act == "change" else file.unlink()
    assert look_once(settings, act, Watched(), 60).times == 1


def test_nothing_is_told_before_somebody_has_asked_for_a_model(tmp_path: Path) -> None:
    (tmp_path / "docs").mkdir()
    settings = DocumentsConfig(sources=(str(tmp_path / "docs"),), root=tmp_path / "root")
    add(settings, "a")
    assert look_once(settings, "nobody", Watched(), 60) == Watched()


def test_a_run_of_other_sources_makes_nothing_look_new(
    settings: DocumentsConfig, tmp_path: Path
) -> None:
    (tmp_path / "once").mkdir()
    other = settings.model_copy(update={"sources": (str(tmp_path / "once"),)})
    add(other, "a")
    cover(other)
    assert look_once(settings, "other", Watched(), 60).times == 0
    assert read_seen(settings.root, see(settings, list_documents(settings)).sources)


def test_a_source_that_is_away_ends_nothing(settings: DocumentsConfig) -> None:
    away = settings.model_copy(update={"sources": ("no/such/folder",)})
    with pytest.raises(BurnishError):
        see(away, list_documents(away))
    known = Watched(None, 5, 6, 7)
    assert look_once(away, "away", known, 60) == known


def test_while_the_server_is_away_nothing_counts_as_told(
    settings: DocumentsConfig, client: SyncPrefectClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    from prefect.settings import PREFECT_API_URL, PREFECT_CLIENT_MAX_RETRIES, temporary_settings

    add(settings, "d")
    with temporary_settings({PREFECT_API_URL: "http://127.0.0.1:9/api",
                             PREFECT_CLIENT_MAX_RETRIES: 0}):  # fmt: skip
        watched = look_once(settings, "server", Watched(), 60, now=1000)
        assert watched.told == 0
    assert look_once(settings, "server", watched, 60, now=1001).times == 1
    wait_for(lambda: count(client, "server") == 1)


def test_a_run_that_waits_or_began_later_is_not_called_again(client: SyncPrefectClient) -> None:
    @flow(name="retrain")
    def nothing() -> None:
        return

    found = client.create_flow_from_name("retrain")
    made = client.create_deployment(flow_id=found, name="retrain")
    try:
        now = time.time()
        assert not is_run_coming(now)
        run = client.create_flow_run_from_deployment(made)
        assert is_run_coming(now)  # it waits
        begin(client, run.id)
        assert is_run_coming(now)
        assert not is_run_coming(time.time() + 5)  # the documents came after it had begun
    finally:
        client.delete_deployment(made)


def begin(client: SyncPrefectClient, run: Any) -> None:  # noqa: ANN401
    from prefect.states import Pending, Running

    for state in (Pending(), Running()):
        client.set_flow_run_state(run, state, force=True)


def test_the_bell_rings_when_a_file_comes(tmp_path: Path) -> None:
    bell, folders = Bell(), frozenset({tmp_path})
    bell.wait(folders, 0.2)  # it listens from now on
    threading.Timer(1, lambda: (tmp_path / "new.md").write_text("new")).start()
    began = time.monotonic()
    bell.wait(folders, 120)
    assert time.monotonic() - began < 60


def test_what_is_watched_of_globs_and_of_what_is_not_there_is_the_folder_above(
    tmp_path: Path,
) -> None:
    (tmp_path / "docs").mkdir()
    names = (f"{tmp_path}/docs/**/*.md", f"{tmp_path}/none/x.csv#text=t", "s3://bucket/docs")
    assert find_folders(names) == {tmp_path / "docs", tmp_path}
    assert find_folders(("/nosuch/folder",)) == frozenset()
