"""Which chat endpoint is asked, how fast, and for how much."""

from typing import Any, Literal, Self

from pydantic import ConfigDict, Field, field_validator, model_validator

from ..config import Config
from ..contracts import BurnishError
from .budget import Limits
from .chat import Chat
from .pace import Pace


class ChatConfig(Config):
    """Which chat endpoint is asked, how fast, and for how much.

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
    mask_personal: bool = True
    """Replace e-mail addresses, phone and card numbers, keys, and the like before text is sent."""
    input_price_per_million: float | None = Field(default=None, ge=0, allow_inf_nan=False)
    """Price of a million tokens sent; money is not counted if neither price is given."""
    output_price_per_million: float | None = Field(default=None, ge=0, allow_inf_nan=False)
    """Price of a million tokens made, thoughts included, in the same currency."""
    max_cost: float | None = Field(default=None, ge=0, allow_inf_nan=False)
    """Most money for all the passages of a run, what earlier runs paid for them included."""
    max_tokens_total: int | None = Field(default=None, ge=0)
    """Most tokens, sent and made, for all the passages of a run, earlier runs included."""
    requests_per_minute: int | None = Field(default=None, ge=1)
    """Most requests in a minute, evenly spread; as fast as it answers if none is given."""
    tokens_per_minute: int | None = Field(default=None, ge=1)
    """Most tokens in a minute, sent and made."""
    concurrency: int = Field(default=8, ge=1, le=256)
    """Most requests under way at once."""
    patience_seconds: float = Field(default=600, ge=0)
    """Longest time without any answer while the endpoint says that it is busy (status 429). Then,
    or at once if it asks to be left alone for longer, the run fails and gives up its place; what
    was answered is kept, and the next run goes on from it."""
    max_retries: int = Field(default=6, ge=0, le=20)
    """Tries after the first for one request that fails otherwise, with growing pauses."""
    timeout_seconds: float = Field(default=60, gt=0)
    """Longest wait for one answer."""
    max_failed_share: float = Field(default=0.1, ge=0, le=1)
    """Share of the requests that may stay without a usable answer."""
    temperature: float | None = Field(default=0.7, ge=0, le=2)
    """Spread of the answers; nothing is sent if none, for models that take no temperature."""
    seed: int | None = 0
    """Sent with every request; nothing is sent if none, for endpoints that take no seed."""
    max_answer_tokens: int = Field(default=1024, ge=16)
    """Most tokens of one answer, thoughts included."""
    answer_limit: Literal["max_tokens", "max_completion_tokens"] = "max_tokens"
    """What the endpoint calls that limit; newer OpenAI models want `max_completion_tokens`."""

    @field_validator("base_url", "model")
    @classmethod
    def _trimmed(cls, value: str) -> str:
        return value.strip().rstrip("/")

    @model_validator(mode="after")
    def _priced(self) -> Self:
        prices = (self.input_price_per_million, self.output_price_per_million)
        if self.max_cost is not None and None in prices:
            raise ValueError(
                "max_cost needs input_price_per_million and output_price_per_million, or money "
                "cannot be counted"
            )
        return self

    @property
    def identity(self) -> str:
        """What model answers and where; a judge must not be what it judges."""
        return f"{self.base_url} {self.model}"

    @property
    def limits(self) -> Limits:
        """What tokens cost and how much may be spent."""
        return Limits(
            sent_price=self.input_price_per_million,
            made_price=self.output_price_per_million,
            max_tokens=self.max_tokens_total,
            max_cost=self.max_cost,
        )

    def check(self, asked_for: str) -> None:
        """Refuse settings that name no endpoint.

        Raises:
            BurnishError: address or model is missing.
        """
        missing = [name for name in ("base_url", "model") if not getattr(self, name)]
        if missing:
            raise BurnishError(
                f"{asked_for}, but its {' and '.join(missing)} is not set. Say which API and "
                "model to ask, or use what needs none."
            )

    def pace(self) -> Pace:
        """Make what keeps the requests apart."""
        return Pace(self.requests_per_minute, self.tokens_per_minute, self.patience_seconds)

    def chat(self) -> Chat:
        """Make what asks the endpoint."""
        request = {
            "model": self.model,
            "temperature": self.temperature,
            "seed": self.seed,
            self.answer_limit: self.max_answer_tokens,
        }
        return Chat(
            base_url=self.base_url,
            key_variable=self.api_key_variable,
            timeout_seconds=self.timeout_seconds,
            request={name: value for name, value in request.items() if value is not None},
        )

    def decisive(self) -> dict[str, Any]:
        """Tell what of this decides an answer; the key is not part of it."""
        names = ("base_url", "model", "temperature", "seed", "max_answer_tokens")
        return {name: getattr(self, name) for name in names}
