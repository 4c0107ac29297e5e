"""An embedding API is scored as a system of its own; each text is asked for once, ever."""

import hashlib
import json
import threading
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from pydantic import ValidationError

from tasks.asked_vectors import AskedVectors
from tasks.contracts import BurnishError, Checkpoint, Corpus, Pairs
from tasks.core.encoder import Encoder
from tasks.endpoint import EmbeddingEndpointConfig, check_endpoint, identify_endpoint
from tasks.evaluate import EvaluateConfig, evaluate

KEY = "sk-very-secret-0123456789"
TEXTS = [f"text number {number} about ships" for number in range(20)]
Reply = tuple[int, dict[str, str], Any]


def vector(text: str, dimension: int = 16) -> list[float]:
    """Make up an embedding: words in common make texts alike; its length is not 1."""
    total = np.zeros(dimension)
    for word in text.lower().split():
        seed = int.from_bytes(hashlib.sha256(word.encode()).digest()[:4])
        total += np.random.default_rng(seed).normal(size=dimension)
    return [float(number) for number in total]


def embeds(body: dict[str, Any], number: int) -> Reply:
    dimension = body.get("dimensions", 16)
    data = [
        {"object": "embedding", "index": place, "embedding": vector(text, dimension)}
        for place, text in enumerate(body["input"])
    ]
    usage = {"prompt_tokens": 7, "total_tokens": 7}
    return 200, {}, {"object": "list", "model": "m", "data": data[::-1], "usage": usage}


class EmbeddingServer(ThreadingHTTPServer):
    """Answers requests for embeddings with `reply(body, number)`, and remembers what it saw."""

    daemon_threads = True

    def __init__(self, reply: Callable[[dict[str, Any], int], Reply]) -> None:
        self.reply = reply
        self.requests: list[dict[str, Any]] = []
        self.answered: list[str] = []
        self.keys: set[str | None] = set()
        self.lock = threading.Lock()
        super().__init__(("127.0.0.1", 0), _Handler)


class _Handler(BaseHTTPRequestHandler):
    server: EmbeddingServer

    def do_POST(self) -> None:
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        with self.server.lock:
            self.server.requests.append(body)
            self.server.keys.add(self.headers["Authorization"])
            status, headers, content = self.server.reply(body, len(self.server.requests))
            if status == 200:
                self.server.answered += body["input"]
        data = json.dumps(content).encode()
        self.send_response(status if self.path.endswith("/v1/embeddings") else 404)
        for name, value in {"Content-Type": "application/json", **headers}.items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)

    def log_message(self, format: str, *args: object) -> None:
        pass


Serve = Callable[[Callable[[dict[str, Any], int], Reply]], EmbeddingServer]


@pytest.fixture
def serve(monkeypatch: pytest.MonkeyPatch) -> Iterator[Serve]:
    monkeypatch.setenv("OPENAI_API_KEY", KEY)
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    servers = []

    def start(reply: Callable[[dict[str, Any], int], Reply] = embeds) -> EmbeddingServer:
        server = EmbeddingServer(reply)
        servers.append(server)
        monkeypatch.setenv("OPENAI_BASE_URL", f"http://127.0.0.1:{server.server_address[1]}/v1/")
        threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
        return server

    yield start
    for server in servers:
        server.shutdown()
        server.server_close()


def configure(**changes: object) -> EmbeddingEndpointConfig:
    settings = {"model": "their-model", "texts_per_request": 4, "concurrency": 3, "max_retries": 0}
    return EmbeddingEndpointConfig.model_validate(settings | changes)


def test_embeddings_come_in_order_in_batches_and_once(tmp_path: Path, serve: Serve) -> None:
    server = serve(embeds)
    found = AskedVectors(configure(), tmp_path).embed([*TEXTS, TEXTS[3], ""])
    assert np.allclose(np.linalg.norm(found, axis=1), 1, atol=1e-6)
    expected = np.array([vector(text) for text in [*TEXTS, TEXTS[3], "-"]])
    expected /= np.linalg.norm(expected, axis=1, keepdims=True)
    np.testing.assert_allclose(found, expected, atol=1e-6)
    assert sorted(server.answered) == sorted([*TEXTS, "-", "length"])
    assert max(len(request["input"]) for request in server.requests) == 4
    assert {request["model"] for request in server.requests} == {"their-model"}
    assert server.keys == {f"Bearer {KEY}"}
    again = AskedVectors(configure(), tmp_path).embed([*TEXTS[::-1], "one more"])
    assert np.array_equal(again[:20], found[19::-1])
    assert server.answered[-1] == "one more"
    assert len(server.answered) == 23


def test_interrupted_it_goes_on_and_asks_nothing_twice(tmp_path: Path, serve: Serve) -> None:
    def breaks(body: dict[str, Any], number: int) -> Reply:
        return embeds(body, number) if number != 4 else (400, {}, {"error": {"message": "gone"}})

    first = serve(breaks)
    with pytest.raises(BurnishError, match=r"no embeddings of their-model: status 400.*is kept"):
        AskedVectors(configure(), tmp_path).embed(TEXTS)
    assert 1 + 2 * 4 <= len(first.answered) < 1 + 5 * 4  # the other two were under way
    first.reply = embeds
    AskedVectors(configure(texts_per_request=3), tmp_path).embed(TEXTS)
    assert sorted(first.answered) == sorted([*TEXTS, "length"])


def test_a_passing_failure_is_tried_again(tmp_path: Path, serve: Serve) -> None:
    def stumbles(body: dict[str, Any], number: int) -> Reply:
        busy = 429, {"Retry-After-Ms": "10"}, {"error": {"message": "slow down"}}
        broken = 500, {}, {"error": {"message": "oops"}}
        return {2: busy, 3: broken}.get(number) or embeds(body, number)

    server = serve(stumbles)
    found = AskedVectors(configure(max_retries=1), tmp_path).embed(TEXTS[:4])
    assert found.shape == (4, 16)
    assert len(server.requests) == 4


@pytest.mark.parametrize(
    ("reply", "told"),
    [
        ((401, {}, {"error": {"message": "bad key"}}), "OPENAI_API_KEY holds a key it does not"),
        ((404, {}, {"error": {"message": "no such model"}}), "Check the model's name"),
        ((200, {}, {"object": "list", "data": []}), "no embeddings"),
        ((200, {}, {"data": [{"index": 0, "embedding": ["x"]}]}), "holds no embeddings"),
        ((200, {}, {"data": [{"index": 0, "embedding": []}] * 2}), "holds no 1 embeddings"),
        ((200, {}, ["what?"]), "no embeddings"),
    ],
)
def test_what_is_of_no_use_is_told_without_key_or_address(
    reply: Reply, told: str, tmp_path: Path, serve: Serve
) -> None:
    server = serve(lambda body, number: reply)
    with pytest.raises(BurnishError, match=told) as caught:
        check_endpoint(configure(), tmp_path)
    assert KEY not in str(caught.value)
    assert str(server.server_address[1]) not in str(caught.value)


def test_another_length_than_before_is_refused(tmp_path: Path, serve: Serve) -> None:
    server = serve(embeds)
    assert AskedVectors(configure(dimensions=8), tmp_path).embed(["gold"]).shape == (1, 8)
    assert {request["dimensions"] for request in server.requests} == {8}
    server.reply = lambda body, number: embeds(body | {"dimensions": 4}, number)
    with pytest.raises(BurnishError, match="4 numbers a text where it gave 8 before"):
        AskedVectors(configure(dimensions=8), tmp_path).embed(["silver"])


def test_secrets_in_texts_are_not_sent(tmp_path: Path, serve: Serve) -> None:
    server = serve(embeds)
    AskedVectors(configure(), tmp_path).embed(["write to jane.doe@example.com"])
    assert "jane" not in str(server.requests)
    AskedVectors(configure(mask_personal=False), tmp_path).embed(["write to jane.doe@example.com"])
    assert "jane.doe@example.com" in str(server.requests)


def test_a_model_cannot_be_called_as_a_system_of_ours() -> None:
    with pytest.raises(ValidationError, match="system of ours"):
        configure(model="base")


@pytest.fixture
def world(make_checkpoint: Callable[..., Checkpoint]) -> tuple[Checkpoint, Corpus, Pairs]:
    base = make_checkpoint()
    empty = dict.fromkeys(("title", "section", "source", "position"), "")
    passages = [
        {"passage_id": f"d{n}#0", "document_id": f"d{n}", "text": text, "cluster": f"d{n}#0"}
        for n, text in enumerate(TEXTS)
    ]
    corpus = Corpus.write(base.root, [row | empty for row in passages])
    pairs = [
        {"query_id": f"human:{n}", "query": f"what of number {n}", "passage_id": f"d{n}#0",
         "relevance": 1, "origin": "human", "split": "test", "masked": "", "weight": 1.0}
        for n in range(5)
    ]  # fmt: skip
    return base, corpus, Pairs.write(base.root, pairs)


def test_it_is_a_row_beside_ours_and_its_address_is_nowhere(
    world: tuple[Checkpoint, Corpus, Pairs], serve: Serve
) -> None:
    server, (base, corpus, pairs) = serve(embeds), world
    config = EvaluateConfig(resamples=100, endpoint=configure())
    scores = evaluate.fn(base, base, corpus, pairs, config)
    rows = {
        row["metric"]: row for row in scores.read().to_pylist() if row["system"] == "their-model"
    }
    assert set(rows) == {"ndcg@10", "recall@100", "mrr@10", "map@100"}
    cell = {(row["layer"], row["pooling"], row["dimension"], row["cost"]) for row in rows.values()}
    assert cell == {(0, "", 16, 0.0)}
    asked = np.array([vector(f"what of number {n}") for n in range(5)])
    found = np.array([vector(text) for text in TEXTS])
    cosines = asked @ (found / np.linalg.norm(found, axis=1, keepdims=True)).T
    ranks = [1 + int((cosines[n] > cosines[n, n]).sum()) for n in range(5)]
    expected = [1 / rank if rank <= 10 else 0.0 for rank in ranks]
    assert rows["mrr@10"]["values"] == pytest.approx(expected)
    told = len(server.requests)
    assert evaluate.fn(base, base, corpus, pairs, config).fingerprint == scores.fingerprint
    assert len(server.requests) == told
    written = b"".join(path.read_bytes() for path in base.root.rglob("*") if path.is_file())
    assert KEY.encode() not in written
    assert f"127.0.0.1:{server.server_address[1]}".encode() not in written


def test_another_server_is_another_argument(monkeypatch: pytest.MonkeyPatch) -> None:
    found = []
    for address in ("http://127.0.0.1:9/v1", "http://127.0.0.1:9/v1/", "http://127.0.0.1:10/v1"):
        monkeypatch.setenv("OPENAI_BASE_URL", address)
        found.append(identify_endpoint(configure()))
        assert identify_endpoint(EmbeddingEndpointConfig()) == ""
    assert found[0] == found[1] != found[2]
    assert "127" not in found[0]


def test_one_that_cannot_be_reached_is_told_before_anything_is_embedded(
    world: tuple[Checkpoint, Corpus, Pairs], serve: Serve, monkeypatch: pytest.MonkeyPatch
) -> None:
    serve(embeds)
    monkeypatch.setenv("OPENAI_BASE_URL", "http://127.0.0.1:9/v1")
    monkeypatch.delattr(Encoder, "encode_poolings")
    base, corpus, pairs = world
    config = EvaluateConfig(resamples=100, endpoint=configure())
    with pytest.raises(BurnishError, match=r"OPENAI_BASE_URL.*cannot connect.*Check that it runs"):
        evaluate.fn(base, base, corpus, pairs, config)
    monkeypatch.setenv("OPENAI_BASE_URL", "localhost:8000")
    with pytest.raises(BurnishError, match="does not begin with http"):
        check_endpoint(configure(), base.root)
    check_endpoint(EmbeddingEndpointConfig(), base.root)
