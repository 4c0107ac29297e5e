"""Isolation: pages are parsed in processes of their own, which a hostile file may end.

Parsers of binary formats are large, and some are written in C: a damaged file can make them crash,
hang, or take all memory. So each page is parsed under limits in a process that holds no secret,
writes no file, and answers in JSON alone; what becomes of it costs the page and nothing else.
"""

import threading

from ..contracts import BurnishError
from ..core.text import Section
from .lost import bound_lost
from .outline import Parsed
from .process import End, Limits, Process
from .reasons import Passing, Unreadable


class Workers:
    """Processes that parse, started when wanted and used again; safe to share between threads."""

    def __init__(self, limits: Limits | None = None) -> None:
        """Start nothing yet."""
        self._limits = limits or Limits()
        self._idle: list[Process] = []
        self._lock = threading.Lock()

    def parse(self, kind: str, content: bytes) -> Parsed:
        """Parse a file's content; the title is empty if it names none.

        Args:
            kind: A suffix of `KINDS`.
            content: The file's bytes; of a kind that is text, in UTF-8.

        Raises:
            Unreadable: it cannot be parsed; the message is the reason to set it aside.
            Passing: the same, but another run may be luckier.
            BurnishError: no process can be started, or a library is missing.
        """
        process = self._take()
        found = process.ask(kind, content)
        if isinstance(found, End) and not found.is_certain:
            # what an earlier page left, or somebody else, may be to blame
            process = Process(self._limits)
            found = process.ask(kind, content)
        if isinstance(found, End):
            raise (Passing if found.may_pass else Unreadable)(found.reason)
        with self._lock:
            self._idle.append(process)
        if "missing" in found:
            raise BurnishError(
                f"Files of kind {kind} cannot be parsed: {found['missing']}. Install Burnish with "
                "all it requires (`pip install -e .`)."
            )
        if "problem" in found:
            raise Unreadable(found["problem"])
        sections = tuple(Section(*parts) for parts in found["sections"])
        return Parsed(found["title"], sections, bound_lost(found["lost"]))

    def _take(self) -> Process:
        with self._lock:
            while self._idle:
                process = self._idle.pop()
                if process.is_ours():
                    return process
        return Process(self._limits)
