"""Filters by setting: which made queries are kept, and what each filter took away."""

from collections.abc import Mapping, Sequence
from functools import partial
from typing import Literal

from pydantic import Field

from .config import Config
from .core.filters import (
    Find,
    Sifted,
    find_ambiguous,
    find_copies,
    find_evaluated,
    find_general,
    limit_made,
    sift_all,
)
from .core.pairs import Pair
from .core.questions import BY_PEOPLE, Aside
from .core.splits import Split
from .core.vocabulary import Vocabulary
from .generators.judge import EndpointJudge
from .progress import progress


class FilterConfig(Config):
    """Which made queries are set aside; people's are, only where evaluation asks the same."""

    copies: Literal["kept", "written", "all"] = "written"
    """Which queries that stand word for word in their passage are set aside: with kept none, with
    written those that a model wrote, with all also those cut out of the passage, whose span is in
    part hidden instead."""
    max_copied_share: float = Field(default=0.8, ge=0, le=1)
    """Share of a query's words that may stand in a row in its passage."""
    least_bits: int = Field(default=6, ge=0, le=64)
    """Least sum of the rarities of a query's words: with 6, it would suit one document in 64 if
    words came independently. 0 keeps all."""
    drop_ambiguous: bool = True
    """Drop queries that were made of two documents."""


def filter_pairs(
    pairs: list[Pair],
    texts: Mapping[str, str],
    vocabulary: Vocabulary,
    config: FilterConfig,
    judge: EndpointJudge | None,
    *,
    is_written: bool,
    most: Mapping[Split, int],
    seed: int,
) -> tuple[list[Pair], list[Aside], list[Sifted]]:
    """Set aside the queries that teach nothing, or that must not stand beside the rest.

    Args:
        pairs: People's and made pairs.
        texts: Composed passages by id.
        vocabulary: Document frequencies of the corpus.
        config: Which filters.
        judge: Who judges what is left, if anyone does; never the model that made it.
        is_written: Whether a model wrote the made ones.
        most: Most made queries per evaluation split.
        seed: Decides which of these.

    Returns:
        The pairs left, what was set aside, and the yield of each filter in order.
    """
    filters: list[tuple[str, Find]] = []
    if config.copies == "all" or (config.copies == "written" and is_written):
        copies = partial(find_copies, texts=texts, max_copied_share=config.max_copied_share)
        filters.append(("copies of the passage", copies))
    if config.least_bits:
        general = partial(find_general, vocabulary=vocabulary, least_bits=config.least_bits)
        filters.append(("too general", general))
    if config.drop_ambiguous:
        filters.append(("ambiguous", find_ambiguous))
    pairs, aside, told = sift_all(pairs, filters)
    pairs, repeated, last = sift_all(
        limit_made(pairs, most, seed), [("asked in evaluation", find_evaluated)]
    )
    if judge:
        judged, refused, verdicts = sift_all(pairs, [("judge", partial(_refuse, texts, judge))])
        pairs, repeated, last = judged, repeated + refused, last + verdicts
    return pairs, aside + repeated, told + last


def _refuse(
    texts: Mapping[str, str], judge: EndpointJudge, pairs: Sequence[Pair]
) -> dict[str, str]:
    """Find the made queries that their passage does not answer, as the judge has it."""
    first: dict[str, Pair] = {}
    for pair in pairs:
        if pair.origin not in BY_PEOPLE:
            first.setdefault(pair.query_id, pair)
    asked = [(pair.query, texts[pair.passage_id]) for pair in first.values()]
    with progress("judging", len(asked), "queries") as advance:
        verdicts = judge.judge(asked, advance)
    return {
        query_id: verdict.reason
        for query_id, verdict in zip(first, verdicts, strict=True)
        if not verdict
    }
