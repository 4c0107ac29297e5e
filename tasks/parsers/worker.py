"""The process that parses: `python -m tasks.parsers.worker`, started by `isolation` alone."""

import contextlib
import json
import os
import re
import resource
import signal
import sys
from multiprocessing.connection import Connection

from .kinds import parse
from .lost import bound_lost
from .reasons import Unreadable

READY = b"ready"
MEMORY_SPENT = 12  # how the process ends when a page takes more memory than it may
IDLE_SECONDS = 20  # after which it ends, so that none outlives the parsing by much

# What is no text, and what no encoding of text can hold. Form feeds are ends of pages.
_CONTROLS = re.compile(r"[\x00-\x08\x0b\x0e-\x1f\x7f\ufdd0-\ufdef\ufffe\uffff]")
_SURROGATES = re.compile(r"[\ud800-\udfff]")


def main() -> None:
    """Answer pages, one at a time, until no more come."""
    number, seconds, memory_bytes, text_characters = map(int, sys.argv[1:])
    connection = Connection(number)
    _confine(memory_bytes)
    connection.send_bytes(READY)
    with contextlib.suppress(EOFError, OSError):  # the other side is gone: nothing is left to do
        try:
            while connection.poll(IDLE_SECONDS):
                kind, content = connection.recv_bytes().decode(), connection.recv_bytes()
                _allow(seconds)
                connection.send_bytes(_answer(kind, content, text_characters))
        except MemoryError:  # to receive a page may take too much already
            os._exit(MEMORY_SPENT)


def _confine(memory_bytes: int) -> None:
    """Take from this process what no parser needs: much memory, and files to write to."""
    signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    limits = {
        resource.RLIMIT_AS: memory_bytes,
        resource.RLIMIT_FSIZE: 0,
        resource.RLIMIT_CORE: 0,
    }
    for name, limit in limits.items():
        with contextlib.suppress(ValueError, OSError):  # not every system knows every limit
            resource.setrlimit(name, (limit, limit))


def _allow(seconds: int) -> None:
    """Let the system end this process after so many more seconds of processor time."""
    usage = resource.getrusage(resource.RUSAGE_SELF)
    _, most = resource.getrlimit(resource.RLIMIT_CPU)
    limit = int(usage.ru_utime + usage.ru_stime) + 1 + seconds
    resource.setrlimit(resource.RLIMIT_CPU, (limit, most))


def _answer(kind: str, content: bytes, text_characters: int) -> bytes:
    try:
        title, sections, lost = parse(kind, content)
    except MemoryError:
        raise
    except ModuleNotFoundError as error:
        found: dict[str, object] = {"missing": str(error)}
    except Unreadable as error:
        found = {"problem": _line(str(error))}
    except Exception as error:  # noqa: BLE001 - a parser's fault with one file must not end the run
        found = {"problem": _line(f"cannot be parsed: {type(error).__name__}: {error}")}
    else:
        size = sum(len(section.text) + len(section.heading) for section in sections)
        if size > text_characters:
            return _dump({"problem": f"too long: {size:,} characters of text"})
        parts = [[_clean(part) for part in vars(section).values()] for section in sections]
        shown = [part for part in parts if part[1].strip()]
        found = {"title": _line(_clean(title)), "sections": shown, "lost": bound_lost(lost)}
    return _dump(found)


def _dump(found: dict[str, object]) -> bytes:
    return json.dumps(found, ensure_ascii=False).encode()


def _clean(text: str) -> str:
    """Drop what is no text; lines stay where they are."""
    if _SURROGATES.search(text):  # pairs of halves become characters, single halves a question mark
        text = text.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
    return _CONTROLS.sub("", text)


def _line(text: str) -> str:
    """Make one short line of a message or a title."""
    return " ".join(_clean(text).split())[:300]


if __name__ == "__main__":
    main()
