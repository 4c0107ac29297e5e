"""Parts of a document that were lost, though the document as a whole was read."""

import itertools
import re
from collections.abc import Mapping
from typing import NamedTuple

MAX_LOST = 50  # rows of one document
MAX_CHARACTERS = 300  # of a reason
_PLACE = re.compile(r"[a-z]{1,20} [0-9]{1,9}(-[0-9]{1,9})?")


class Lost(NamedTuple):
    """A part that was lost, or neighbours that were.

    Attributes:
        place: `page 3`, `pages 3-17`.
        reason: `kind`, or `kind: details`.
    """

    place: str
    reason: str


def tell_lost(unit: str, reasons: Mapping[int, str]) -> tuple[Lost, ...]:
    """Tell what was lost in few rows: one for neighbours of one reason, the last for all the rest.

    Args:
        unit: What is counted: `page`.
        reasons: Why each part was lost, by its number.

    >>> tell_lost("page", {3: "damaged page", 4: "damaged page", 9: "damaged page"})
    (Lost(place='pages 3-4', reason='damaged page'), Lost(place='page 9', reason='damaged page'))
    """
    numbered = enumerate(sorted(reasons.items()))
    grouped = itertools.groupby(numbered, key=lambda item: (item[1][0] - item[0], item[1][1]))
    runs = [([number for _, (number, _) in run], reason) for (_, reason), run in grouped]
    if len(runs) > MAX_LOST:
        rest = [number for numbers, _ in runs[MAX_LOST - 1 :] for number in numbers]
        runs[MAX_LOST - 1 :] = [(rest, f"lost in part: {len(rest)} of these {unit}s")]
    return tuple(Lost(_name(unit, numbers[0], numbers[-1]), reason) for numbers, reason in runs)


def bound_lost(rows: object) -> tuple[Lost, ...]:
    """Keep of rows that are not to be trusted no more and no longer ones than there should be."""
    found = []
    for row in rows[:MAX_LOST] if isinstance(rows, (list, tuple)) else ():
        match row:
            case [str(place), str(reason)] if _PLACE.fullmatch(place):
                shown = "".join(filter(str.isprintable, reason[:MAX_CHARACTERS]))
                found.append(Lost(place, shown))
    return tuple(found)


def _name(unit: str, first: int, last: int) -> str:
    return f"{unit} {first}" if first == last else f"{unit}s {first}-{last}"
