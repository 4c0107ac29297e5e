"""A stage that a connection fails goes on by itself; one that a person has to mend ends at once."""

from typing import Any

import pytest
from prefect import flow

from tasks.contracts import BurnishError
from tasks.stage import stage


def fail_once_with(error: Exception) -> tuple[Any, list[str]]:
    """Return a stage that fails the first time, and what happened to it."""
    tried: list[str] = []

    def works() -> str:
        tried.append("tried")
        if len(tried) == 1:
            raise error
        return "made"

    quick = stage(works).with_options(
        cache_policy=None, persist_result=False, retry_delay_seconds=[0, 0]
    )

    @flow(persist_result=False)
    def runs() -> str:
        return quick()

    return runs, tried


def test_a_lost_connection_is_tried_again() -> None:
    runs, tried = fail_once_with(ConnectionResetError("lost"))
    assert runs() == "made"
    assert len(tried) == 2


@pytest.mark.parametrize("error", [BurnishError("Mend it."), ValueError("a mistake")])
def test_nothing_else_is(error: Exception) -> None:
    runs, tried = fail_once_with(error)
    with pytest.raises(type(error)):
        runs()
    assert len(tried) == 1
