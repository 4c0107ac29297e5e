"""What pairing gave and what it took away, counted for people."""

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from .contracts import fingerprint
from .core.filters import Sifted
from .core.pairs import Pair
from .core.questions import BY_PEOPLE, Aside
from .core.splits import Split
from .generators import Generator


def tell(
    pairs: Sequence[Pair],
    splits: Mapping[str, Split],
    aside: Iterable[Aside],
    generator: Generator,
    yields: Iterable[Sifted],
) -> dict[str, Any]:
    """Count documents by split, queries by origin, split, and kind, and what was set aside.

    Args:
        pairs: The pairs that are kept.
        splits: Split of every document.
        aside: All that was set aside.
        generator: What made queries, when it is done.
        yields: What each filter took away.
    """
    first = {pair.query_id: pair for pair in pairs}.values()
    queries: dict[str, dict[str, int]] = defaultdict(dict)
    for (origin, split), count in sorted(Counter((p.origin, p.split) for p in first).items()):
        queries[origin][split] = count
    return {
        "documents": _count(splits.values()),
        "queries": dict(queries),
        "kinds": _count(pair.kind for pair in first if pair.origin not in BY_PEOPLE),
        "hidden": sum(bool(pair.masked) for pair in pairs),
        "set_aside": _count(each.reason.partition(":")[0] for each in aside),
        "filters": [sifted._asdict() | {"examples": list(sifted.examples)} for sifted in yields],
        "generator": {"name": generator.name, "settings": fingerprint(generator.settings())},
    }


def _count(values: Iterable[str]) -> dict[str, int]:
    return dict(sorted(Counter(values).items()))


def summarize(facts: Mapping[str, Any]) -> str:
    """Say what was paired, and what was set aside, in one line."""

    def told(counts: Mapping[str, int]) -> str:
        return ", ".join(f"{count:,} {name}" for name, count in counts.items()) or "none"

    queries = "; ".join(f"{origin} {told(counts)}" for origin, counts in facts["queries"].items())
    return (
        f"queries: {queries} ({told(facts['kinds'])}); documents: {told(facts['documents'])}; "
        f"set aside: {told(facts['set_aside'])}"
    )
