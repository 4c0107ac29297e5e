"""Made queries: which passages a generator is given, and what it made of them."""

from collections import defaultdict
from collections.abc import Mapping, Sequence

from .core.pairs import Entry, Pair, pair_queries
from .core.questions import Aside
from .core.splits import Split, draw
from .generators import Generator
from .placed import Placed
from .progress import progress


def make_pairs(
    generator: Generator,
    entries: Sequence[Entry],
    placed: Placed,
    most: Mapping[Split, int],
    *,
    most_in_all: int | None,
    seed: int,
) -> tuple[list[Pair], list[Aside]]:
    """Make queries of what stands in one split alone, once for all near-copies.

    Args:
        generator: What makes queries.
        entries: The passages of the corpus.
        placed: Splits.
        most: Most passages per evaluation split; a hash decides which.
        most_in_all: Most passages; those of evaluation go first, up to half of them.
        seed: Another seed, other passages.

    Returns:
        The pairs, and what was set aside.
    """
    members: dict[str, list[Entry]] = defaultdict(list)
    for entry in entries:
        if entry.cluster not in placed.straddling:
            members[entry.cluster].append(entry)
    first = [found[0] for found in members.values()]
    chosen = _choose(first, placed.splits, most, most_in_all, seed)
    with progress("queries", len(chosen), "passages") as advance:
        made = generator.generate([entry.passage for entry in chosen], advance)
    queries = [each.queries for each in made]
    twins = {cluster: found for cluster, found in members.items() if len(found) > 1}
    pairs, differing = pair_queries(generator.name, chosen, queries, placed.splits, twins)
    unmade = [
        Aside(entry.passage_id, entry.source, reason)
        for entry, each in zip(chosen, made, strict=True)
        for reason in each.reasons
    ]
    return pairs, unmade + differing


def _choose(
    entries: Sequence[Entry],
    splits: Mapping[str, Split],
    most: Mapping[Split, int],
    most_in_all: int | None,
    seed: int,
) -> list[Entry]:
    def first(split: Split, number: int | None) -> list[Entry]:
        found = [entry for entry in entries if splits[entry.document_id] == split]
        if number is None or len(found) <= number:
            return found
        found.sort(key=lambda e: (draw(seed, e.passage.composed), e.passage_id))
        return found[:number]

    evaluated = [entry for split, number in most.items() for entry in first(split, number)]
    if most_in_all is not None and len(evaluated) > most_in_all // 2:  # the rest is trained on
        evaluated.sort(key=lambda e: (draw(seed, e.passage.composed), e.passage_id))
        evaluated = evaluated[: most_in_all // 2]
    left = None if most_in_all is None else most_in_all - len(evaluated)
    chosen = {entry.passage_id for entry in (*evaluated, *first("train", left))}
    return [entry for entry in entries if entry.passage_id in chosen]
