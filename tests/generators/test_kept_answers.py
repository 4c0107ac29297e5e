"""What was paid for is there again, whoever is killed and however a file ends."""

import os
import signal
import subprocess
import sys
import time
from collections import Counter
from pathlib import Path

import pytest

from tasks.contracts import BurnishError
from tasks.generators.budget import Usage
from tasks.generators.endpoint import Endpoint, EndpointConfig
from tasks.generators.kept_answers import KeptAnswers
from tests.generators.conftest import PASSAGES, Reply, Serve, queries_for, says, useful

CHILD = """
import sys
from pathlib import Path
from tasks.core.reading import Passage
from tasks.generators.endpoint import Endpoint, EndpointConfig
passages = [Passage(f"Pump {n}", "", f"Its {n} seals leak outdoors in winter.") for n in range(80)]
config = EndpointConfig(base_url=sys.argv[2], model="m", concurrency=4)
made = Endpoint(config, Path(sys.argv[1]), 2).generate(passages, lambda count: None)
sys.stdout.write(repr([[query.text for query in each.queries] for each in made]))
"""


def test_killed_again_and_again_nothing_answered_is_asked_twice(
    tmp_path: Path, serve: Serve
) -> None:
    def slow(text: str, number: int) -> Reply:
        time.sleep(0.02)
        return useful(text, number)

    server = serve(slow)
    command = [sys.executable, "-c", CHILD, str(tmp_path / "killed"), server.url]
    answered = 0
    for _ in range(2):
        child = subprocess.Popen(command, stdout=subprocess.DEVNULL)
        target = len(server.requests) + 16
        while len(server.requests) < target and child.poll() is None:
            time.sleep(0.005)
        os.kill(child.pid, signal.SIGKILL)
        child.wait()
        kept = list((tmp_path / "killed").rglob("*.jsonl"))
        lines = sum(file.read_bytes().count(b'"answer"') for file in kept)
        assert lines >= answered + 8  # every run went on from where the last was killed
        answered = lines
    ended = subprocess.run(command, capture_output=True, text=True, check=True)
    times = Counter(server.asked)
    assert len(times) == 80
    # Only what was under way at a kill, at most four requests each time, is asked again.
    assert sum(times.values()) <= 80 + 2 * 4
    assert ended.stdout == repr([queries_for(f"Pump {n}") for n in range(80)])


def test_what_was_lost_on_its_way_counts_with_the_most_it_can_cost(tmp_path: Path) -> None:
    kept = KeptAnswers(tmp_path, "answers", {})
    with kept.keeping() as journal:
        journal.asked("answered", Usage(100, 50))
        journal("answered", "yes", Usage(90, 5))
        journal.asked("refused", Usage(100, 50))
        journal.refused("refused")
        journal.asked("lost", Usage(100, 50))
        journal.asked("other", Usage(100, 50))
    assert kept.spent(["answered"]) == Usage(90, 5)
    assert kept.spent(["answered", "refused", "lost"]) == Usage(190, 55)
    assert kept.find(["answered", "refused", "lost"]) == {"answered": "yes"}
    with kept.keeping() as journal:  # asked again in another run: the lost one may still be billed
        journal.asked("lost", Usage(100, 50))
        journal("lost", "no", Usage(80, 1))
    assert kept.spent(["lost"]) == Usage(180, 51)


def test_a_line_that_was_cut_off_is_not_there(tmp_path: Path) -> None:
    kept = KeptAnswers(tmp_path, "answers", {})
    with kept.keeping() as journal:
        journal("a", "one\n\u2028 \ud800")
        journal("b", "two")
    (file,) = tmp_path.rglob("*.jsonl")
    whole = file.read_bytes()
    for size in range(len(whole)):
        file.write_bytes(whole[:size])
        found = kept.find(["a", "b"])
        assert found.items() <= {"a": "one\n\u2028 \ud800", "b": "two"}.items()
        assert len(found) == whole[: size + 1].count(b"\n")


def test_runs_side_by_side_write_files_of_their_own(tmp_path: Path) -> None:
    kept = KeptAnswers(tmp_path, "answers", {"model": "m"})
    with kept.keeping() as one, kept.keeping() as other:
        for number in range(50):
            one(f"one {number}", "1")
            other(f"other {number}", "2")
    keys = [f"{name} {number}" for name in ("one", "other") for number in range(50)]
    assert len(kept.find(keys)) == 100
    assert KeptAnswers(tmp_path, "answers", {"model": "n"}).find(keys) == {}
    assert KeptAnswers(tmp_path, "verdicts", {"model": "m"}).find(keys) == {}


def test_the_last_answer_counts(tmp_path: Path) -> None:
    kept = KeptAnswers(tmp_path, "answers", {})
    for answer in ("first", "second", "third"):
        with kept.keeping() as journal:
            journal("key", answer)
    assert kept.find(["key"]) == {"key": "third"}


def test_unusable_answers_stand_unless_they_are_too_many(tmp_path: Path, serve: Serve) -> None:
    def one_in(divisor: int) -> object:
        return lambda text, number: (
            says("no") if int(text.split()[1]) % divisor == 0 else useful(text, number)
        )

    def run(passages: int, **settings: object) -> Endpoint:
        config = EndpointConfig(base_url=server.url, model="m", **settings)
        generator = Endpoint(config, tmp_path, 2)
        generator.generate(PASSAGES[:passages], lambda count: None)
        return generator

    server = serve(one_in(6))  # 0 and 6
    run(12, max_failed_share=0.2)
    assert run(12, max_failed_share=0.2).work["known"] == 12
    assert len(server.requests) == 12
    with pytest.raises(BurnishError, match="2 of 12 requests got no usable answer"):
        run(12, max_failed_share=0.1)
    assert len(server.requests) == 14
    server.reply = useful
    assert run(12, max_failed_share=0.1).work["queried"] == 2
    assert run(12).work["known"] == 12
    assert len(server.requests) == 16


def test_a_disk_that_takes_nothing_more_ends_the_spending(tmp_path: Path, serve: Serve) -> None:
    server = serve(useful)
    limited = (
        "import resource, signal\n"
        "signal.signal(signal.SIGXFSZ, signal.SIG_IGN)\n"
        "resource.setrlimit(resource.RLIMIT_FSIZE, (20_000, 20_000))\n"
    )
    command = [sys.executable, "-c", limited + CHILD, str(tmp_path), server.url]
    ended = subprocess.run(command, capture_output=True, text=True)
    assert ended.returncode != 0 and "File too large" in ended.stderr
    assert 10 < len(server.requests) < 80
    command[2] = CHILD
    subprocess.run(command, stdout=subprocess.DEVNULL, check=True)
    assert len(server.requests) <= 80 + 4 + 1
