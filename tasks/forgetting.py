"""Forgetting: what a candidate lost on the general set, and whether that is too much."""

from collections.abc import Mapping
from typing import Any

from .contracts import GENERAL, Scores
from .core.choice import ROUNDING
from .core.selection import count_needed
from .core.statistics import paired_bootstrap
from .gate import Verdict

CHECK = "forgotten of what it knew"


def keep_knowledge(
    verdict: Verdict,
    scores: Scores,
    kept: Mapping[str, Any],
    *,
    max_forgotten: float | None,
    confidence: float,
    seed: int,
) -> Verdict:
    """Refuse a candidate that may have forgotten too much, however good it is.

    On the general set it keeps enough of the base's nDCG@10 if the low end of the paired bootstrap
    interval of its difference to the base is within what is allowed, as in the choice of the layer,
    and there are enough questions that all of them are not kept by luck.

    Args:
        verdict: Of the comparisons.
        scores: Of the tuned model and the base.
        kept: The cell that the candidate was cut to: `layer`, and if they are not the model's own,
            `pooling` and `dimension`.
        max_forgotten: Largest loss accepted, as a fraction of the base's score; None accepts any.
        confidence: Of the interval.
        seed: Decides the bootstrap.
    """
    rows = scores.read().to_pylist()
    rows = [row for row in rows if (row["origin"], row["metric"]) == (GENERAL, "ndcg@10")]
    if max_forgotten is None:
        return verdict.note(CHECK, True, "any loss is allowed")
    if not rows:
        told = "What it has forgotten of other subjects is not known: no --evaluate.general is set."
        verdict = verdict.note(CHECK, True, "not measured: there is no general set")
        return verdict._replace(reason=f"{verdict.reason} {told}")
    cell = {name: kept[name] for name in ("layer", "pooling", "dimension") if kept.get(name)}
    candidate = next(
        row for row in rows if row["system"] == "tuned" and cell.items() <= row.items()
    )
    base = next(row for row in rows if row["system"] == "base")
    found = paired_bootstrap(candidate["values"], base["values"], confidence=confidence, seed=seed)
    told = (
        f"{found.value:+.3f} ({found.low:+.3f} to {found.high:+.3f}) against the base's "
        f"{base['value']:.3f} nDCG@10 on {len(base['values'])} general questions"
    )
    least = count_needed(confidence)
    if len(base["values"]) < least:
        told += f", too few to tell (at least {least})"
    elif found.low >= -max_forgotten * base["value"] - ROUNDING:
        verdict = verdict.note(CHECK, True, told)
        return verdict._replace(reason=f"{verdict.reason} Forgotten: {told}, as allowed.")
    reason = (
        f"Not the champion: it may have forgotten more than the {100 * max_forgotten:g} % allowed: "
        f"{told}. But for that: {verdict.reason}"
    )
    return verdict.note(CHECK, False, told)._replace(is_champion=False, reason=reason)
