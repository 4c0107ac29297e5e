"""The pace of requests, on a clock that the test moves."""

import asyncio
import json
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from pathlib import Path

import pytest

from flows.outcome import name_failure
from tasks.connection import is_broken
from tasks.contracts import BurnishError
from tasks.generators.endpoint import Endpoint, EndpointConfig
from tasks.generators.pace import Pace
from tasks.generators.retry_after import retry_after
from tests.generators.conftest import PASSAGES, Reply, Serve, useful


class Clock:
    """Time that passes only while everybody sleeps."""

    def __init__(self, runner: asyncio.Runner) -> None:
        self.now = 1000.0
        self.run = runner.run

    def time(self) -> float:
        return self.now

    async def sleep(self, seconds: float) -> None:
        until = self.now + seconds
        while self.now < until:
            await asyncio.sleep(0)
            self.now = min(self.now + 0.05, until)


@pytest.fixture
def clock() -> Iterator[Clock]:
    with asyncio.Runner() as runner:
        yield Clock(runner)


def starts(pace: Pace, clock: Clock, tokens: list[int]) -> list[float]:
    times: list[float] = []

    async def one(number: int) -> None:
        await pace.turn(number)
        times.append(clock.now)

    async def run() -> None:
        await asyncio.gather(*(one(number) for number in tokens))

    clock.run(run())
    return times


def test_no_minute_has_more_requests_than_allowed(clock: Clock) -> None:
    pace = Pace(requests_per_minute=30, clock=clock.time, sleep=clock.sleep)
    times = starts(pace, clock, [1] * 90)
    assert max(sum(t <= other < t + 59.9 for other in times) for t in times) == 30
    assert times[-1] - times[0] == pytest.approx(178, abs=1)


def test_no_minute_has_more_tokens_than_allowed(clock: Clock) -> None:
    pace = Pace(tokens_per_minute=6000, clock=clock.time, sleep=clock.sleep)
    tokens = [500, 100, 1000, 400, 900, 100] * 5
    times = starts(pace, clock, tokens)
    at = list(zip(times, tokens, strict=True))
    most = max(sum(n for other, n in at if t <= other < t + 60) for t in times)
    assert 5000 < most <= 6000 + max(tokens)


def test_what_an_answer_took_moves_the_next_turn(clock: Clock) -> None:
    pace = Pace(tokens_per_minute=60, clock=clock.time, sleep=clock.sleep)
    starts(pace, clock, [10])
    pace.answered(10, 30)
    assert starts(pace, clock, [10])[0] == pytest.approx(1030)
    pace.answered(10, 4)
    assert starts(pace, clock, [10])[0] == pytest.approx(1034)


def test_all_wait_when_one_is_told_to_and_then_go_one_by_one(clock: Clock) -> None:
    pace = Pace(clock=clock.time, sleep=clock.sleep)
    started = starts(pace, clock, [1] * 8)
    assert started == [1000.0] * 8
    clock.now += 1
    for at in started:  # eight under way together are refused once
        assert pace.busy(at, 20.0)
    later = starts(pace, clock, [1] * 3)
    assert later == pytest.approx([1021, 1021.5, 1022])
    assert pace.busy(later[2], None)  # busy again: twice as slow
    assert starts(pace, clock, [1] * 2) == pytest.approx([1023, 1024])
    for _ in range(60):
        pace.answered(1, 1)
    clock.now += 10
    assert len(set(starts(pace, clock, [1] * 5))) == 1


def test_patience_ends(clock: Clock) -> None:
    pace = Pace(patience_seconds=30, clock=clock.time, sleep=clock.sleep)
    assert pace.busy(1000, 25)
    clock.now += 25
    assert not pace.busy(1025, 25)
    pace.answered(1, 1)
    assert pace.busy(1025, 25)
    assert not Pace(patience_seconds=30).busy(0, 3600)


def test_being_busy_is_told_at_once_and_then_every_minute(clock: Clock) -> None:
    pace = Pace(clock=clock.time, sleep=clock.sleep)
    told = []
    for _ in range(300):
        pace.busy(clock.now, 1.0)
        if pace.is_due_to_tell():
            told.append(pace.busy_seconds)
        clock.now += 1
    assert told == pytest.approx([0, 60, 120, 180, 240])
    pace.answered(1, 1)
    assert pace.busy_seconds == 0


def test_an_endpoints_own_limit_is_found_with_few_refusals(clock: Clock) -> None:
    pace = Pace(clock=clock.time, sleep=clock.sleep)
    answered, refused = 0, 0
    allowance, filled_at = 4.0, clock.now

    async def caller(requests: int) -> None:
        nonlocal answered, refused, allowance, filled_at
        for _ in range(requests):
            while True:
                started = await pace.turn(1)
                await clock.sleep(0.3)
                allowance = min(allowance + 2 * (clock.now - filled_at), 4)  # two a second
                filled_at = clock.now
                if allowance >= 1:
                    allowance -= 1
                    pace.answered(1, 1)
                    answered += 1
                    break
                refused += 1
                assert pace.busy(started, None)

    async def run() -> None:
        await asyncio.gather(*(caller(10) for _ in range(16)))

    clock.run(run())
    assert answered == 160
    assert refused < 60  # sixteen callers that ask by themselves are refused most of the time
    assert clock.now - 1000 < 2 * 160 / 2


def test_a_storm_of_refusals_is_weathered(tmp_path: Path, serve: Serve) -> None:
    def stormy(text: str, number: int) -> Reply:
        if number <= 6:
            return 429, {"Retry-After-Ms": "1"}, {"error": {"message": "slow down"}}
        return useful(text, number)

    server = serve(stormy)
    config = EndpointConfig(base_url=server.url, model="m", max_retries=0, concurrency=6)
    made = Endpoint(config, tmp_path, 2).generate(PASSAGES[:6], lambda count: None)
    assert all(len(each.queries) == 2 for each in made)
    assert len(server.requests) == 12


@pytest.mark.parametrize("asks", ["3600", "Fri, 31 Dec 2100 23:59:59 GMT"])
def test_who_asks_for_hours_gets_no_wait(tmp_path: Path, serve: Serve, asks: str) -> None:
    server = serve(lambda text, number: (429, {"Retry-After": asks}, {"error": {"message": "x"}}))
    config = EndpointConfig(base_url=server.url, model="m", concurrency=1)
    with pytest.raises(BurnishError, match="requests_per_minute"):
        Endpoint(config, tmp_path, 2).generate(PASSAGES, lambda count: None)
    assert len(server.requests) == 1  # what asks to be left alone is left alone


@pytest.mark.parametrize("asks", [{"Retry-After": "3600"}, {}])
def test_who_is_busy_for_too_long_fails_the_run_and_the_next_goes_on(
    tmp_path: Path, serve: Serve, caplog: pytest.LogCaptureFixture, asks: dict[str, str]
) -> None:
    def busy_after_ten(text: str, number: int) -> Reply:
        is_busy = number > 10  # with two passages left, fewer than may fail
        return (429, asks, {"error": {"message": "x"}}) if is_busy else useful(text, number)

    server = serve(busy_after_ten)
    config = EndpointConfig(
        base_url=server.url, model="m", concurrency=1, patience_seconds=1.2, max_failed_share=0.5
    )
    with pytest.raises(BurnishError) as caught:
        Endpoint(config, tmp_path, 2).generate(PASSAGES, lambda count: None)
    told = str(caught.value)
    host = server.url.removeprefix("http://").removesuffix("/v1")
    assert told.startswith(f"No queries from {host}: status 429, ")
    assert "patience_seconds is 1.2" in told and "the 10 answers of this run are kept" in told
    assert ("asks for 3600 s" in told) == bool(asks)
    assert not is_broken(caught.value)  # Prefect does not wait as long once more
    name = name_failure(caught.value)
    assert host in name and "429" in name
    waits = [line for line in caplog.messages if "is busy: status 429" in line]
    assert len(waits) == (0 if asks else 1)  # a wait is told, once a minute
    refused = len(server.requests)
    server.reply = useful
    made = Endpoint(config, tmp_path, 2).generate(PASSAGES, lambda count: None)
    assert len(server.requests) == refused + 2
    assert all(len(each.queries) == 2 for each in made)


def test_an_empty_purse_is_not_waited_for(tmp_path: Path, serve: Serve) -> None:
    error = {"message": "You exceeded your quota", "code": "insufficient_quota", "type": "x"}
    server = serve(lambda text, number: (429, {"Retry-After": "1"}, {"error": error}))
    config = EndpointConfig(base_url=server.url, model="m", concurrency=1)
    with pytest.raises(BurnishError, match="exceeded your quota"):
        Endpoint(config, tmp_path, 2).generate(PASSAGES, lambda count: None)
    assert len(server.requests) == 1


def test_other_failures_are_tried_again_a_few_times(tmp_path: Path, serve: Serve) -> None:
    def fails_twice(text: str, number: int) -> Reply:
        return useful(text, number) if number == 3 else (500, {}, {"error": {"message": "x"}})

    server = serve(fails_twice)
    config = EndpointConfig(base_url=server.url, model="m", max_retries=2)
    (made,) = Endpoint(config, tmp_path, 2).generate(PASSAGES[:1], lambda count: None)
    assert len(made.queries) == 2
    assert len(server.requests) == 3
    assert json.dumps(server.requests[0]) == json.dumps(server.requests[2])


def test_when_to_ask_again_is_read_in_every_form() -> None:
    now = datetime(2030, 5, 1, 12, 0, tzinfo=UTC)
    date = format_datetime(now + timedelta(seconds=90), usegmt=True)
    read = [
        retry_after({"retry-after": value}, now)
        for value in ("2", " 0.5 ", date, "-3", "", "soon", "nan", "inf", "1e999")
    ]
    assert read == [2.0, 0.5, 90.0, 0.0, None, None, None, None, None]
    assert retry_after({"retry-after-ms": "1500", "retry-after": "9"}, now) == 1.5
    assert retry_after({}, now) is None
