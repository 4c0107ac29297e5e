"""The bill: what answers will cost, told before they are bought and refused if it is too much."""

import logging
from dataclasses import dataclass

from ..contracts import BurnishError
from .budget import Limits, Usage

logger = logging.getLogger(__name__)

ENOUGH = 20  # answers that tell what the others will take


@dataclass
class Bill:
    """What answers cost.

    Attributes:
        limits: Prices, and what may be spent.
        wanted: What is bought, in the plural.
        known: Answers of earlier runs.
        before: Tokens that earlier runs took for them.
        spent: Tokens in all.
        is_warned: Whether it was said that what is allowed will not suffice.
    """

    limits: Limits
    wanted: str
    known: int
    before: Usage
    spent: Usage
    is_warned: bool = False

    def check(self, missing: int, estimate: Usage) -> None:
        """Tell what further answers will take, and refuse them if that is too much.

        Args:
            missing: Answers still to be bought.
            estimate: What they will take, unless earlier answers tell better.

        Raises:
            BurnishError: it is more than is allowed.
        """
        if self.known >= ENOUGH:
            estimate = self.before.times(missing / self.known)
        expected, before = self.limits.describe(estimate), self.limits.describe(self.before)
        logger.info(
            "%s: asking %d times, about %s; answered before: %d, for %s",
            self.wanted,
            missing,
            expected,
            self.known,
            before,
        )
        if not self.limits.allow(self.before + estimate):
            raise BurnishError(
                f"The {self.wanted} of {missing} requests will take about {expected}, and {before} "
                f"were spent before: more than is allowed ({self._allowed}). Nothing was sent. "
                f"{self._advice}"
            )

    def warn(self, done: int, missing: int) -> None:
        """Say once, when enough is answered to know, that what is allowed will not suffice.

        Args:
            done: Answers of this run that `spent` counts.
            missing: Answers this run wants.
        """
        if self.is_warned or done < ENOUGH:
            return
        rate = (self.spent + self.before.times(-1)).times(missing / done)
        if not self.limits.allow(self.before + rate):
            self.is_warned = True
            logger.warning(
                "%s: %d answers took %s; at that rate the %d wanted do not fit into what is "
                "allowed (%s)",
                self.wanted,
                done,
                self.limits.describe(self.spent + self.before.times(-1)),
                missing,
                self._allowed,
            )

    def exceed(self, done: int, why: object) -> BurnishError:
        """Make the error that says that what is allowed is used up.

        Args:
            done: Answers of this run.
            why: What does not fit any more.
        """
        return BurnishError(
            f"The budget for {self.wanted} is used up: {self.limits.describe(self.spent)} were "
            f"spent, {why}, and {self._allowed} are allowed. The {self.known + done} answers "
            f"that were paid for are kept; the next run goes on from them. {self._advice}"
        )

    @property
    def _allowed(self) -> str:
        tokens, cost = self.limits.max_tokens, self.limits.max_cost
        told = [] if tokens is None else [f"{tokens:,} tokens"]
        return ", ".join(told if cost is None else [*told, f"{cost:g} in money"])

    @property
    def _advice(self) -> str:
        return "Raise max_cost or max_tokens_total, or lower the max_passages of the generator."
