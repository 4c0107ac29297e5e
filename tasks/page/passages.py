"""What the page says of the corpus: lengths, sources, near-duplicates, and what was set aside."""

from collections import Counter
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import pyarrow as pa
import pyarrow.compute as pc

from ..contracts import Corpus, Table
from .blocks import Block, Grid, Paragraph, Section, Share
from .columns import count_rejects, count_words, stream
from .pictures import draw_distributions

if TYPE_CHECKING:
    import numpy as np

MAX_SOURCES = 20  # lines of a table that a person still reads
MAX_SET_ASIDE = 0.2  # share of documents and passages beyond which something may be wrong
REST = "all others"


def describe_passages(corpus: Corpus) -> list[Section]:
    """Describe the passages of a corpus and what did not become one."""
    import numpy as np

    columns = corpus.read(["document_id", "source", "cluster"])
    words = np.concatenate(
        [count_words(batch.column("text")) for batch in stream(corpus, ("text",))]
        or [np.zeros(0, np.int32)]
    )
    return [
        Section("Passage lengths", _describe_lengths(words)),
        Section("Sources", [_tabulate_sources(columns, words, corpus)]),
        Section("Near-duplicates", [_describe_clusters(columns.column("cluster"))]),
        _describe_rejects(corpus),
    ]


def _describe_lengths(words: "np.ndarray") -> list[Block]:
    import numpy as np

    if not len(words):
        return [Paragraph("There is no passage.")]
    ranks = (0, 5, 25, 50, 75, 95, 100)
    values = np.percentile(words, ranks, method="nearest")
    names = ("shortest", "5 %", "25 %", "median", "75 %", "95 %", "longest")
    return [
        *draw_distributions("Passages by length", "words", {"passages": words}),
        Grid(("", *names), (("words", *map(int, values)),)),
    ]


def _tabulate_sources(columns: pa.Table, words: "np.ndarray", corpus: Corpus) -> Grid:
    """Count documents, passages, words, and what was set aside, by source or its folder."""
    import numpy as np

    aside = Counter(corpus.read_rejects().column("source").to_pylist())
    encoded = columns.column("source").combine_chunks().dictionary_encode()
    sources = encoded.dictionary.to_pylist()
    sizes = Counter(dict(zip(sources, np.bincount(encoded.indices).tolist(), strict=True)))
    places = group_sources(sizes + aside)
    named = sorted(set(places.values()))
    numbers = np.array([named.index(places[source]) for source in sources], np.int64)
    codes = numbers[encoded.indices.to_numpy()] if len(encoded) else numbers
    documents = pa.table({"place": codes, "document": columns.column("document_id")})
    distinct = documents.group_by("place").aggregate([("document", "count_distinct")]).to_pylist()
    counts = {row["place"]: row["document_count_distinct"] for row in distinct}
    passages = np.bincount(codes, minlength=len(named))
    lengths = np.bincount(codes, weights=words, minlength=len(named))
    apart = Counter({place: 0 for place in named})
    for source, count in aside.items():
        apart[places[source]] += count
    rows = [
        (name or "(none)", counts.get(n, 0), int(passages[n]), int(lengths[n]), apart[name])
        for n, name in enumerate(named)
    ]
    rows.sort(key=lambda row: (row[0] == REST, -row[2], row[0]))
    return Grid(("source", "documents", "passages", "words", "set aside"), tuple(rows))


def group_sources(sizes: Mapping[str, int], most: int = MAX_SOURCES) -> dict[str, str]:
    """Map every source to itself, or to the deepest folder that leaves at most `most` of them.

    Where even the first parts of the names are more, the largest stay and the rest are one.

    >>> group_sources({"a/b/1.md": 1, "a/b/2.md": 1, "a/c/3.md": 1}, most=2)
    {'a/b/1.md': 'a/b', 'a/b/2.md': 'a/b', 'a/c/3.md': 'a/c'}
    """
    parts = {source: source.split("/") for source in sizes}
    for depth in range(max(map(len, parts.values()), default=0), 0, -1):
        places = {source: "/".join(found[:depth]) for source, found in parts.items()}
        if len(set(places.values())) <= most:
            return places
    counts: Counter[str] = Counter()
    for source, size in sizes.items():
        counts[parts[source][0]] += size
    kept = {place for place, _ in counts.most_common(most - 1)}
    return {source: found[0] if found[0] in kept else REST for source, found in parts.items()}


def _describe_clusters(clusters: pa.ChunkedArray) -> Block:
    sizes = pc.value_counts(clusters)
    shared = sizes.filter(pc.greater(sizes.field("counts"), 1)).to_pylist()
    if not shared:
        return Paragraph("No two passages say nearly the same.")
    shared.sort(key=lambda row: (-row["counts"], row["values"]))
    inside = sum(row["counts"] for row in shared)
    told = ", ".join(f"{row['values']} ({row['counts']:,})" for row in shared[:5])
    return Paragraph(
        f"{inside:,} of {len(clusters):,} passages ({100 * inside / len(clusters):.1f} %) say "
        f"nearly the same as another: {len(shared):,} clusters, the largest those of {told}."
    )


def _describe_rejects(corpus: Corpus) -> Section:
    kinds = count_rejects(corpus)
    aside = sum(kind.times for kind in kinds)
    passages = corpus.facts.get("passages", 0)
    warnings = []
    if aside > MAX_SET_ASIDE * (aside + passages):
        warnings.append(
            f"{aside:,} documents and passages were set aside, beside {passages:,} passages kept; "
            f"most of them: {kinds[0].kind}."
        )
    return Section("Set aside while reading", tabulate_rejects(corpus), warnings)


def tabulate_rejects(table: Table) -> list[Block]:
    """Tell what was set aside while a table was made: kinds of reason, counts, and examples."""
    kinds = count_rejects(table)
    if not kinds:
        return [Paragraph("Nothing.")]
    whole = sum(kind.times for kind in kinds)
    rows = tuple(
        (kind.kind, kind.times, Share(kind.times, whole), ", ".join(kind.examples))
        for kind in kinds
    )
    return [Grid(("reason", "count", "share", "for example"), rows)]


def flatten_counts(facts: Mapping[str, Any], prefix: str = "") -> list[tuple[str, Any]]:
    """List numbers that may stand in one another, by name.

    >>> flatten_counts({"documents": {"listed": 9, "parsed": 1}, "chunked": 4})
    [('documents listed', 9), ('documents parsed', 1), ('chunked', 4)]
    """
    found: list[tuple[str, Any]] = []
    for name, value in facts.items():
        told = f"{prefix}{name}".replace("_", " ")
        if isinstance(value, Mapping):
            found += flatten_counts(value, f"{told} ")
        else:
            found.append((told, value))
    return found
