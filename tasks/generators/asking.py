"""Many questions to a chat endpoint: asked once, paid for once, and never beyond the budget."""

import contextlib
from collections import Counter
from collections.abc import Callable, Coroutine, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

from ..contracts import BurnishError
from .bill import Bill
from .budget import Budget, OverBudget, Usage, estimate_tokens
from .chat import Chat
from .chat_config import ChatConfig
from .concurrently import run_concurrently
from .kept_answers import KeptAnswers
from .line import Line
from .prompts import Message, message

OUTAGE = 5  # failures in a row, or two rounds of all calls if that is more
PER_MESSAGE = 4  # tokens around each message


@dataclass
class Asked:
    """What came of the questions.

    Attributes:
        bill: What it cost, and how many answers were there before.
        answers: Answers by key, usable or not.
        failures: What went wrong, by key, where there is no answer.
        paid: Answers of this run, those that are not looked at yet included.
    """

    bill: Bill
    answers: dict[str, str]
    failures: dict[str, str] = field(default_factory=dict)
    paid: int = 0
    last_error: BaseException | None = None
    failed_in_a_row: int = 0

    def work(self) -> dict[str, Any]:
        """Tell what was asked, what was known, and what all of it cost, earlier runs included."""
        cost = self.bill.limits.cost(self.bill.spent)
        return {
            "queried": len(self.answers) - self.bill.known + len(self.failures),
            "known": self.bill.known,
            "tokens_sent": self.bill.spent.sent,
            "tokens_made": self.bill.spent.made,
            **({} if cost is None else {"cost": cost}),
        }


@dataclass(frozen=True)
class Asking:
    """Asks a chat endpoint, keeps its answers, and counts what they take.

    Attributes:
        config: Which endpoint, how fast, and for how much.
        kept: What it answered before.
        preface: What comes before every question.
        wanted: What is asked for, in the plural, for messages.
        answer_tokens: What an answer will take, before there was any.
    """

    config: ChatConfig
    kept: KeptAnswers
    preface: Sequence[Message]
    wanted: str
    answer_tokens: int

    def ask_all(
        self,
        questions: Mapping[str, str],
        find_fault: Callable[[str, str], str],
        advance: Callable[[int], object],
    ) -> Asked:
        """Ask every question that has no answer yet.

        Unusable answers stand, or whoever goes on after a crash would pay for them again; only
        when they are more than may be, those of earlier runs are asked for once more.

        Args:
            questions: Questions by key.
            find_fault: Tells for a key and its answer why that is of no use; empty if it is.
            advance: Told how many are done.

        Raises:
            BurnishError: the budget does not suffice, the endpoint refuses or stays silent, or
                more answers than may be are unusable. What it answered until then is kept.
        """
        most_failed = self.config.max_failed_share * len(questions)
        answers = self.kept.find(list(questions))
        faulty = [key for key, answer in answers.items() if find_fault(key, answer)]
        for key in faulty if len(faulty) > most_failed else ():
            del answers[key]
        spent = self.kept.spent(list(questions))
        bill = Bill(self.config.limits, self.wanted, len(answers), spent, spent)
        asked = Asked(bill, answers)
        missing = {key: text for key, text in questions.items() if key not in answers}
        advance(bill.known)
        if missing:
            sent = sum(map(self._estimate, missing.values()))
            bill.check(len(missing), Usage(sent, len(missing) * self.answer_tokens))
            self._ask_missing(missing, find_fault, advance, asked)
        faults = [find_fault(key, answer) for key, answer in answers.items()]
        failed = [*asked.failures.values(), *filter(None, faults)]
        if len(failed) > most_failed:
            often = Counter(failed).most_common(1)[0][0]
            what = f"{len(failed)} of {len(questions)} requests got no usable answer: {often}"
            raise self._error(what, asked)
        return asked

    def _ask_missing(
        self,
        missing: Mapping[str, str],
        find_fault: Callable[[str, str], str],
        advance: Callable[[int], object],
        asked: Asked,
    ) -> None:
        """Ask what has no answer yet; answers are kept as they come."""
        budget = Budget(self.config.limits, asked.bill.before)
        with self.kept.keeping() as journal:
            line = Line(self.config, budget, journal, self.answer_tokens)

            def ask(key: str) -> Coroutine[Any, Any, str]:
                conversation = [*self.preface, message("user", missing[key])]
                return line.ask(key, conversation, self._estimate(missing[key]))

            calls = run_concurrently(
                ask, missing, concurrency=self.config.concurrency, close=line.close
            )
            # Closed before the journal, which the calls under way write to.
            with contextlib.closing(calls):
                for key, future in calls:
                    error = future.exception()
                    asked.bill.spent, asked.paid = budget.spent, budget.answered
                    if error is None:
                        asked.answers[key] = future.result()
                    else:
                        asked.failures[key] = f"endpoint failed: {self._chat.describe(error)}"
                    is_usable = error is None and not find_fault(key, asked.answers[key])
                    asked.last_error = error or asked.last_error
                    asked.failed_in_a_row = 0 if is_usable else asked.failed_in_a_row + 1
                    advance(1)
                    self._stop_if_hopeless(asked, error)
                    asked.bill.warn(asked.paid, len(missing))

    def _stop_if_hopeless(self, asked: Asked, error: BaseException | None) -> None:
        if isinstance(error, OverBudget):
            raise asked.bill.exceed(asked.paid, error) from None
        if isinstance(error, BurnishError | OSError):  # no disk to keep what more would be paid for
            raise error
        if error is not None and self._chat.is_final(error):
            raise self._error(self._chat.describe(error), asked) from None
        if asked.failed_in_a_row >= max(OUTAGE, 2 * self.config.concurrency):
            last = self._chat.describe(error) if error else f"answers that hold no {self.wanted}"
            what = f"{asked.failed_in_a_row} requests in a row failed, the last with: {last}"
            raise self._error(what, asked)

    def _error(self, what: str, asked: Asked) -> BurnishError:
        # what comes first is the name of the run that fails
        return BurnishError(
            f"No {self.wanted} from {self._chat.host}: {what}. "
            f"{self._chat.advise(asked.last_error)} Asked was {self.config.model} at "
            f"{self.config.base_url}; the {asked.paid} answers of this run are kept, and the next "
            "run goes on from them."
        )

    def _estimate(self, text: str) -> int:
        return self._preface_tokens + estimate_tokens(text) + PER_MESSAGE

    @cached_property
    def _preface_tokens(self) -> int:
        return sum(estimate_tokens(each["content"]) + PER_MESSAGE for each in self.preface)

    @cached_property
    def _chat(self) -> Chat:
        return self.config.chat()
