"""A chat endpoint: one request, and what to tell a person when it fails."""

import os
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from .prompts import Message

if TYPE_CHECKING:
    from openai import AsyncOpenAI

MAX_DETAIL = 300  # characters of what an endpoint says about an error


@dataclass(frozen=True)
class Chat:
    """An OpenAI-compatible API.

    The key is looked up when a request is made and taken out of all that comes back.
    """

    base_url: str
    key_variable: str
    timeout_seconds: float
    max_retries: int
    request: dict[str, Any]
    """What every request holds beside the messages."""

    def connect(self) -> "AsyncOpenAI":
        """Make a client: it retries with growing pauses, or those the endpoint asks for."""
        from openai import AsyncOpenAI

        return AsyncOpenAI(
            base_url=self.base_url,
            api_key=self._key or "none",
            timeout=self.timeout_seconds,
            max_retries=self.max_retries,
        )

    async def ask(self, client: "AsyncOpenAI", messages: Sequence[Message]) -> str:
        """Ask once; an answer without text is empty."""
        reply = await client.chat.completions.create(
            messages=messages,  # type: ignore[arg-type]
            **self.request,
        )
        choices = getattr(reply, "choices", None) or []
        content = choices[0].message.content if choices and choices[0].message else ""
        return self._without_key(content if isinstance(content, str) else "")

    def describe(self, error: BaseException) -> str:
        """Say on one line what went wrong."""
        from openai import APIConnectionError, APIStatusError, APITimeoutError

        if isinstance(error, APITimeoutError):
            return f"no answer within {self.timeout_seconds:g} seconds"
        if isinstance(error, APIConnectionError):
            return f"cannot connect: {self._detail(error.__cause__ or error)}"
        if isinstance(error, APIStatusError):
            # A refusal of the key may show part of it.
            says = "" if error.status_code in (401, 403) else f": {self._detail(error.message)}"
            return f"status {error.status_code}{says}"
        return f"{type(error).__name__}: {self._detail(error)}"

    def advise(self, error: BaseException | None) -> str:
        """Say what a person can do about it."""
        from openai import APIConnectionError, APIStatusError

        status = error.status_code if isinstance(error, APIStatusError) else None
        if status in (401, 403):
            state = "holds a key it does not accept" if self._key else "is not set"
            return f"The environment variable {self.key_variable} {state}: put a valid key there."
        if status == 404:
            return "Check the model's name and the address, which usually ends in /v1."
        if status == 429:
            return "Lower concurrency, or raise max_retries or the quota."
        if status is not None and status < 500:
            return "Change the setting it objects to."
        if isinstance(error, APIConnectionError):
            return "Check that it runs and can be reached from here."
        return "Try again later, another model, or allow more with max_failed_share."

    @staticmethod
    def is_final(error: BaseException | None) -> bool:
        """Tell whether every other request would fail in the same way."""
        from openai import AuthenticationError, NotFoundError, PermissionDeniedError

        return isinstance(error, AuthenticationError | PermissionDeniedError | NotFoundError)

    @property
    def _key(self) -> str:
        return os.environ.get(self.key_variable, "").strip()

    def _detail(self, what: object) -> str:
        return self._without_key(" ".join(str(what).split()))[:MAX_DETAIL]

    def _without_key(self, text: str) -> str:
        return text.replace(self._key, "[key]") if self._key else text
