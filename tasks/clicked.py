"""Click logs of a listing, checked against the corpus."""

from collections.abc import Collection, Iterator, Mapping
from pathlib import Path

from pydantic import Field

from .config import Config
from .contracts import BurnishError
from .core.clicks import weigh_clicks
from .core.questions import Aside, Question
from .core.text import Reject
from .sources.clicks import read_clicks
from .sources.listing import Listing, open_inventory


class ClickConfig(Config):
    """What clicks are worth: they are many, and noisy."""

    min_clicks: int = Field(default=2, ge=1)
    """Clicks of a query on a document for it to count: a single one may be a slip."""
    max_documents: int = Field(default=3, ge=1)
    """Most documents that answer one query, the most clicked first."""
    weight: float = Field(default=1.5, gt=0)
    """Weight in training of a query clicked that often, where a made one has 1. Ten times the
    clicks add as much again, up to the weight of a question that people judged."""


def read_clicked(
    listing: Listing,
    root: Path,
    document_ids: Collection[str],
    twins: Mapping[str, str],
    config: ClickConfig,
    max_weight: float,
) -> tuple[list[Question], list[Aside]]:
    """Read the click logs as training questions; clicks never judge a model.

    Args:
        listing: Names click logs.
        root: Folder of all nouns, for copies of what is behind a URL.
        document_ids: Documents of the corpus.
        twins: For a clicked document that the corpus has under another id alone, that id.
        config: What clicks are worth.
        max_weight: Bound on the weight of a query.

    Returns:
        The questions, and what was set aside.

    Raises:
        BurnishError: no document that a log names is in the corpus.
    """
    aside: list[Aside] = []

    def known() -> Iterator[tuple[str, str, int]]:
        for log in listing.clicks:
            unknown, found = "", 0
            inventory = open_inventory(root, "clicks", log, listing.max_file_bytes)
            for click in read_clicks(log, inventory):
                if isinstance(click, Reject):
                    aside.append(Aside(click.document_id, click.source, click.reason))
                    continue
                document_id = twins.get(click.document_id, click.document_id)
                if click.split not in ("", "train"):
                    reason = f"clicks are trained on alone: {click.split}"
                    aside.append(Aside(click.query, log, reason))
                elif document_id not in document_ids:
                    unknown = document_id
                    aside.append(Aside(click.query, log, f"unknown document: {document_id}"))
                else:
                    found += 1
                    yield click.query, document_id, click.times
            if unknown and not found:
                raise _unknown(log, unknown, document_ids)

    questions, removed = weigh_clicks(
        known(),
        ", ".join(listing.clicks),
        min_clicks=config.min_clicks,
        max_documents=config.max_documents,
        weight=config.weight,
        max_weight=max_weight,
    )
    return questions, aside + removed


def _unknown(log: str, example: str, document_ids: Collection[str]) -> BurnishError:
    return BurnishError(
        f"No click in {log} is on a document of this corpus: it names {example!r}, the corpus has "
        f"ids like {min(document_ids, default='')!r}. Add the source these clicks are about, or "
        "leave the log out."
    )
