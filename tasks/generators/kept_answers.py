"""Answers that were paid for, kept the moment they come."""

import contextlib
import time
from collections.abc import Callable, Iterator, Sequence

import pyarrow as pa

from ..memo import Memo

KEEP_SECONDS = 1.0  # most that a kill can lose of what was answered


class KeptAnswers(Memo):
    """Answers by passage, kept as they come."""

    def find(self, keys: Sequence[str]) -> dict[str, str]:
        """Read the answers that are there."""
        known = self._read(set(keys))
        return {
            key: self._tables[part].column("value")[row].as_py()
            for key, (part, row) in known.items()
        }

    @contextlib.contextmanager
    def keeping(self) -> Iterator[Callable[[str, str], None]]:
        """Yield what keeps an answer: within a second, and however the work ends."""
        waiting: dict[str, str] = {}
        kept_at = time.monotonic()

        def write() -> None:
            nonlocal kept_at
            columns = {"key": list(waiting), "value": list(waiting.values())}
            self._append(pa.table(columns, schema=self._schema))
            waiting.clear()
            kept_at = time.monotonic()

        def keep(key: str, answer: str) -> None:
            waiting[key] = answer
            if time.monotonic() - kept_at > KEEP_SECONDS:
                write()

        try:
            yield keep
        finally:
            if waiting:
                write()
