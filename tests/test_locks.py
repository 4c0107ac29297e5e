"""Locks on a registry: of all who share it, and of what they do apart."""

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
