"""The bell: rings when the operating system tells that something below a folder changed."""

import logging
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from tasks.sources.names import is_remote, kind_of, local_path

logger = logging.getLogger(__name__)

QUIET_MILLISECONDS = 1600  # files that are written together are noticed together


def find_folders(sources: tuple[str, ...]) -> frozenset[Path]:
    """Return what of the sources the operating system tells the changes of.

    >>> find_folders(("s3://bucket/docs", "pydoc:json")) == frozenset()
    True
    """
    found = set()
    for name in sources:
        if is_remote(name) or kind_of(name) not in ("", "file", "local"):
            continue
        path = local_path(name.partition("#")[0]).absolute()
        while not path.exists():  # a glob, or what is not there yet
            path = path.parent
        if path != Path(path.anchor):  # the whole machine is not watched for one missing folder
            found.add(path)
    return frozenset(found)


class Bell:
    """Waits for a change below folders, for a time. Nothing rings unheard between two waits."""

    def __init__(self) -> None:
        """Listen to nothing yet."""
        self._folders: frozenset[Path] = frozenset()
        self._changes: Iterator[Any] = iter(())

    def wait(self, folders: frozenset[Path], seconds: float) -> None:
        """Return when something changed, or after so many seconds."""
        if not folders:
            time.sleep(seconds)
            return
        try:
            if folders != self._folders:
                self._folders, self._changes = folders, _listen(folders, seconds)
            next(self._changes)
        except (OSError, RuntimeError, StopIteration) as error:  # gone, or too many to watch
            logger.warning("%s: looking every %.0f seconds instead", error, seconds)
            self._folders = frozenset()
            time.sleep(seconds)


def _listen(folders: frozenset[Path], seconds: float) -> Iterator[Any]:
    from watchfiles import watch as listen

    return listen(
        *folders, debounce=QUIET_MILLISECONDS, rust_timeout=int(seconds * 1000),
        yield_on_timeout=True, raise_interrupt=True,
    )  # fmt: skip
