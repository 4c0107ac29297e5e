"""ingest: documents from every source, cut into passages that the base model reads whole."""

import logging
import re
from collections import Counter
from typing import Any

from pydantic import Field

from .cleaning import Cleaning
from .config import Config
from .contracts import BurnishError, Checkpoint, Corpus
from .core.boilerplate import remove_boilerplate
from .core.quality import Bounds
from .passages import cut
from .sources import Listing, read_documents
from .stage import stage

logger = logging.getLogger(__name__)


class IngestConfig(Config):
    """How documents are cut into passages, and which passages are set aside."""

    max_tokens: int = Field(default=256, ge=32, le=8192)
    """Longest passage in tokens of the base model, its title and heading included. Never more
    than the base model reads."""
    min_characters: int = Field(default=2, ge=1)
    """Passages with fewer letters and digits than this are set aside."""
    max_characters: int | None = Field(default=None, ge=1)
    """Passages with more characters than this are set aside; none sets no bound."""
    max_word_characters: int | None = Field(default=None, ge=10)
    """Passages with a longer run of printable characters than this, as encoded files and minified
    code have, are set aside; none sets no bound."""
    min_letter_share: float = Field(default=0.0, ge=0, le=1)
    """Passages with a smaller share of letters among what is no white space are set aside: at 0.4
    tables of figures and lines drawn with symbols go."""
    languages: tuple[str, ...] = ()
    """ISO 639 codes, as en or de. Passages that are certainly in another language are set aside;
    those too short to tell stay. None named, all stay."""
    boilerplate_documents: int | None = Field(default=None, ge=2)
    """Paragraphs and lines of four words or more that so many documents repeat, as menus, footers,
    and licences are, are removed from all of these but the first; none removes nothing."""
    near_duplicate_similarity: float = Field(default=0.8, ge=0.7, le=1)
    """Least share of three-word sequences in common (Jaccard) that makes two passages
    near-duplicates (arXiv:2107.06499). They are never each other's negatives, nor in training and
    evaluation both."""
    remove_near_duplicates: bool = False
    """Set aside near-duplicates but the first. Off, because a passage that differs in one figure
    or name may be the only one that answers a query; near-duplicates do no harm in training."""


@stage
def ingest(base: Checkpoint, listing: Listing, config: IngestConfig) -> Corpus:
    """Read the documents of all sources, cut them into passages, and clean these.

    A passage is a stretch of one section, of whole sentences where they fit, and is named
    `<document_id>#<number>`. What cannot be read, breaks a rule of the settings, or is there twice
    is set aside with its reason. Near-duplicates that stay share a cluster.

    Args:
        base: The model whose tokenizer measures passages.
        listing: The sources as they are now.
        config: Settings.

    Raises:
        BurnishError: no source gave a single passage, the tokenizer cannot be read, or a language
            is unknown.
    """
    documents, rejects, reading = read_documents(listing, base.root)
    if config.boilerplate_documents is not None:
        documents, removed = remove_boilerplate(documents, config.boilerplate_documents)
        rejects += removed
    passages, chunked = cut(base, documents, config.max_tokens)
    cleaning = Cleaning(base.root, passages, rejects)
    cleaning.drop_faults(_read_bounds(config))
    cleaning.drop_foreign(config.languages)
    cleaning.drop_copies()
    cleaning.cluster(config.near_duplicate_similarity)
    near = sum(row["cluster"] != row["passage_id"] for row in cleaning.rows)
    if config.remove_near_duplicates:
        cleaning.drop_near_copies()
    work = {"documents": reading, "chunked": chunked, **cleaning.work}
    facts = _tell(cleaning, near, work)
    if not cleaning.rows:
        raise BurnishError(
            f"The sources {', '.join(listing.sources)} gave no passage; set aside were "
            f"{facts['reasons']}. Name sources with more text, or loosen the rules of --ingest."
        )
    set_aside = [
        {"item": reject.document_id, "source": reject.source, "reason": reject.reason}
        for reject in sorted(cleaning.rejects, key=lambda reject: tuple(vars(reject).values()))
    ]
    return Corpus.write(base.root, cleaning.rows, facts=facts, rejects=set_aside)


def _read_bounds(config: IngestConfig) -> Bounds:
    return Bounds(
        config.min_characters,
        config.max_characters,
        config.max_word_characters,
        config.min_letter_share,
    )


def _tell(cleaning: Cleaning, near_duplicates: int, work: dict[str, Any]) -> dict[str, Any]:
    """Return the numbers that a person wants to see, and log them."""
    reasons = Counter(_kind(reject.reason) for reject in cleaning.rejects)
    facts = {
        "documents": len({row["document_id"] for row in cleaning.rows}),
        "passages": len(cleaning.rows),
        "words": sum(len(row["text"].split()) for row in cleaning.rows),
        "near_duplicates": near_duplicates,
        "set_aside": len(cleaning.rejects),
        "reasons": dict(sorted(reasons.items())),
        "work": work,
    }
    logger.info(
        "ingest: %d documents, %d passages, %d words, %d near-duplicates; set aside %d: %s; "
        "work: %s",
        *facts.values(),
    )
    return facts


def _kind(reason: str) -> str:
    """Return what a reason has in common with others.

    >>> _kind("kind not read: .pdf"), _kind("same text as guide.md#2")
    ('kind not read', 'same text')
    """
    return re.split(r":| as ", reason, maxsplit=1)[0]
