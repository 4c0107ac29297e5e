"""Queries by a chat model behind any OpenAI-compatible endpoint."""

import contextlib
from collections import Counter
from collections.abc import Callable, Coroutine, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any, Literal

import pyarrow as pa
from pydantic import ConfigDict, Field, field_validator

from ..config import Config
from ..contracts import BurnishError
from ..core.reading import Passage
from ..core.splits import digest
from . import Made
from .answers import read_answer
from .chat import Chat
from .concurrently import run_concurrently
from .examples import EXAMPLES
from .kept_answers import KeptAnswers
from .prompts import Message, messages

OUTAGE = 5  # failures in a row, or two rounds of all calls if that is more


class Example(Config):
    """A passage and queries of the kind wanted for it."""

    passage: str
    """A passage as it might stand in the corpus."""
    queries: tuple[str, ...] = Field(min_length=1)
    """Queries a person might have found it with."""


class EndpointConfig(Config):
    """Which chat endpoint is asked for queries, and how.

    The key is read from the environment alone and never written down.
    """

    # An address with a password in it must not be shown with the error that refuses it.
    model_config = ConfigDict(hide_input_in_errors=True)

    base_url: str = Field(default="", pattern=r"^(https?://[^@?#\s]+)?$")
    """Address of the API, as in `http://localhost:8000/v1`; documents are sent there."""
    model: str = ""
    """Name of the model at that address."""
    api_key_variable: str = Field(default="OPENAI_API_KEY", pattern=r"^[A-Za-z_][A-Za-z0-9_]*$")
    """Environment variable that holds the key; endpoints without one need not have it."""
    examples: tuple[Example, ...] = tuple(
        Example(passage=passage, queries=queries) for passage, queries in EXAMPLES
    )
    """Passages with queries, shown to the model before it is asked; some of your own are best."""
    max_passages: int = Field(default=10_000, ge=1)
    """Most passages asked about, drawn by hash: the bound on the bill."""
    temperature: float | None = Field(default=0.7, ge=0, le=2)
    """Spread of the answers; nothing is sent if none, for models that take no temperature."""
    seed: int | None = 0
    """Sent with every request; nothing is sent if none, for endpoints that take no seed."""
    max_answer_tokens: int = Field(default=1024, ge=16)
    """Most tokens of one answer, thoughts included."""
    answer_limit: Literal["max_tokens", "max_completion_tokens"] = "max_tokens"
    """What the endpoint calls that limit; newer OpenAI models want `max_completion_tokens`."""
    concurrency: int = Field(default=8, ge=1, le=256)
    """Most requests under way at once."""
    max_retries: int = Field(default=6, ge=0, le=20)
    """Tries after the first, with growing pauses or those the endpoint asks for."""
    timeout_seconds: float = Field(default=60, gt=0)
    """Longest wait for one answer."""
    max_failed_share: float = Field(default=0.1, ge=0, le=1)
    """Share of the passages that may stay without a usable answer."""

    @field_validator("base_url", "model")
    @classmethod
    def _trimmed(cls, value: str) -> str:
        return value.strip().rstrip("/")


@dataclass
class _Asked:
    """What came of the requests so far."""

    answers: dict[str, str] = field(default_factory=dict)
    failures: dict[str, str] = field(default_factory=dict)
    last_error: BaseException | None = None
    failed_in_a_row: int = 0


@dataclass(frozen=True)
class Endpoint:
    """Asks a chat model once per passage, and never again for one it has answered."""

    config: EndpointConfig
    root: Path
    count: int
    name: str = "endpoint"

    def __post_init__(self) -> None:
        missing = [name for name in ("base_url", "model") if not getattr(self.config, name)]
        if missing:
            raise BurnishError(
                f"The generator is `endpoint`, but its {' and '.join(missing)} is not set. Say "
                "which API and model to ask, or use the generator `structure`, which needs none."
            )

    def settings(self) -> dict[str, Any]:
        """Tell all that decides an answer but the passage; the key is not part of it."""
        return {
            "base_url": self.config.base_url,
            "messages": self._messages("")[:-1],
            "model": self.config.model,
            "temperature": self.config.temperature,
            "seed": self.config.seed,
            "max_answer_tokens": self.config.max_answer_tokens,
        }

    def generate(
        self, passages: Sequence[Passage], advance: Callable[[int], object]
    ) -> Sequence[Made]:
        """Ask for queries for each passage, in order.

        Raises:
            BurnishError: the endpoint refuses or stays silent, or more answers than may be are
                unusable. What it answered until then is kept.
        """
        memo = KeptAnswers(self.root, "answers", self.settings(), pa.string())
        texts = {digest(passage.composed): passage.composed for passage in passages}
        answers = memo.find(list(texts))
        missing = {key: text for key, text in texts.items() if key not in answers}
        advance(len(passages) - len(missing))
        asked = self._ask_all(missing, memo, advance)
        answers |= asked.answers
        made = {
            key: Made((), (asked.failures[key],))
            if key in asked.failures
            else read_answer(answers[key], text, self.count)
            for key, text in texts.items()
        }
        failed = [each.reasons[0] for each in made.values() if not each.queries]
        if len(failed) > self.config.max_failed_share * len(made):
            often = Counter(failed).most_common(1)[0][0]
            what = f"{len(failed)} of {len(made)} passages got no usable answer: {often}"
            raise self._error(what, asked)
        return [made[digest(passage.composed)] for passage in passages]

    def _ask_all(
        self, missing: Mapping[str, str], memo: KeptAnswers, advance: Callable[[int], object]
    ) -> _Asked:
        """Ask about every passage that has no answer yet, and keep answers as they come."""
        asked = _Asked()
        if not missing:
            return asked

        client = self._chat.connect()

        def ask(key: str) -> Coroutine[Any, Any, str]:
            return self._chat.ask(client, self._messages(missing[key]))

        calls = run_concurrently(
            ask, missing, concurrency=self.config.concurrency, close=client.close
        )
        with memo.keeping() as keep, contextlib.closing(calls):
            for key, future in calls:
                error = future.exception()
                if error is None:
                    asked.answers[key] = future.result()
                    is_usable = bool(read_answer(future.result(), missing[key], self.count).queries)
                    if is_usable:  # what an endpoint in trouble says is asked for again
                        keep(key, future.result())
                else:
                    asked.failures[key] = f"endpoint failed: {self._chat.describe(error)}"
                    is_usable = False
                asked.last_error = error or asked.last_error
                asked.failed_in_a_row = 0 if is_usable else asked.failed_in_a_row + 1
                advance(1)
                self._stop_if_hopeless(asked, error)
        return asked

    def _stop_if_hopeless(self, asked: _Asked, error: BaseException | None) -> None:
        if error is not None and self._chat.is_final(error):
            raise self._error(self._chat.describe(error), asked) from None
        if asked.failed_in_a_row >= max(OUTAGE, 2 * self.config.concurrency):
            last = self._chat.describe(error) if error else "answers that hold no queries"
            what = f"{asked.failed_in_a_row} requests in a row failed, the last with: {last}"
            raise self._error(what, asked)

    def _error(self, what: str, asked: _Asked) -> BurnishError:
        config = self.config
        return BurnishError(
            f"The endpoint {config.base_url} (model {config.model}) gives no queries: {what}. "
            f"{self._chat.advise(asked.last_error)} The {len(asked.answers)} answers of this run "
            "are kept; the next run goes on from them."
        )

    def _messages(self, text: str) -> list[Message]:
        examples = [(example.passage, example.queries) for example in self.config.examples]
        return messages(text, examples, self.count)

    @cached_property
    def _chat(self) -> Chat:
        config = self.config
        request = {
            "model": config.model,
            "temperature": config.temperature,
            "seed": config.seed,
            config.answer_limit: config.max_answer_tokens,
        }
        return Chat(
            base_url=config.base_url,
            key_variable=config.api_key_variable,
            timeout_seconds=config.timeout_seconds,
            max_retries=config.max_retries,
            request={name: value for name, value in request.items() if value is not None},
        )
