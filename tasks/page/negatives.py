"""What the page says of mining: the yield of every rule, and the teacher's scores."""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from ..contracts import Triplets
from .blocks import Block, Cell, Grid, Notes, Paragraph, Section, Share, tell
from .columns import stream
from .pictures import draw_distributions
from .rows import MinedQuery

if TYPE_CHECKING:
    import numpy as np

# What each rule leaves out, in the order they apply in.
RULES = {
    "own_document": "passage of the answer's own document",
    "held_out": "passage kept for evaluation",
    "same_text": "same text as the answer",
    "near_duplicate": "near-duplicate of the answer",
    "above_ceiling": "too close to the answer's score: perhaps an answer too",
}
NOTES = {
    "ceiling": "Ceiling of a negative's score, as a part of the answer's",
    "background": "Score of unrelated texts, from which both are counted",
    "round_trip": "Made queries dropped because the teacher does not find their passage",
    "random": "Random negatives, beside the hard ones",
    "false_negative_rate": "Share of the negatives kept that may be answers, as estimated",
}
RANKS = ((0, "1"), (4, "2 to 5"), (9, "6 to 10"), (49, "11 to 50"))
MAX_SHORT = 0.25  # share of queries with too few negatives beyond which the ceiling may be too low
MAX_MISSED = 0.25  # share of answers the teacher ranks so low that queries or teacher may be bad


def describe_negatives(triplets: Triplets, mined: list[MinedQuery]) -> list[Section]:
    """Describe what mining kept, and what the teacher's scores look like.

    Args:
        triplets: All training rows.
        mined: Those of the queries whose scores are looked at.
    """
    return [_describe_rules(triplets), _describe_scores(mined)]


def _describe_rules(triplets: Triplets) -> Section:
    facts = triplets.facts
    rows = _tabulate_rules(facts)
    blocks: list[Block] = [Grid(("rule", "candidates left out", "of all"), rows)]
    notes = [
        f"{told}: {tell(facts[name])}."
        for name, told in NOTES.items()
        if isinstance(facts.get(name), int | float)
    ]
    blocks += [Notes(tuple(notes))] if notes else []
    counts = _count_negatives(triplets)
    blocks += draw_distributions(
        "Training rows by hard negatives kept", "negatives", {"rows": counts}
    )
    warnings = []
    if len(counts) and (short := int((counts < counts.max()).sum())) > MAX_SHORT * len(counts):
        warnings.append(
            f"{short:,} of {len(counts):,} training rows have fewer than {counts.max()} hard "
            "negatives: the ceiling may be too low for this teacher, or the candidates too few."
        )
    return Section("Hard negatives", blocks, warnings)


def _tabulate_rules(facts: Mapping[str, Any]) -> tuple[tuple[Cell, ...], ...]:
    whole = facts.get("candidates", 0)
    rows: list[tuple[Cell, ...]] = []
    if facts.get("rules"):
        for rule in facts["rules"]:
            name = str(rule.get("name", ""))
            told = RULES.get(name, name.replace("_", " "))
            rows.append((told, rule.get("removed", 0), Share(rule.get("removed", 0), whole)))
    else:
        rows += [
            (told, facts[n], Share(facts[n], whole)) for n, told in RULES.items() if n in facts
        ]
    for name, told in (("spare", "not needed: enough were harder"), ("kept", "kept")):
        if name in facts:
            rows.append((told, facts[name], Share(facts[name], whole)))
    return tuple(rows)


def _count_negatives(triplets: Triplets) -> "np.ndarray":
    import numpy as np
    import pyarrow.compute as pc

    counts = [
        pc.list_value_length(batch.column("negative_ids")).to_numpy()
        for batch in stream(triplets, ("negative_ids",))
    ]
    return np.concatenate(counts) if counts else np.zeros(0, np.int32)


def _describe_scores(mined: list[MinedQuery]) -> Section:
    """Draw the scores of answers, of the negatives kept, and of all that was retrieved."""
    import numpy as np

    if not mined:
        return Section("Scores", [Paragraph("There is no training row.")])
    answers = np.array([query.best for query in mined], np.float32)
    kept = [query.negative_scores for query in mined]
    retrieved = np.array([score for query in mined for score in query.scores.values()], np.float32)
    negatives = np.array([score for found in kept for score in found], np.float32)
    margins = np.array(
        [query.best - max(found) for query, found in zip(mined, kept, strict=True) if found],
        np.float32,
    )
    beaten = np.array([query.preferred for query in mined])
    rows: list[tuple[Cell, ...]] = []
    low = -1
    for high, told in RANKS:
        rows.append((told, Share(int(((beaten > low) & (beaten <= high)).sum()), len(mined))))
        low = high
    missed = int((beaten > low).sum())
    rows.append((f"{low + 2} or lower, or not found", Share(missed, len(mined))))
    warnings = []
    if missed > MAX_MISSED * len(mined):
        warnings.append(
            f"The teacher prefers {low + 1} passages or more to the answer for "
            f"{100 * missed / len(mined):.0f} % of the training queries: read some of them below."
        )
    named = {"answers": answers, "hard negatives": negatives, "all retrieved": retrieved}
    drawn = draw_distributions("The teacher's scores", "score", named, shares=True)
    drawn += draw_distributions(
        "Score of the answer above the hardest negative", "difference of scores", {"rows": margins}
    )
    told = f"As the teacher scored {len(mined):,} training queries before training."
    ranks = Grid(("rank of the answer", "training queries"), tuple(rows))
    return Section("Scores", [Paragraph(told), *drawn, ranks], warnings)
