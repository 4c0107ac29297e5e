"""Which passages are gathered before batches are made, so that hard negatives meet."""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from .batches import Query

Groups = list[list[int]]


def gather_drawn(
    by_passage: "Mapping[int, Sequence[Query]]", size: int, random: np.random.Generator
) -> Groups:
    """Gather passages around some that are drawn: each with the negatives that are still free.

    Args:
        by_passage: The training queries of each passage, by corpus row.
        size: Passages in a group at most.
        random: Decides which are drawn.
    """
    waiting = dict.fromkeys(random.permutation(sorted(by_passage)).tolist())
    groups: Groups = []
    while waiting:
        first = next(iter(waiting))
        near = (row for query in by_passage[first] for row in query.negatives if row in waiting)
        group = list(dict.fromkeys([first, *near]))[:size]
        groups.append(group)
        for row in group:
            del waiting[row]
    return groups


def gather_hardest(
    by_passage: "Mapping[int, Sequence[Query]]", size: int, random: np.random.Generator
) -> Groups:
    """Gather passages by merging groups, those first whose passages are hardest to tell apart.

    Two passages are joined as firmly as they are negatives of each other's queries: a query's n-th
    negative counts 1 / n, and all queries of a passage together as one. The firmest joint that
    still fits into a group is made first (Kruskal's spanning forest, its trees bounded).

    Args:
        by_passage: The training queries of each passage, by corpus row.
        size: Passages in a group at most.
        random: Decides between joints that are equally firm, and the order of the groups.
    """
    group_of = {row: [row] for row in random.permutation(sorted(by_passage)).tolist()}
    for one, other in _list_joints(by_passage, random):
        larger, smaller = group_of[one], group_of[other]
        if larger is smaller or len(larger) + len(smaller) > size:
            continue
        larger += smaller
        group_of |= dict.fromkeys(smaller, larger)
    return list({id(group): group for group in group_of.values()}.values())


def _list_joints(
    by_passage: "Mapping[int, Sequence[Query]]", random: np.random.Generator
) -> list[list[int]]:
    """List pairs of passages that have queries and are negatives of each other's, firmest first."""
    found = [
        (row, negative, 1 / (rank * len(queries)))
        for row, queries in by_passage.items()
        for query in queries
        for rank, negative in enumerate(query.negatives, 1)
        if negative in by_passage and negative != row
    ]
    if not found:
        return []
    ends = np.sort(np.array([(row, negative) for row, negative, _ in found]), axis=1)
    joints, place_of = np.unique(ends, axis=0, return_inverse=True)
    firmness = np.bincount(place_of, weights=[weight for _, _, weight in found])
    order = random.permutation(len(joints))
    joined: list[list[int]] = joints[order[np.argsort(-firmness[order], kind="stable")]].tolist()
    return joined
