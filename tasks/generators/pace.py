"""Pace: no more requests a minute than allowed, and fewer while the endpoint says it is busy."""

import asyncio
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field

FIRST_GAP_SECONDS = 0.5  # between requests after the first time an endpoint is busy
LONGEST_GAP_SECONDS = 5.0
NO_GAP_SECONDS = 0.01
FASTER = 0.9  # seven answers undo the doubling of one refusal
TELL_SECONDS = 60.0  # between two words about being busy


@dataclass
class Pace:
    """Turns of requests, one after another at even distances; used on one event loop alone.

    All requests share it: when one is told to wait all wait, so that a busy endpoint is not met by
    every caller in turn. Each time it is busy again the distance between requests doubles; each
    answer shrinks it by a tenth.

    Attributes:
        requests_per_minute: Most requests started in a minute; none is without limit.
        tokens_per_minute: Most tokens in a minute, by estimate until the answer tells.
        patience_seconds: Longest time without an answer while the endpoint is busy.
        clock: Tells the time in seconds.
        sleep: Waits for seconds.
    """

    requests_per_minute: int | None = None
    tokens_per_minute: int | None = None
    patience_seconds: float = 600.0
    clock: Callable[[], float] = time.monotonic
    sleep: Callable[[float], Awaitable[None]] = asyncio.sleep
    _free_at: float = 0.0
    _gap: float = 0.0
    _slowed_at: float = float("-inf")
    _busy_since: float | None = None
    _told_at: float = float("-inf")
    _queue: asyncio.Lock = field(default_factory=asyncio.Lock)

    async def turn(self, tokens: int) -> float:
        """Wait for the turn of a request of about this many tokens; return when it starts."""
        async with self._queue:
            while (wait := self._free_at - self.clock()) > 0:
                await self.sleep(wait)  # a pause that begins meanwhile makes it wait again
            apart = 60 / self.requests_per_minute if self.requests_per_minute else 0.0
            now = self.clock()
            self._free_at = now + max(self._gap, apart, self._seconds(tokens))
            return now

    def answered(self, estimated: int, tokens: int) -> None:
        """Learn that a request was answered, and what it took beside what was estimated."""
        self._busy_since = None
        self._gap = self._gap * FASTER if self._gap > NO_GAP_SECONDS else 0.0
        self._free_at += self._seconds(tokens - estimated)

    def busy(self, started: float, retry_after: float | None) -> bool:
        """Learn that the endpoint is busy: all wait as long as it asks for, or longer each time.

        Args:
            started: When the request that it refused started.
            retry_after: Seconds it asks for; none if it does not say.

        Returns:
            Whether there is patience left to ask again.
        """
        now = self.clock()
        self._busy_since = now if self._busy_since is None else self._busy_since
        gap = self._gap
        if started >= self._slowed_at:  # once for all that were under way together
            gap = min(max(2 * gap, FIRST_GAP_SECONDS), LONGEST_GAP_SECONDS)
        until = now + (gap if retry_after is None else retry_after)
        if until - self._busy_since > self.patience_seconds:
            return False  # nor need the others wait: they give up as they are refused
        if gap > self._gap:
            self._gap, self._slowed_at = gap, now
        self._free_at = max(self._free_at, until)
        return True

    @property
    def busy_seconds(self) -> float:
        """How long there has been no answer since the endpoint said that it is busy."""
        return 0.0 if self._busy_since is None else self.clock() - self._busy_since

    def is_due_to_tell(self) -> bool:
        """Tell whether to say now that the endpoint is busy: at once, and then every minute."""
        now = self.clock()
        if now - self._told_at < TELL_SECONDS:
            return False
        self._told_at = now
        return True

    def _seconds(self, tokens: int) -> float:
        return 60 * tokens / self.tokens_per_minute if self.tokens_per_minute else 0.0
