"""Documents and people's queries of a corpus, each in its split."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import chain

from .clicked import ClickConfig, read_clicked
from .contracts import Corpus
from .core.clicks import leave_judged
from .core.duplicates import find_families
from .core.pairs import Entry
from .core.questions import Aside, Question, place_questions
from .core.splits import Split, find_straddling
from .human import read_questions
from .sources.listing import Listing
from .tables import find_twins, read_aliases


@dataclass(frozen=True)
class Placed:
    """What is trained on and what is kept for evaluation.

    Attributes:
        questions: People's questions and clicks, each in its final split.
        splits: Split of every document.
        straddling: Clusters of near-copies that more than one split has a passage of.
        aside: What was set aside on the way.
    """

    questions: Sequence[Question]
    splits: Mapping[str, Split]
    straddling: frozenset[str]
    aside: Sequence[Aside]


def place(
    corpus: Corpus,
    listing: Listing,
    entries: Sequence[Entry],
    clicks: ClickConfig,
    *,
    use_train: bool,
    human_weight: float,
    dev_fraction: float,
    test_fraction: float,
) -> Placed:
    """Place documents and people's queries in splits, near-copies together.

    Args:
        corpus: Passages.
        listing: Folders with judgments, and click logs.
        entries: The passages of the corpus.
        clicks: What clicks are worth.
        use_train: Whether people's training questions and clicks count at all.
        human_weight: Weight in training of a question that people judged documents for.
        dev_fraction: Share of the documents that no question claims for dev.
        test_fraction: The same for test.

    Raises:
        BurnishError: judgments or clicks name no document of the corpus.
    """
    ids = list(dict.fromkeys(entry.document_id for entry in entries))
    known = set(ids)
    twins = find_twins(corpus, known)
    judged, unread = read_questions(
        listing, corpus.root, known, twins, use_train=use_train, weight=human_weight
    )
    clicked, unclicked = (
        read_clicked(listing, corpus.root, known, twins, clicks, human_weight)
        if use_train
        else ([], [])
    )
    clicked, doubled = leave_judged(clicked, judged)
    clusters, documents = _told(corpus, entries)
    questions, splits, unplaced = place_questions(
        [*judged, *clicked],
        ids,
        dev_fraction=dev_fraction,
        test_fraction=test_fraction,
        families=find_families(documents, clusters),
    )
    straddling = frozenset(find_straddling(clusters, documents, splits))
    copied = (
        Aside(entry.passage_id, entry.source, f"near-copy across splits: {entry.cluster}")
        for entry in entries
        if entry.cluster in straddling
    )
    aside = [*chain(unread, unclicked, doubled, unplaced, copied)]
    return Placed(questions, splits, straddling, aside)


def _told(corpus: Corpus, entries: Sequence[Entry]) -> tuple[list[str], list[str]]:
    """List cluster and document of all that is told, what ingestion set aside as a copy too."""
    of_passage = {entry.passage_id: entry.cluster for entry in entries}
    aliases = read_aliases(corpus)
    clusters = [entry.cluster for entry in entries]
    documents = [entry.document_id for entry in entries]
    for removed, kept in sorted(aliases.items()):
        while kept in aliases and kept not in of_passage:  # a copy of a copy
            kept = aliases[kept]
        if kept in of_passage:
            clusters.append(of_passage[kept])
            documents.append(removed.rpartition("#")[0])
    return clusters, documents
