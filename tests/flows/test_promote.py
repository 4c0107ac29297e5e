"""promote and rollback as commands: one line each, what moved or why nothing did."""

import time
from pathlib import Path

import pytest
from prefect.client.orchestration import get_client

from flows.announce import EVENT
from flows.command import run
from tasks.aliases import PASSED_TAG, VERDICT_TAG, Aliases, read_aliases
from tasks.registry import CANDIDATE, CHAMPION, Registry
from tests.flows.test_command import fails
from tests.test_aliases import make_registry


@pytest.fixture
def registry(tmp_path: Path) -> Registry:
    """Give three versions, the third unproven; 1 is the champion, 2 the candidate."""
    registry = make_registry(tmp_path / "root")
    for alias, number in ((CHAMPION, "1"), (CANDIDATE, "2")):
        registry.client.set_registered_model_alias("burnish", alias, number)
    return registry


def read_moves() -> list[tuple[str, str]]:
    """Return the versions that events told of, before and after, the first first."""
    sought = {"filter": {"event": {"name": [EVENT]}, "order": "ASC"}, "limit": 50}
    with get_client(sync_client=True) as client:
        events = client.request("POST", "/events/filter", json=sought).json()["events"]
    return [(one["payload"]["previous"], one["payload"]["version"]) for one in events]


def test_promote_and_roll_back(registry: Registry, capsys: pytest.CaptureFixture[str]) -> None:
    known = len(read_moves())  # of other tests
    run(["promote", f"--root={registry.root}"])
    told = capsys.readouterr().out
    assert "champion   version 1 -> 2" in told
    assert "previous   version none -> 1" in told
    assert "models:/burnish@champion" in told
    run(["promote", "2", f"--root={registry.root}"])
    assert "Version 2 is the champion already." in capsys.readouterr().out
    run(["rollback", f"--root={registry.root}"])
    assert "champion   version 2 -> 1" in capsys.readouterr().out
    assert read_aliases(registry) == Aliases("2", "1", "2")
    end = time.monotonic() + 30  # the server writes events down some time after it has them
    while len(read_moves()) < known + 2 and time.monotonic() < end:
        time.sleep(0.2)
    # that it was champion already is no move
    assert read_moves()[known:] == [("1", "2"), ("2", "1")]


def test_refusals_tell_why(registry: Registry, capsys: pytest.CaptureFixture[str]) -> None:
    where = f"--root={registry.root}"
    registry.client.set_model_version_tag("burnish", "2", PASSED_TAG, "false")
    registry.client.set_model_version_tag("burnish", "2", VERDICT_TAG, "Not the champion: worse.")
    assert "is refused. Not the champion: worse. To overrule" in fails(["promote", where], capsys)
    assert "Version 3 of burnish is not proven" in fails(["promote", "3", where], capsys)
    assert "no version 4; it has 1, 2, 3." in fails(["promote", "4", where], capsys)
    assert "no other version was champion before" in fails(["rollback", where], capsys)
    assert "has no version 9" in fails(["reproduce", "9", where], capsys)
    assert "has no lineage.json" in fails(["reproduce", "1", where], capsys)
    assert read_aliases(registry) == Aliases("2", "1", "")


@pytest.mark.parametrize("command", [["promote"], ["rollback"], ["reproduce", "1"]])
def test_where_nothing_was_registered(
    command: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert "Nothing was registered below" in fails([*command, f"--root={tmp_path}"], capsys)
    assert list(tmp_path.iterdir()) == []
