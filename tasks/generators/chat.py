"""A chat endpoint: one request, what to do about its failure, and what to tell a person."""

import os
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from .budget import Usage
from .prompts import Message
from .retry_after import retry_after

if TYPE_CHECKING:
    from openai import AsyncOpenAI

MAX_DETAIL = 300  # characters of what an endpoint says about an error
# Quotas do not come back by waiting; OpenAI and those that follow it say so with status 429 too.
EMPTY = ("insufficient_quota", "billing_hard_limit_reached", "credit_limit")


class OutOfPatience(Exception):
    """An endpoint is busy for longer than anybody waits; raised from what it answered last."""


@dataclass(frozen=True)
class Reply:
    """What an endpoint answered.

    Attributes:
        text: The answer, empty if it holds none.
        usage: Tokens it took, by the endpoint's own count; none if it does not count.
    """

    text: str
    usage: Usage | None


@dataclass(frozen=True)
class Chat:
    """An OpenAI-compatible API.

    The key is looked up when a request is made and taken out of all that comes back.
    """

    base_url: str
    key_variable: str
    timeout_seconds: float
    request: dict[str, Any]
    """What every request holds beside the messages."""

    def connect(self) -> "AsyncOpenAI":
        """Make a client that asks once: what is repeated and when is decided for all together."""
        from openai import AsyncOpenAI

        return AsyncOpenAI(
            base_url=self.base_url,
            api_key=self._key or "none",
            timeout=self.timeout_seconds,
            max_retries=0,
        )

    async def ask(self, client: "AsyncOpenAI", messages: Sequence[Message]) -> Reply:
        """Ask once."""
        reply = await client.chat.completions.create(
            messages=messages,  # type: ignore[arg-type]
            **self.request,
        )
        choices = getattr(reply, "choices", None) or []
        content = choices[0].message.content if choices and choices[0].message else ""
        text = self._without_key(content if isinstance(content, str) else "")
        return Reply(text, _usage(getattr(reply, "usage", None)))

    def describe(self, error: BaseException) -> str:
        """Say on one line what went wrong."""
        from openai import APIConnectionError, APIStatusError, APITimeoutError

        if isinstance(error, APITimeoutError):
            return f"no answer within {self.timeout_seconds:g} seconds"
        if isinstance(error, APIConnectionError):
            return f"cannot connect: {self._detail(error.__cause__ or error)}"
        if isinstance(error, APIStatusError):
            # A refusal of the key may show part of it.
            status = error.status_code
            message = error.message.removeprefix(f"Error code: {status} - ")
            says = "" if status in (401, 403) else f": {self._detail(message)}"
            return f"status {status}{says}"
        if isinstance(error, OutOfPatience):
            return str(error)
        return f"{type(error).__name__}: {self._detail(error)}"

    def advise(self, error: BaseException | None) -> str:
        """Say what a person can do about it."""
        from openai import APIConnectionError, APIStatusError

        if isinstance(error, OutOfPatience):
            error = error.__cause__
        status = error.status_code if isinstance(error, APIStatusError) else None
        if status in (401, 403):
            state = "holds a key it does not accept" if self._key else "is not set"
            return f"The environment variable {self.key_variable} {state}: put a valid key there."
        if status == 404:
            return "Check the model's name and the address, which usually ends in /v1."
        if status == 429:
            return (
                "Start the next run when it answers again, or wait longer for it with "
                "patience_seconds; set requests_per_minute to what it allows, or raise the quota."
            )
        if status is not None and status < 500:
            return "Change the setting it objects to."
        if isinstance(error, APIConnectionError):
            return "Check that it runs and can be reached from here."
        return "Try again later, another model, or allow more with max_failed_share."

    @staticmethod
    def is_final(error: BaseException | None) -> bool:
        """Tell whether every other request would fail in the same way."""
        from openai import (
            AuthenticationError,
            NotFoundError,
            PermissionDeniedError,
            RateLimitError,
        )

        if isinstance(error, OutOfPatience):
            return True
        if isinstance(error, RateLimitError):
            said = f"{error.code} {error.type} {error.message}"
            return any(word in said for word in EMPTY)
        return isinstance(error, AuthenticationError | PermissionDeniedError | NotFoundError)

    @staticmethod
    def pause(error: BaseException) -> tuple[bool, float | None]:
        """Tell whether an endpoint is busy, and the seconds it asks to be left alone."""
        from openai import APIStatusError

        if not isinstance(error, APIStatusError):
            return False, None
        seconds = retry_after(error.response.headers)
        # Too many requests, or overloaded and saying until when.
        is_busy = error.status_code == 429 or (error.status_code >= 500 and seconds is not None)
        return is_busy, seconds

    def tell_busy(self, error: BaseException) -> str:
        """Say how busy an endpoint is: the status, and the seconds it asks for, if any."""
        _, seconds = self.pause(error)
        asks = "" if seconds is None else f", asks for {seconds:.0f} s"
        return f"status {getattr(error, 'status_code', 'unknown')}{asks}"

    def lose_patience(
        self, error: BaseException, busy_seconds: float, patience_seconds: float
    ) -> OutOfPatience:
        """Make the error of who has waited for long enough, or would have to for too long."""
        waited = f", no answer for {busy_seconds:.0f} s" if busy_seconds >= 1 else ""
        patience = f"patience_seconds is {patience_seconds:g}"
        return OutOfPatience(f"{self.tell_busy(error)}{waited}, and {patience}")

    @staticmethod
    def is_passing(error: BaseException) -> bool:
        """Tell whether the same request may be answered if it is sent again."""
        from openai import APIConnectionError, APIStatusError

        if isinstance(error, APIStatusError):
            return error.status_code in (408, 409) or error.status_code >= 500
        return isinstance(error, APIConnectionError)

    @staticmethod
    def is_free(error: BaseException) -> bool:
        """Tell whether a failed request was surely not paid for: refused, or never sent."""
        from openai import APIConnectionError, APIStatusError, APITimeoutError

        if isinstance(error, APIStatusError):
            return True
        if isinstance(error, APIConnectionError) and not isinstance(error, APITimeoutError):
            return type(error.__cause__).__name__ == "ConnectError"
        return False

    @property
    def host(self) -> str:
        """Where it is, without what of the address may be a secret."""
        return urlsplit(self.base_url).netloc.rpartition("@")[2]

    @property
    def _key(self) -> str:
        return os.environ.get(self.key_variable, "").strip()

    def _detail(self, what: object) -> str:
        return self._without_key(" ".join(str(what).split()))[:MAX_DETAIL]

    def _without_key(self, text: str) -> str:
        return text.replace(self._key, "[key]") if self._key else text


def _usage(counts: object) -> Usage | None:
    """Read the endpoint's count; what is no count is none."""
    sent = getattr(counts, "prompt_tokens", None)
    made = getattr(counts, "completion_tokens", None)
    if not isinstance(sent, int) or not isinstance(made, int) or min(sent, made) < 0 or not sent:
        return None
    return Usage(sent, made)
