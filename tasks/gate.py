"""The gate: whether a candidate may become the champion."""

from typing import Any, NamedTuple

import numpy as np

from .contracts import GENERAL, Scores
from .core.selection import beats


class Verdict(NamedTuple):
    """The gate's decision, its reason for a person to read, and the comparisons behind it."""

    is_champion: bool
    reason: str
    comparisons: list[dict[str, Any]]


def judge(
    scores: Scores, opponent: Scores | None, layer: int, metric: str, confidence: float, seed: int
) -> Verdict:
    """Compare the candidate with the base and the champion on the test questions.

    Human questions decide where there are any, synthetic ones otherwise. The candidate must beat
    each opponent beyond chance: the paired bootstrap interval of the difference lies above zero.

    Args:
        scores: Of the tuned model and the base.
        opponent: Of the champion on the same questions, or None.
        layer: The layer the candidate was cut to.
        metric: Name of the metric in `scores`.
        confidence: Of the interval, such as .95.
        seed: Decides the bootstrap.
    """
    rows = [row for row in scores.read().to_pylist() if row["metric"] == metric]
    rows = [row for row in rows if row["split"] == "test" and row["origin"] != GENERAL]
    if not rows:
        return Verdict(False, "There is no test question, so nothing is proven.", [])
    origin = "human" if any(row["origin"] == "human" for row in rows) else "synthetic"
    rows = [row for row in rows if row["origin"] == origin]
    candidate = next(r for r in rows if r["system"] == "tuned" and r["layer"] == layer)
    base = max((row for row in rows if row["system"] == "base"), key=lambda row: row["layer"])
    opponents = {"base": base}
    if opponent is not None:
        theirs = opponent.read().to_pylist()
        opponents["champion"] = next(
            row
            for row in theirs
            if (row["split"], row["origin"], row["metric"]) == ("test", origin, metric)
        )
    comparisons = []
    for name, row in opponents.items():
        found = beats(
            np.asarray(candidate["values"]),
            np.asarray(row["values"]),
            confidence=confidence,
            seed=seed,
        )
        comparisons.append(
            {
                "opponent": name,
                "candidate": candidate["value"],
                "value": row["value"],
                "difference": found.difference,
                "low": found.low,
                "high": found.high,
                "is_beyond_chance": bool(found.is_beyond_chance),
            }
        )
    is_champion = all(row["is_beyond_chance"] for row in comparisons)
    return Verdict(
        is_champion,
        _reason(comparisons, is_champion, metric, origin, len(candidate["values"])),
        comparisons,
    )


def keep_budget(
    verdict: Verdict,
    megabytes: float,
    speedup: float,
    *,
    max_megabytes: float | None,
    min_speedup: float | None,
) -> Verdict:
    """Refuse a candidate that is larger or slower than what was agreed on, however good it is.

    Args:
        verdict: Of the comparisons.
        megabytes: Size of the model's files.
        speedup: How many times as fast as the base it encodes.
        max_megabytes: Largest size accepted; None accepts any.
        min_speedup: Lowest speedup accepted; None accepts any.

    >>> champion = Verdict(True, "Champion: better.", [])
    >>> keep_budget(champion, 90, 1.2, max_megabytes=50, min_speedup=1.1).reason
    'Not the champion: 90.0 MB is above the 50 MB allowed. But for that: Champion: better.'
    """
    faults = []
    if max_megabytes is not None and megabytes > max_megabytes:
        faults.append(f"{megabytes:.1f} MB is above the {max_megabytes:g} MB allowed")
    if min_speedup is not None and speedup < min_speedup:
        faults.append(f"{speedup:.2f} times the base's speed is below the {min_speedup:g} wanted")
    if not faults:
        return verdict
    reason = f"Not the champion: {' and '.join(faults)}. But for that: {verdict.reason}"
    return verdict._replace(is_champion=False, reason=reason)


def _reason(
    comparisons: list[dict[str, Any]], is_champion: bool, metric: str, origin: str, queries: int
) -> str:
    parts = [
        f"{row['difference']:+.3f} against the {row['opponent']}'s {row['value']:.3f} "
        f"({row['low']:+.3f} to {row['high']:+.3f}, "
        f"{'beyond chance' if row['is_beyond_chance'] else 'may be chance'})"
        for row in comparisons
    ]
    told = f"{metric} on {queries} {origin} test questions: {'; '.join(parts)}."
    return f"{'Champion' if is_champion else 'Not the champion'}: {told}"
