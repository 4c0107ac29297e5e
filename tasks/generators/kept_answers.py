"""Answers that were paid for, kept the moment they come, with what they cost."""

import contextlib
import json
import os
import time
import uuid
from collections import defaultdict
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from ..contracts import fingerprint, writable
from .budget import Usage

SYNC_SECONDS = 1.0  # most that a machine without power loses; a killed process loses nothing


class KeptAnswers:
    """Answers by key: lines appended to a journal of this process, each before the next is asked.

    What is about to be asked is written down too: a request whose answer never came, because the
    process was killed, may have been paid for and counts with the most it can have cost.
    """

    def __init__(self, root: Path, name: str, settings: dict[str, Any]) -> None:
        """Open what was answered under these settings.

        Args:
            root: Folder of all nouns.
            name: What is kept: `answers`, `verdicts`.
            settings: Everything but the key that decides an answer; anything JSON can hold.
        """
        self._root = root
        self._folder = root / "memo" / name / fingerprint(name, settings)
        self._settings = settings

    def find(self, keys: Sequence[str]) -> dict[str, str]:
        """Read the answers that are there; of several to one key, the last."""
        lines = self._read(frozenset(keys))
        found = sorted((line["at"], line["key"], line["answer"]) for line in lines if "at" in line)
        return {key: answer for _, key, answer in found}

    def spent(self, keys: Sequence[str]) -> Usage:
        """Add up what asking about these keys has cost, lost answers included at their most."""
        total = Usage()
        waiting: dict[str, list[Usage]] = defaultdict(list)
        for line in self._read(frozenset(keys)):
            usage = Usage(line.get("sent", 0), line.get("made", 0))
            if "asked" in line:
                waiting[line["key"]].append(usage)
            else:
                total += usage
                waiting[line["key"]][-1:] = []
        return sum((usage for lost in waiting.values() for usage in lost), total)

    @contextlib.contextmanager
    def keeping(self) -> Iterator["Journal"]:
        """Yield what keeps answers, each at once, and however the work ends."""
        journal = Journal(self._root, self._folder, self._settings)
        try:
            yield journal
        finally:
            journal.close()

    def _read(self, keys: frozenset[str]) -> Iterator[dict[str, Any]]:
        """Yield the lines about these keys; of one that was cut off, nothing is known."""
        for file in sorted(self._folder.glob("*.jsonl")):
            with file.open("rb") as stream:
                for text in stream:
                    with contextlib.suppress(ValueError):
                        line = json.loads(text)
                        if line["key"] in keys:
                            yield line


class Journal:
    """A file of one process that only grows; `journal(key, answer)` keeps an answer."""

    def __init__(self, root: Path, folder: Path, settings: dict[str, Any]) -> None:
        self._root = root
        self._folder = folder
        self._settings = settings
        self._file: int | None = None
        self._synced_at = time.monotonic()

    def __call__(self, key: str, answer: str, usage: Usage | None = None) -> None:
        """Keep an answer and what it cost."""
        usage = usage or Usage()
        line = {"key": key, "answer": answer, "sent": usage.sent, "made": usage.made}
        self._write({**line, "at": time.time()})

    def asked(self, key: str, most: Usage) -> None:
        """Write down that something is about to be asked, and what it costs at most."""
        self._write({"key": key, "asked": True, "sent": most.sent, "made": most.made})

    def refused(self, key: str) -> None:
        """Write down that what was asked last about a key was refused and cost nothing."""
        self._write({"key": key})

    def close(self) -> None:
        """Put all of it on the disk."""
        if self._file is not None:
            os.fsync(self._file)
            os.close(self._file)
            self._file = None

    def _write(self, line: dict[str, Any]) -> None:
        data = json.dumps(line).encode() + b"\n"
        with writable(self._root):
            if self._file is None:
                self._file = self._open()
            # One call, unbuffered: once it returns, no kill takes the line back.
            if os.write(self._file, data) < len(data):
                os.write(self._file, b"\n")  # raises what stopped it, or ends the cut line
            if time.monotonic() - self._synced_at > SYNC_SECONDS:
                os.fsync(self._file)
                self._synced_at = time.monotonic()

    def _open(self) -> int:
        self._folder.mkdir(parents=True, exist_ok=True)
        settings = self._folder / "settings.json"
        if not settings.exists():
            settings.write_text(json.dumps(self._settings, indent=2, sort_keys=True))
        name = self._folder / f"{uuid.uuid4().hex}.jsonl"
        return os.open(name, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o644)
