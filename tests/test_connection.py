"""A stage is tried again where a connection broke, and never where a person has to act."""

import errno
import sqlite3
from collections.abc import Callable
from pathlib import Path

import httpx
import mlflow
import pytest
import requests
from prefect.states import Failed

from tasks.connection import RETRY_SECONDS, is_broken, is_connection_lost
from tasks.contracts import BurnishError
from tasks.register import register
from tasks.stage import stage


def ask_mlflow() -> None:
    mlflow.MlflowClient("http://127.0.0.1:9").get_experiment_by_name("x")


def wrap_in_ours() -> None:
    try:
        ask_mlflow()
    except mlflow.MlflowException as error:
        raise BurnishError("The registry does not answer. Start it.") from error


def handle() -> None:
    """Fail at something of our own while a broken connection is being handled."""
    try:
        raise ConnectionResetError
    except ConnectionResetError:
        raise ValueError("something else") from None


def fill_disk() -> None:
    raise OSError(errno.ENOSPC, "No space left on device")


def lock_database() -> None:
    raise sqlite3.OperationalError("database is locked")


@pytest.mark.parametrize(
    ("fail", "is_lost"),
    [
        (ask_mlflow, True),
        (lambda: httpx.get("http://127.0.0.1:9"), True),
        (lambda: requests.get("http://127.0.0.1:9", timeout=1), True),
        (lock_database, True),
        (wrap_in_ours, False),
        (handle, False),
        (fill_disk, False),
        (lambda: int("x"), False),
    ],
)
def test_what_is_worth_another_try(
    fail: Callable[[], object], is_lost: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "0")
    with pytest.raises(Exception) as caught:
        fail()
    assert is_broken(caught.value) == is_lost
    assert is_connection_lost(None, None, Failed(data=caught.value)) == is_lost


def test_every_stage_is_tried_again_with_pauses() -> None:
    assert register.retries == len(RETRY_SECONDS)
    assert register.retry_delay_seconds == list(RETRY_SECONDS)
    assert register.retry_condition_fn is is_connection_lost


def test_the_code_of_trying_again_decides_no_result(tmp_path: Path) -> None:
    from tasks.stage import _closure

    assert "tasks.register" in _closure(frozenset({"tasks.register"}))
    assert "tasks.connection" not in _closure(frozenset({"tasks.register"}))
    assert stage(lambda: None).retry_condition_fn is is_connection_lost
