"""A real server on this machine that plays a chat API."""

import json
import threading
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest

from tasks.core.reading import Passage

KEY = "sk-very-secret-0123456789"
PASSAGES = [
    Passage(f"Machine {n}", "", f"Number {n} hums when its {n * 7} bolts are loose, so tighten it.")
    for n in range(12)
]
Reply = tuple[int, dict[str, str], Any]


def fenced(content: str) -> str:
    """Take the first text between two equal lines."""
    mark, _, rest = content.partition("\n")
    return rest.partition(f"\n{mark}")[0]


def queries_for(text: str) -> list[str]:
    title = text.splitlines()[0]
    return [f"noise from {title}", f"what to do when {title} vibrates"]


def says(content: str | None, usage: tuple[int, int] | None = None) -> Reply:
    message = {"role": "assistant", "content": content}
    choice = {"index": 0, "finish_reason": "stop", "message": message}
    reply = {"id": "1", "object": "chat.completion", "created": 0, "model": "m"}
    counts = {}
    if usage:
        counts = {"usage": dict(zip(("prompt_tokens", "completion_tokens"), usage, strict=True))}
    return 200, {}, {**reply, **counts, "choices": [choice]}


def useful(text: str, number: int) -> Reply:
    return says(json.dumps(queries_for(text)))


class ChatServer(ThreadingHTTPServer):
    """Answers chat requests with `reply(passage, number)`, and remembers what it saw."""

    daemon_threads = True
    request_queue_size = 64

    def __init__(self, reply: Callable[[str, int], Reply]) -> None:
        self.reply = reply
        self.requests: list[dict[str, Any]] = []
        self.keys: set[str | None] = set()
        self.most_at_once = self._at_once = 0
        self._lock = threading.Lock()
        super().__init__(("127.0.0.1", 0), _Handler)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_address[1]}/v1"

    @property
    def asked(self) -> list[str]:
        """What it was asked about, in order."""
        return [fenced(request["messages"][-1]["content"]) for request in self.requests]

    def answer(self, body: dict[str, Any], key: str | None) -> Reply:
        with self._lock:
            self.requests.append(body)
            self.keys.add(key)
            number = len(self.requests)
            self._at_once += 1
            self.most_at_once = max(self.most_at_once, self._at_once)
        try:
            return self.reply(fenced(body["messages"][-1]["content"]), number)
        finally:
            with self._lock:
                self._at_once -= 1


class _Handler(BaseHTTPRequestHandler):
    server: ChatServer

    def do_POST(self) -> None:
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        status, headers, content = self.server.answer(body, self.headers["Authorization"])
        if not isinstance(content, bytes):
            content = json.dumps(content).encode()
        try:
            self.send_response(status)
            for name, value in {"Content-Type": "application/json", **headers}.items():
                self.send_header(name, value)
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)
        except OSError:  # the asker was killed
            self.close_connection = True

    def log_message(self, format: str, *args: object) -> None:
        pass


Serve = Callable[[Callable[[str, int], Reply]], ChatServer]


@pytest.fixture
def serve(monkeypatch: pytest.MonkeyPatch) -> Iterator[Serve]:
    monkeypatch.setenv("OPENAI_API_KEY", KEY)
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    servers = []

    def start(reply: Callable[[str, int], Reply]) -> ChatServer:
        servers.append(ChatServer(reply))
        # Polled often, or every test would wait half a second for its server to end.
        threading.Thread(target=servers[-1].serve_forever, args=(0.01,), daemon=True).start()
        return servers[-1]

    yield start
    for server in servers:
        server.shutdown()
        server.server_close()
