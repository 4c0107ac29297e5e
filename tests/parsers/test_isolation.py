"""Isolation: whatever a page does to the process that parses it, the page alone pays."""

import os
import signal
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

import tasks.parsers
from tasks.parsers.isolation import Workers
from tasks.parsers.kinds import BINARY, KINDS
from tasks.parsers.process import Limits, Process
from tasks.parsers.reasons import Passing, Unreadable
from tasks.sources import parse
from tasks.stage import _closure

SLOW = b"<p>" * 2_000_000  # many seconds
SMALL = b"# Guide\n\nText.\n"


@pytest.fixture(scope="module")
def workers() -> Workers:
    return Workers(Limits(seconds=1, memory_bytes=1 << 30))


def processes(workers: Workers) -> set[int]:
    return {process.identifier for process in workers._idle}


def test_a_process_serves_many_pages(workers: Workers) -> None:
    for number in range(5):
        title, (section,), _ = workers.parse(".md", b"# Guide %d\n\nText." % number)
        assert (title, section.text, section.position) == (f"Guide {number}", "Text.", "line 3")
    assert len(processes(workers)) == 1


def test_a_page_that_takes_too_long_costs_itself_alone(workers: Workers) -> None:
    with pytest.raises(Unreadable, match="^timed out: over 1 seconds of processor time"):
        workers.parse(".html", SLOW)
    assert workers.parse(".md", SMALL)[0] == "Guide"


def test_a_page_that_takes_too_much_memory_costs_itself_alone() -> None:
    workers = Workers(Limits(memory_bytes=100 << 20))
    with pytest.raises(Unreadable, match="^out of memory: over 100 MiB"):
        workers.parse(".txt", bytes(60 << 20))
    assert workers.parse(".md", SMALL)[0] == "Guide"


@pytest.mark.parametrize(
    ("number", "kind", "reason"),
    [
        (signal.SIGSEGV, Unreadable, "crashes the parser: SIGSEGV"),
        (signal.SIGTERM, Passing, "stopped from outside: SIGTERM"),
    ],
)
def test_a_crash_costs_the_page_alone(
    number: signal.Signals, kind: type[Exception], reason: str
) -> None:
    """A crash is rehearsed: the page hangs, and a signal comes as from a library in C."""
    workers = Workers(Limits(seconds=30 + number))
    met: set[int] = set()
    has_failed = threading.Event()

    def crash() -> None:
        while not has_failed.wait(0.1):
            idle = processes(workers)  # one that ends before it is given the page is replaced
            for process in {*children(b"\x00%d\x00" % (30 + number))} - idle:
                met.add(process)
                os.kill(process, number)

    thread = threading.Thread(target=crash)
    workers.parse(".md", SMALL)
    thread.start()
    with pytest.raises(kind, match=f"^{reason}") as failed:
        workers.parse(".html", SLOW)
    has_failed.set()
    thread.join()
    assert isinstance(failed.value, Passing) == (kind is Passing)
    assert len(met) == 2  # the page was given to a new process too
    assert workers.parse(".md", SMALL)[0] == "Guide"


def children(argument: bytes) -> list[int]:
    """Name the processes that wait for a page or parse one, with this among their arguments."""
    found = []
    for process in Path("/proc").glob("[0-9]*"):
        try:
            is_child = f"\nPPid:\t{os.getpid()}\n" in (process / "status").read_text()
            command = (process / "cmdline").read_bytes()
            spent = int((process / "stat").read_text().rpartition(")")[2].split()[11])
        except OSError:
            continue
        if is_child and b"tasks.parsers.worker" in command and argument in command and spent > 50:
            found.append(int(process.name))  # past its start, which must not fail
    return found


def test_a_process_that_ended_meanwhile_is_replaced(workers: Workers) -> None:
    workers.parse(".md", SMALL)
    for number in processes(workers):
        os.kill(number, signal.SIGKILL)  # it may notice only while it is asked
    assert workers.parse(".md", SMALL)[0] == "Guide"


def test_threads_have_processes_of_their_own() -> None:
    workers = Workers()
    with ThreadPoolExecutor(2) as threads:
        pages = [b"# Guide %d\n\nText." % number for number in range(40)]
        found = list(threads.map(lambda page: workers.parse(".md", page), pages))
    assert [page.title for page in found] == [f"Guide {number}" for number in range(40)]
    assert 1 <= len(processes(workers)) <= 2


def test_no_secret_of_this_process_is_there_to_be_read(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", "secret")
    workers = Workers()
    workers.parse(".md", SMALL)
    (number,) = processes(workers)
    assert b"secret" not in Path(f"/proc/{number}/environ").read_bytes()


def test_what_no_encoding_of_text_can_hold_does_not_come_back(workers: Workers) -> None:
    _, (section,), _ = workers.parse(".txt", "a\x00b\ufffec\x07\tlast\nline\n".encode())
    assert section.text == "abc\tlast\nline\n"
    _, (section,), _ = workers.parse(".html", b"<p>half &#xD83D; whole &#128512;")
    section.text.encode()


def test_what_is_told_as_lost_is_bounded(workers: Workers, monkeypatch: pytest.MonkeyPatch) -> None:
    rows = [["page 1", "x\ud800\n" + "y" * 1000], ["page 1\n", "x"], ["page", 2], "page 3", None]
    told = [*rows, *(["pages 4-5", "damaged page"] for _ in range(10_000))]
    for lost in (told, None, "page 1"):
        answer = {"title": "", "sections": [], "lost": lost}
        monkeypatch.setattr(Process, "ask", lambda *_, answer=answer: answer)
        found = workers.parse(".pdf", b"").lost
        wanted = [("page 1", "x" + "y" * 297), *[("pages 4-5", "damaged page")] * 45]
        assert list(found) == (wanted if lost is told else [])


def test_text_that_is_no_text_says_where(workers: Workers) -> None:
    with pytest.raises(Unreadable, match="^not UTF-8: byte 3; save it as UTF-8"):
        workers.parse(".md", b"abc\xff")


def test_a_page_without_a_title_keeps_the_one_it_has() -> None:
    assert parse.parse_page(".txt", b"Text.", "notes")[0] == "notes"
    assert parse.parse_page(".md", SMALL, "notes")[0] == "Guide"
    with pytest.raises(ValueError, match="^damaged PDF"):
        parse.parse_page(".pdf", b"", "notes")


def test_every_kind_has_its_parser(workers: Workers) -> None:
    for kind in sorted(KINDS - BINARY - {".ipynb"}):
        _, sections, _ = workers.parse(kind, b"some words of text\n")
        assert "some words of text" in " ".join(section.text for section in sections)


def test_a_change_of_any_parser_is_a_change_of_the_code_that_parses() -> None:
    modules = {
        f"tasks.parsers.{file.stem}" for file in Path(tasks.parsers.__path__[0]).glob("*.py")
    }
    modules -= {"tasks.parsers.__init__"}
    assert modules <= _closure(frozenset({"tasks.sources.parse"}))
