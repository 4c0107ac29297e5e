"""What the page says of the pairs: queries by origin, the yield of every filter, what was left."""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import pyarrow as pa
import pyarrow.compute as pc

from ..contracts import Corpus, Pairs
from .blocks import Block, Cell, Grid, Paragraph, Section, Share
from .columns import count_words
from .legible import shorten
from .passages import tabulate_rejects
from .pictures import draw_distributions

if TYPE_CHECKING:
    import numpy as np

SPLITS = ("train", "dev", "test")
MIN_EVALUATED = 50  # questions; an interval over fewer is too wide to decide by
COLUMNS = ["query_id", "query", "passage_id", "origin", "split", "weight"]


def describe_queries(corpus: Corpus, pairs: Pairs) -> list[Section]:
    """Describe the queries of a dataset, and what was left out on the way to them."""
    table = pairs.read(COLUMNS)
    queries = table.filter(_is_first(table.column("query_id")))
    words = count_words(queries.column("query"))
    origins = sorted(set(queries.column("origin").unique().to_pylist()))
    lengths = {name: words[_equals(queries, "origin", name)] for name in origins}
    blocks: list[Block] = [_tabulate_origins(queries, words, origins)]
    blocks += draw_distributions("Queries by length", "words", lengths, shares=True)
    kinds = pairs.facts.get("kinds", {})
    if kinds:
        told = tuple((name, count) for name, count in sorted(kinds.items()))
        blocks.append(Grid(("kind of query made", "queries"), told))
    trained = table.filter(pc.equal(table.column("split"), "train"))
    asked = len(trained.column("passage_id").unique())
    blocks.append(
        Paragraph(
            f"{asked:,} of {corpus.facts.get('passages', corpus.facts.get('rows', 0)):,} passages "
            "have a training query. Passages of documents that are kept for evaluation have none."
        )
    )
    return [
        Section("Queries", blocks, _warn(queries)),
        Section("Filters", [_tabulate_filters(pairs.facts.get("filters", []))]),
        Section("Queries set aside", tabulate_rejects(pairs)),
    ]


def _is_first(names: pa.ChunkedArray) -> pa.Array:
    """Mark where each name occurs first, (names,)."""
    import numpy as np

    codes = names.combine_chunks().dictionary_encode().indices.to_numpy()
    highest = np.maximum.accumulate(codes) if len(codes) else codes
    return pa.array(np.append(True, codes[1:] > highest[:-1])[: len(codes)])


def _equals(table: pa.Table, column: str, value: str) -> "np.ndarray":
    found: np.ndarray = pc.equal(table.column(column), value).to_numpy()
    return found


def _tabulate_origins(queries: pa.Table, words: "np.ndarray", origins: list[str]) -> Grid:
    import numpy as np

    weights = queries.column("weight").to_numpy()
    rows: list[tuple[Cell, ...]] = []
    for origin in origins:
        is_own = _equals(queries, "origin", origin)
        counts = [int((is_own & _equals(queries, "split", split)).sum()) for split in SPLITS]
        own = weights[is_own & _equals(queries, "split", "train")]
        weighs = " to ".join(dict.fromkeys(f"{f(own):.3g}" for f in (np.min, np.max) if len(own)))
        median = int(np.median(words[is_own])) if is_own.any() else 0
        rows.append((origin, *counts, median, weighs or "not trained on"))
    return Grid(("origin", *SPLITS, "median words", "weight in training"), tuple(rows))


def _tabulate_filters(filters: list[Mapping[str, Any]]) -> Block:
    """Tell how many queries each filter met and took, and a few that it took."""
    if not filters:
        return Paragraph("No filter was on.")
    rows = []
    for each in filters:
        before, removed = each.get("before", 0), each.get("removed", 0)
        shown = "; ".join(
            shorten(_tell_example(example), 80) for example in each.get("examples", ())[:3]
        )
        name = str(each.get("name", "")).replace("_", " ")
        rows.append((name, before, removed, Share(removed, before), shown))
    return Grid(("filter", "queries before", "removed", "share", "for example"), tuple(rows))


def _tell_example(example: object) -> str:
    match example:
        case Mapping():
            return " · ".join(str(value) for value in example.values())
        case list() | tuple():
            return " · ".join(map(str, example))
        case _:
            return str(example)


def _warn(queries: pa.Table) -> list[str]:
    return [
        f"Only {count:,} {split} queries: what is measured on them will be uncertain."
        for split in ("dev", "test")
        if (count := int(_equals(queries, "split", split).sum())) < MIN_EVALUATED
    ]
