"""Progress of long work, in the terminal's log and, inside a run, in Prefect."""

import contextlib
import logging
import time
from collections.abc import Callable, Iterator

logger = logging.getLogger(__name__)

LOG_SECONDS = 10  # often enough to see that it lives, rare enough to read


@contextlib.contextmanager
def progress(what: str, total: int, unit: str = "items") -> Iterator[Callable[[int], None]]:
    """Report how far `what` is: yields a function to be told how many `unit` were done.

    A line is logged at most every few seconds, with the time left; in a Prefect run a progress
    artifact moves with it. What takes less than that is not shown.
    """
    started = reported = time.monotonic()
    done = 0
    artifact = _Artifact(what)

    def advance(count: int) -> None:
        nonlocal done, reported
        done += count
        now = time.monotonic()
        if now - reported < LOG_SECONDS:
            return
        reported = now
        left = (now - started) / max(done, 1) * max(total - done, 0)
        share = done / max(total, 1)
        logger.info(
            "%s: %d of %d %s (%.0f %%), about %.0f s left",
            what,
            done,
            total,
            unit,
            100 * share,
            left,
        )
        artifact.move(share)

    yield advance
    artifact.end()


class _Artifact:
    """A progress artifact that is there only inside a Prefect run, and never in the way."""

    def __init__(self, what: str) -> None:
        self._what = what
        self._id: object | None = None
        self._works = True

    def end(self) -> None:
        """Tell that it is done, where it took long enough to be shown at all."""
        if self._id is not None:
            self.move(1.0)

    def move(self, share: float) -> None:
        from prefect.artifacts import create_progress_artifact, update_progress_artifact
        from prefect.context import FlowRunContext, TaskRunContext

        is_within = TaskRunContext.get() is not None or FlowRunContext.get() is not None
        if not is_within or not self._works:
            return
        try:
            if self._id is None:
                self._id = create_progress_artifact(100 * share, description=self._what)
            else:
                update_progress_artifact(self._id, 100 * share)  # type: ignore[arg-type]
        except Exception as error:  # noqa: BLE001 - a display must not end the work it shows
            self._works = False
            logger.debug("no progress artifact: %s", error)
