"""Whether a request that failed is sent again, and when."""

import asyncio
import logging
import random
from typing import TYPE_CHECKING

from .chat import Chat
from .pace import Pace

if TYPE_CHECKING:
    from openai import APIError

logger = logging.getLogger(__name__)

LONGEST_PAUSE_SECONDS = 8.0


def count_failure(
    chat: Chat,
    pace: Pace,
    error: "APIError",
    started: float,
    failed: int,
    most: int,
    called: str = "",
) -> int:
    """Count a failure; raise it if asking again is of no use. Being busy is none.

    Args:
        chat: The endpoint.
        pace: Of all requests to it.
        error: What went wrong.
        started: When the request started, by the pace's clock.
        failed: Failures of this request before.
        most: Most tries after the first.
        called: What the endpoint is called in the log, where its address is not to be told.

    Returns:
        Failures now; no more than before if the endpoint is only busy, and the pace slows down.

    Raises:
        OutOfPatience: it is busy for longer than anybody waits.
        openai.APIError: what went wrong.
    """
    is_busy, seconds = chat.pause(error)
    if is_busy and not chat.is_final(error):
        if not pace.busy(started, seconds):
            raise chat.lose_patience(error, pace.busy_seconds, pace.patience_seconds) from error
        if pace.is_due_to_tell():
            said, longest = chat.tell_busy(error), pace.patience_seconds
            logger.warning(
                "%s is busy: %s; no answer for %.0f s, and after %.0f s this fails",
                called or chat.host, said, pace.busy_seconds, longest,
            )  # fmt: skip
        return failed
    if failed == most or not chat.is_passing(error):
        raise error
    return failed + 1


async def pause(failed: int) -> None:
    """Wait before a request that failed so often is sent again; longer each time."""
    if failed:
        longest = min(2**failed / 4, LONGEST_PAUSE_SECONDS)
        await asyncio.sleep(longest * random.uniform(0.75, 1))
