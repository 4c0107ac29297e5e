"""Locks on a registry: of all who share it, and of what they do apart."""

import os
from pathlib import Path

import pytest

from tasks import locks
from tasks.contracts import BurnishError
from tasks.locks import hold


def test_those_who_share_a_registry_wait_for_each_other(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(locks, "LOCK_SECONDS", 0.1)
    one, two, address = tmp_path / "one", tmp_path / "two", "http://127.0.0.1:9"
    with hold(one, address, "aliases"):
        for root, uri in ((one, address), (two, address), (one, "http://127.0.0.1:10")):
            with pytest.raises(BurnishError, match="Another process"), hold(root, uri, "aliases"):
                pass
        with hold(two, "http://127.0.0.1:10", "aliases"):  # nothing in common
            pass
        with hold(one, address, "upload"):  # nobody who rolls back waits for an upload
            pass
    with hold(two, address, "aliases"):
        pass


def test_a_user_without_a_name_may_hold_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("LOGNAME", "USER", "LNAME", "USERNAME"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr(os, "getuid", lambda: 1_234_567_890)  # as a container may be started
    with hold(tmp_path, "http://127.0.0.1:9", "aliases"):
        pass
