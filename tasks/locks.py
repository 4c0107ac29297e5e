"""Locks: of processes that change one registry, one at a time."""

import contextlib
import getpass
import os
import tempfile
from collections.abc import Iterator
from pathlib import Path

from .contracts import BurnishError, fingerprint, writable

LOCK_SECONDS = 3600  # an upload that takes longer hangs


@contextlib.contextmanager
def hold(root: Path, uri: str, what: str) -> Iterator[None]:
    """Keep other processes from doing `what` to a registry, until they may again.

    It binds the processes of one root, wherever they run, and those of one machine that share a
    registry, whatever their roots. A killed process lets go. A process that holds it already must
    not ask again.

    Raises:
        BurnishError: another process has held it for an hour.
    """
    from filelock import FileLock, Timeout

    # in a container a user may have a number and no name
    user = os.getuid() if hasattr(os, "getuid") else getpass.getuser()
    shared = Path(tempfile.gettempdir()) / f"burnish-{user}-{fingerprint(uri)}"
    try:
        with writable(root), contextlib.ExitStack() as held:
            root.mkdir(parents=True, exist_ok=True)
            for file in (root / f"{what}.lock", Path(f"{shared}-{what}.lock")):
                held.enter_context(FileLock(file, timeout=LOCK_SECONDS))
            yield
    except Timeout as error:
        raise BurnishError(
            f"Another process has been changing the registry at {uri} for "
            f"{LOCK_SECONDS / 60:.0f} minutes. End it if it hangs, and run again."
        ) from error
