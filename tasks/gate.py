"""The gate: whether a candidate may become the champion."""

from typing import Any, NamedTuple

import numpy as np

from .contracts import GENERAL, BurnishError, Scores
from .core.selection import beats, choose_origin, count_needed


class Check(NamedTuple):
    """One thing the gate looks at, whether it was found well, and what was found."""

    name: str
    is_passed: bool
    found: str


class Verdict(NamedTuple):
    """The gate's decision, its reason for a person to read, and the comparisons behind it."""

    is_champion: bool
    reason: str
    comparisons: list[dict[str, Any]]
    checks: tuple[Check, ...] = ()

    def note(self, name: str, is_passed: bool, found: str) -> "Verdict":
        """Return the verdict with one more thing that was looked at."""
        return self._replace(checks=(*self.checks, Check(name, is_passed, found)))


def judge(
    scores: Scores,
    opponent: Scores | None,
    layer: int,
    metric: str,
    confidence: float,
    seed: int,
    *,
    pooling: str | None = None,
    dimension: int | None = None,
) -> Verdict:
    """Compare the candidate with the base and the champion on the test questions.

    Human questions decide where there are any, but for too few to prove anything beside more
    synthetic ones; otherwise these do. The candidate must beat each opponent beyond chance: the
    paired bootstrap interval of the difference lies above zero. An opponent that was scored in
    several ways is met at its last layer's best.

    Args:
        scores: Of the tuned model and the base.
        opponent: Of the champion on the same questions, or None.
        layer: The layer the candidate was cut to.
        metric: Name of the metric in `scores`.
        confidence: Of the interval, such as .95.
        seed: Decides the bootstrap.
        pooling: The candidate's; any where it was scored with one alone.
        dimension: The candidate's; any where it was scored at one alone.

    Raises:
        BurnishError: the candidate was not scored as it was cut.
    """
    rows = _read(scores, metric)
    if not rows:
        reason = "There is no test question, so nothing is proven."
        return Verdict(False, reason, []).note("test questions", False, "there is none")
    questions = {row["origin"]: len(row["values"]) for row in rows}
    least = count_needed(confidence)
    origin = choose_origin(questions, least)
    rows = [row for row in rows if row["origin"] == origin]
    wanted = {"system": "tuned", "layer": layer, "pooling": pooling, "dimension": dimension}
    candidate = _find(rows, {name: value for name, value in wanted.items() if value is not None})
    opponents = {"base": _find_best([row for row in rows if row["system"] == "base"])}
    if opponent is not None:
        theirs = _read(opponent, metric)
        opponents["champion"] = _find_best([row for row in theirs if row["origin"] == origin])
    comparisons = [
        _compare(name, candidate, row, confidence, seed) for name, row in opponents.items()
    ]
    is_champion = all(row["is_beyond_chance"] for row in comparisons)
    reason = _reason(comparisons, is_champion, metric, origin, len(candidate["values"]))
    if (people := questions.get("human", least)) < least:
        reason += f" People asked {people} only, of the {least} at least that prove anything."
    checks = (
        Check(f"better than the {row['opponent']}", row["is_beyond_chance"], _tell(row))
        for row in comparisons
    )
    return Verdict(is_champion, reason, comparisons, tuple(checks))


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
    is_small = max_megabytes is None or megabytes <= max_megabytes
    is_fast = min_speedup is None or speedup >= min_speedup
    size, speed = f"{megabytes:.1f} MB", f"{speedup:.2f} times the base's speed"
    if not is_small:
        faults.append(f"{size} is above the {max_megabytes:g} MB allowed")
    if not is_fast:
        faults.append(f"{speed} is below the {min_speedup:g} wanted")
    most = "any is allowed" if max_megabytes is None else f"at most {max_megabytes:g} MB"
    least = "any is allowed" if min_speedup is None else f"at least {min_speedup:g} times"
    verdict = verdict.note("size", is_small, f"{size}; {most}")
    verdict = verdict.note("speed", is_fast, f"{speed}; {least}")
    if not faults:
        return verdict
    reason = f"Not the champion: {' and '.join(faults)}. But for that: {verdict.reason}"
    return verdict._replace(is_champion=False, reason=reason)


def _compare(
    name: str, candidate: dict[str, Any], row: dict[str, Any], confidence: float, seed: int
) -> dict[str, Any]:
    ours, theirs = (np.asarray(one["values"]) for one in (candidate, row))
    found = beats(ours, theirs, confidence=confidence, seed=seed)
    return {
        "opponent": name,
        "candidate": candidate["value"],
        "value": row["value"],
        **found._asdict(),
        "is_beyond_chance": bool(found.is_beyond_chance),
    }


def _read(scores: Scores, metric: str) -> list[dict[str, Any]]:
    rows: list[dict[str, Any]] = scores.read().to_pylist()
    rows = [row for row in rows if (row["split"], row["metric"]) == ("test", metric)]
    return [row for row in rows if row["origin"] != GENERAL]


def _find(rows: list[dict[str, Any]], wanted: dict[str, Any]) -> dict[str, Any]:
    for row in rows:
        if all(row[name] == value for name, value in wanted.items()):
            return row
    told = ", ".join(f"{name} {value}" for name, value in wanted.items())
    raise BurnishError(
        f"The candidate's own test scores are missing: there is no row of {told}. Evaluate the "
        "model that it was cut from again, with this pooling and dimension."
    )


def _find_best(rows: list[dict[str, Any]]) -> dict[str, Any]:
    return max(rows, key=lambda row: (row["layer"], row["value"]))


def _reason(
    comparisons: list[dict[str, Any]], is_champion: bool, metric: str, origin: str, queries: int
) -> str:
    parts = "; ".join(map(_tell, comparisons))
    told = f"{metric} on {queries} {origin} test questions: {parts}."
    return f"{'Champion' if is_champion else 'Not the champion'}: {told}"


def _tell(row: dict[str, Any]) -> str:
    return (
        f"{row['difference']:+.3f} against the {row['opponent']}'s {row['value']:.3f} "
        f"({row['low']:+.3f} to {row['high']:+.3f}, "
        f"{'beyond chance' if row['is_beyond_chance'] else 'may be chance'})"
    )
