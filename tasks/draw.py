"""draw: the dataset as a page that people read, in Markdown and in HTML."""

import json
import logging
from pathlib import Path

from .contracts import Candidates, Corpus, Manifest, Pairs, Triplets
from .page.blocks import Block, Cell, Figures, Grid, Notes, Paragraph, Record, Section
from .stage import stage

logger = logging.getLogger(__name__)


class Page(Manifest):
    """A page about a dataset: `dataset.md`, and `dataset.html`, which needs nothing beside it."""

    @property
    def markdown(self) -> str:
        """Read the page in Markdown, pictures included."""
        return (self.check().path / "dataset.md").read_text(encoding="utf-8")

    @property
    def html(self) -> Path:
        """Return the HTML file; it fetches nothing and runs nothing."""
        return self.check().path / "dataset.html"


@stage
def draw(corpus: Corpus, pairs: Pairs, candidates: Candidates, triplets: Triplets) -> Page:
    """Show a dataset: lengths, sources, what was set aside, yields, scores, and rows to read.

    Counts are of everything; scores are of at most 2,000 training queries, drawn by hash.

    Args:
        corpus: Passages.
        pairs: Queries.
        candidates: What the teacher found.
        triplets: Training rows.
    """
    from .page.html import render_html
    from .page.markdown import render_markdown

    sections = describe(corpus, pairs, candidates, triplets)
    pages = {
        "dataset.md": render_markdown("The dataset", sections),
        "dataset.html": render_html("The dataset", sections),
    }

    def write(folder: Path) -> None:
        for name, text in pages.items():
            (folder / name).write_text(text, encoding="utf-8")

    warnings = [warning for section in sections for warning in section.warnings]
    logger.info("drew the dataset; to look at: %s", " ".join(warnings) or "nothing stands out")
    return Page.commit(corpus.root, write, {"warnings": warnings})


def describe(
    corpus: Corpus, pairs: Pairs, candidates: Candidates, triplets: Triplets
) -> list[Section]:
    """Return all sections of the page, what needs a look first."""
    from .page.negatives import describe_negatives
    from .page.passages import describe_passages
    from .page.queries import describe_queries
    from .page.rows import read_mined, sample_rows

    mined = read_mined(pairs, candidates, triplets)
    sections = [
        *describe_passages(corpus),
        *describe_queries(corpus, pairs),
        *describe_negatives(triplets, list(mined.values())),
    ]
    samples = sample_rows(corpus, pairs, mined)
    told = (
        f"{len(samples)} drawn from all, of every origin about as many. The score is the "
        "teacher's; what is marked in an answer is hidden from the model in training."
    )
    warnings = [warning for section in sections for warning in section.warnings]
    first = Section("At a glance", [_count(corpus, pairs, triplets)])
    if warnings:
        first.blocks.append(Notes(tuple(warnings)))
    return [
        first,
        *sections,
        Section("Training rows to read", [Paragraph(told), *samples]),
        *_tell_facts(corpus, pairs, candidates, triplets),
    ]


def _count(corpus: Corpus, pairs: Pairs, triplets: Triplets) -> Figures:
    queries = pairs.facts.get("queries", {}).values()
    values: list[tuple[Cell, str]] = [
        (corpus.facts.get(name, 0), name) for name in ("documents", "passages", "words")
    ]
    for split in ("train", "dev", "test"):
        values.append((sum(counts.get(split, 0) for counts in queries), f"{split} queries"))
    values.append((triplets.facts.get("kept", 0), "hard negatives"))
    return Figures(tuple(values))


def _tell_facts(*nouns: Manifest) -> list[Section]:
    """Tell the work each noun took, and everything else that was recorded with it."""
    from .page.passages import flatten_counts

    work: list[tuple[Cell, ...]] = [
        (type(noun).__name__, name, value)
        for noun in nouns
        for name, value in flatten_counts(noun.facts.get("work", {}))
    ]
    blocks: list[Block] = [Grid(("made", "work", "count"), tuple(work))] if work else []
    records: list[Block] = [
        Record(
            f"{type(noun).__name__} {noun.fingerprint}",
            json.dumps(noun.facts, indent=2, ensure_ascii=False),
        )
        for noun in nouns
    ]
    return [Section("Work done and numbers as recorded", blocks + records)]
