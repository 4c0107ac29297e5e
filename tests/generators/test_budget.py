"""Tokens and money: estimated, counted, and capped against a server that counts for itself."""

import asyncio
import json
import logging
import re
import threading
from pathlib import Path

import pytest
from pydantic import ValidationError

from tasks.contracts import BurnishError
from tasks.core.reading import Passage
from tasks.generators.budget import Budget, Limits, OverBudget, Usage, estimate_tokens
from tasks.generators.endpoint import Endpoint, EndpointConfig
from tests.generators.conftest import PASSAGES, Reply, Serve, queries_for, says, useful

MANY = [
    Passage(f"Pump {n}", "", f"Its {n} seals leak after a winter outdoors and must go.")
    for n in range(60)
]
PRICES = {"input_price_per_million": 2.0, "output_price_per_million": 8.0}


def endpoint(root: Path, url: str, **settings: object) -> Endpoint:
    config = EndpointConfig(
        base_url=url, model="m", **{"max_retries": 0, "max_answer_tokens": 100, **settings}
    )
    return Endpoint(config, root, count=2)


def generate(generator: Endpoint, passages: list[Passage] = MANY) -> None:
    generator.generate(passages, lambda count: None)


def costs(sent: int, made: int) -> object:
    return lambda text, number: says(json.dumps(queries_for(text)), (sent, made))


def test_the_endpoints_own_count_is_added_up_over_runs(tmp_path: Path, serve: Serve) -> None:
    server = serve(costs(700, 40))
    first = endpoint(tmp_path, server.url, **PRICES)
    generate(first, MANY[:10])
    assert first.work == {
        "queried": 10,
        "known": 0,
        "tokens_sent": 7000,
        "tokens_made": 400,
        "cost": pytest.approx((7000 * 2 + 400 * 8) / 1e6),
    }
    second = endpoint(tmp_path, server.url)
    generate(second, MANY[:15])
    assert second.work == {"queried": 5, "known": 10, "tokens_sent": 10_500, "tokens_made": 600}


def test_an_endpoint_that_does_not_count_is_counted_by_estimate(
    tmp_path: Path, serve: Serve
) -> None:
    server = serve(useful)
    generator = endpoint(tmp_path, server.url)
    generate(generator, MANY[:3])
    text = "".join(m["content"] for request in server.requests for m in request["messages"])
    assert generator.work["tokens_sent"] == pytest.approx(estimate_tokens(text), rel=0.1)
    made = sum(estimate_tokens(json.dumps(queries_for(p.composed))) for p in MANY[:3])
    assert generator.work["tokens_made"] == made


@pytest.mark.parametrize("cap", [{"max_tokens_total": 20_000}, {"max_cost": 0.05, **PRICES}])
def test_what_will_not_fit_is_refused_before_anything_is_sent(
    tmp_path: Path, serve: Serve, cap: dict[str, float]
) -> None:
    server = serve(useful)
    with pytest.raises(BurnishError, match="60 requests will take about .* Nothing was sent"):
        generate(endpoint(tmp_path, server.url, **cap))
    assert server.requests == []
    generate(endpoint(tmp_path, server.url, **cap), MANY[:6])
    assert len(server.requests) == 6


@pytest.mark.parametrize("concurrency", [1, 8])
@pytest.mark.parametrize(
    ("cap", "most"),
    [({"max_tokens_total": 100_000}, 100_000), ({"max_cost": 0.25, **PRICES}, 125_000)],
)
def test_the_cap_holds_whatever_the_endpoint_takes(
    tmp_path: Path, serve: Serve, concurrency: int, cap: dict[str, float], most: int
) -> None:
    server = serve(costs(4000, 0))  # several times the estimate
    settings = {**cap, "concurrency": concurrency}
    with pytest.raises(BurnishError, match="budget for queries is used up") as raised:
        generate(endpoint(tmp_path, server.url, **settings))
    paid = len(server.requests)
    assert most - 3 * 4000 < 4000 * paid <= most
    assert f"The {paid} answers that were paid for are kept" in str(raised.value)
    with pytest.raises(BurnishError, match="Nothing was sent"):
        generate(endpoint(tmp_path, server.url, **settings))
    assert len(server.requests) == paid
    generate(endpoint(tmp_path, server.url))
    assert sorted(server.asked) == sorted(passage.composed for passage in MANY)


def test_a_rate_that_will_not_fit_is_told_early(
    tmp_path: Path, serve: Serve, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    server = serve(costs(4000, 0))
    with pytest.raises(BurnishError, match="used up"):
        generate(endpoint(tmp_path, server.url, max_tokens_total=100_000))
    told = [record.getMessage() for record in caplog.records if record.name.endswith("bill")]
    assert told[0].startswith("queries: asking 60 times, about 48,656 tokens;")
    assert re.search(r"2\d answers took [89]\d,000 tokens; .* the 60 wanted do not fit", told[1])
    assert len(told) == 2


def test_a_refusal_costs_nothing_and_silence_costs_the_most(tmp_path: Path, serve: Serve) -> None:
    def refuses(text: str, number: int) -> Reply:
        if text.startswith("Machine 3\n"):
            return 400, {}, {"error": {"message": "too long"}}
        return says(json.dumps(queries_for(text)), (500, 20))

    server = serve(refuses)
    refused = endpoint(tmp_path, server.url)
    generate(refused, PASSAGES)
    assert refused.work["tokens_sent"] == 11 * 500

    def stays_silent(text: str, number: int) -> Reply:
        if text.startswith("Machine 3\n"):
            silence.wait(5)
        return says(json.dumps(queries_for(text)), (500, 20))

    silence = threading.Event()
    server.reply = stays_silent
    silent = endpoint(tmp_path, server.url, timeout_seconds=0.3)
    generate(silent, PASSAGES)
    silence.set()
    assert silent.work["tokens_sent"] > 11 * 500 + 400
    assert silent.work["tokens_made"] == 11 * 20 + 100


def test_money_cannot_be_capped_without_prices() -> None:
    with pytest.raises(ValidationError, match="max_cost needs input_price_per_million"):
        EndpointConfig(max_cost=1.0, input_price_per_million=1.0)


def test_requests_wait_for_room_and_give_up_without_any() -> None:
    async def run() -> list[str]:
        budget = Budget(Limits(max_tokens=250))
        first = await budget.reserve(Usage(50, 50))
        told = []

        async def later(name: str) -> None:
            try:
                reserved = await budget.reserve(Usage(50, 50))
            except OverBudget:
                told.append(f"{name} over")
            else:
                told.append(name)
                await asyncio.sleep(0)
                await budget.settle(reserved, Usage(50, 40), 50)

        tasks = [asyncio.create_task(later(name)) for name in "abc"]
        await asyncio.sleep(0.01)
        assert told == []  # the first goes alone
        await budget.settle(first, Usage(50, 10), 50)
        await asyncio.gather(*tasks)
        assert budget.spent.tokens <= 250
        return told

    assert asyncio.run(run()) == ["a", "b", "c over"]
