"""A line to a chat endpoint: shared by many requests, each sent in its turn and booked once."""

from collections.abc import Sequence
from functools import cached_property
from typing import TYPE_CHECKING

from .budget import Budget, Usage, estimate_tokens
from .chat_config import ChatConfig
from .kept_answers import Journal
from .prompts import Message
from .retries import count_failure, pause

if TYPE_CHECKING:
    from openai import AsyncOpenAI


class Line:
    """Requests to one endpoint at one pace and from one budget; used on one event loop alone."""

    def __init__(
        self, config: ChatConfig, budget: Budget, journal: Journal, answer_tokens: int
    ) -> None:
        """Prepare the line; nothing is sent yet.

        Args:
            config: Which endpoint, and how fast.
            budget: What may be spent.
            journal: Where answers go, and what is about to be asked.
            answer_tokens: What an answer takes as a rule; the pace counts with it.
        """
        self.chat = config.chat()
        self._config = config
        self._budget = budget
        self._journal = journal
        self._answer_tokens = answer_tokens
        self._pace = config.pace()
        self._started: dict[str, float] = {}

    async def ask(self, key: str, conversation: Sequence[Message], tokens: int) -> str:
        """Ask until there is an answer, or none is to be expected.

        Args:
            key: What the answer is kept by.
            conversation: What is sent.
            tokens: Estimate of its tokens.

        Raises:
            OverBudget: it could cost more than is left.
            OutOfPatience: the endpoint is busy for too long.
            openai.APIError: it does not answer, or not any more.
        """
        from openai import APIError

        failed = 0
        while True:
            try:
                return await self._ask_once(key, conversation, tokens)
            except APIError as error:
                started, most = self._started[key], self._config.max_retries
                failed = count_failure(self.chat, self._pace, error, started, failed, most)
                await pause(failed)

    async def close(self) -> None:
        """Close the connections."""
        await self._client.close()

    @cached_property
    def _client(self) -> "AsyncOpenAI":
        return self.chat.connect()

    async def _ask_once(self, key: str, conversation: Sequence[Message], tokens: int) -> str:
        from openai import APIError

        reserved = await self._budget.reserve(Usage(tokens, self._config.max_answer_tokens))
        spent, counted = reserved, 0  # if nobody tells what it took
        try:
            self._started[key] = await self._pace.turn(tokens + self._answer_tokens)
            self._journal.asked(key, reserved)
            reply = await self.chat.ask(self._client, conversation)
            if not reply.text and not reply.usage:
                spent = Usage()
                self._journal.refused(key)
                return ""
            spent = reply.usage or Usage(tokens, estimate_tokens(reply.text))
            counted = tokens
            self._pace.answered(tokens + self._answer_tokens, spent.tokens)
            self._journal(key, reply.text, spent)
            return reply.text
        except APIError as error:
            if self.chat.is_free(error):
                spent = Usage()
                self._journal.refused(key)
            raise
        finally:
            await self._budget.settle(reserved, spent, counted)
