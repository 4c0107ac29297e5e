"""ingest: documents from every source, cut into passages that the base model reads whole."""

import hashlib
import logging
import re
from collections import Counter
from collections.abc import Iterator
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pyarrow as pa
from pydantic import Field

from .config import Config
from .contracts import BurnishError, Checkpoint, Corpus, fingerprint
from .core.text import Document, Reject, compose
from .memo import Memo
from .model_layout import read_layout
from .progress import progress
from .sources import Listing, read_documents
from .stage import fingerprint_code, stage
from .tables import SAME_TEXT

if TYPE_CHECKING:
    from tokenizers import Tokenizer

logger = logging.getLogger(__name__)

CHUNKS = pa.list_(
    pa.struct([(name, pa.string()) for name in ("title", "section", "text", "position")])
)


class IngestConfig(Config):
    """How documents are cut into passages."""

    max_tokens: int = Field(default=256, ge=32, le=8192)
    """Longest passage in tokens of the base model, its title and heading included. Never more
    than the base model reads."""
    min_characters: int = Field(default=2, ge=1)
    """Passages with fewer letters and digits than this are set aside."""


@stage
def ingest(base: Checkpoint, listing: Listing, config: IngestConfig) -> Corpus:
    """Read the documents of all sources and cut them into passages.

    A passage is a stretch of one section, of whole sentences where they fit, and is named
    `<document_id>#<number>`. What cannot be read, is too short, or is there twice is set aside
    with its reason.

    Args:
        base: The model whose tokenizer measures passages.
        listing: The sources as they are now.
        config: Settings.

    Raises:
        BurnishError: no source gave a single passage, or the tokenizer cannot be read.
    """
    documents, rejects = read_documents(listing.sources, base.root)
    chunks = _chunk(base.check(), documents, config)
    rows, removed = _select(documents, chunks, config.min_characters)
    rejects += removed
    reasons = Counter(_kind(reject.reason) for reject in rejects)
    if not rows:
        raise BurnishError(
            f"The sources {', '.join(listing.sources)} gave no passage; set aside were "
            f"{dict(reasons)}. Name sources with more text, or lower --ingest.min-characters."
        )
    facts = {
        "documents": len({row["document_id"] for row in rows}),
        "passages": len(rows),
        "words": sum(len(row["text"].split()) for row in rows),
        "set_aside": len(rejects),
        "reasons": dict(sorted(reasons.items())),
    }
    logger.info(
        "ingest: %d documents, %d passages, %d words; set aside %d: %s",
        *facts.values(),
    )
    set_aside = [
        {"item": reject.document_id, "source": reject.source, "reason": reject.reason}
        for reject in sorted(rejects, key=lambda reject: (reject.document_id, reject.source))
    ]
    return Corpus.write(base.root, rows, facts=facts, rejects=set_aside)


def _chunk(
    base: Checkpoint, documents: list[Document], config: IngestConfig
) -> list[list[dict[str, str]]]:
    """Return the chunks of each document; one that is known is not cut again."""
    from .core import chunks

    layout = read_layout(base.path)
    tokenizer = _load_tokenizer(layout.transformer)
    prompt = layout.prompts.get("document", "")
    max_tokens = min(config.max_tokens, layout.max_tokens or config.max_tokens)
    if max_tokens < config.max_tokens:
        logger.info("ingest: passages of %d tokens; the base model reads no more", max_tokens)
    settings = {
        "tokenizer": hashlib.sha256(tokenizer.to_str().encode()).hexdigest(),
        "prompt": prompt,
        "max_tokens": max_tokens,
        "sentencex": version("sentencex"),
        "code": fingerprint_code(chunks),
    }

    def locate(texts: list[str]) -> list[list[int]]:
        found = tokenizer.encode_batch(texts, add_special_tokens=False)
        return [sorted(start for start, _ in encoding.offsets) for encoding in found]

    special = tokenizer.num_special_tokens_to_add(False) + len(locate([prompt])[0])

    def compute(items: list[Document]) -> Iterator[list[dict[str, str]]]:
        found = chunks.split(items, locate, max_tokens=max_tokens, special_tokens=special)
        return ([vars(chunk) for chunk in chunked] for chunked in found)

    keys = [_key(document) for document in documents]
    items = dict(zip(keys, documents, strict=True))
    memo = Memo(base.root, "chunks", settings, CHUNKS)
    with progress("ingest", len(items), "documents") as advance:
        results = memo.fill(items, compute, advance=advance).to_pylist()
    logger.info("ingest: cut %d documents, knew %d", memo.computed, len(items) - memo.computed)
    known = dict(zip(items, results, strict=True))
    return [known[key] for key in keys]


def _key(document: Document) -> str:
    """Hash all of a document that decides its chunks: not its name, nor where it is."""
    return fingerprint(document.title, [list(vars(s).values()) for s in document.sections])


def _select(
    documents: list[Document], chunks: list[list[dict[str, str]]], min_characters: int
) -> tuple[list[dict[str, Any]], list[Reject]]:
    """Name the passages; set aside those that are too short or there already."""
    rows: list[dict[str, Any]] = []
    rejects: list[Reject] = []
    seen: dict[str, str] = {}
    for document, found in zip(documents, chunks, strict=True):
        for number, chunk in enumerate(found):
            name = f"{document.document_id}#{number}"
            text = " ".join(compose(chunk["title"], chunk["section"], chunk["text"]).split())
            key = hashlib.sha256(text.encode()).hexdigest()
            if sum(map(str.isalnum, chunk["text"])) < min_characters:
                reason = f"too short: under {min_characters} letters and digits"
                rejects.append(Reject(name, document.source, reason))
            elif key in seen:
                rejects.append(Reject(name, document.source, SAME_TEXT + seen[key]))
            else:
                seen[key] = name
                row = {"document_id": document.document_id, "source": document.source}
                rows.append({"passage_id": name, **row, **chunk})
    return rows, rejects


def _kind(reason: str) -> str:
    """Return what a reason has in common with others.

    >>> _kind("kind not read: .pdf"), _kind("same text as guide.md#2")
    ('kind not read', 'same text')
    """
    return re.split(r":| as ", reason, maxsplit=1)[0]


def _load_tokenizer(folder: Path) -> "Tokenizer":
    """Load the tokenizer alone: it takes a moment where a model takes seconds."""
    from tokenizers import Tokenizer

    file = folder / "tokenizer.json"
    if file.is_file():
        tokenizer = Tokenizer.from_file(str(file))
    else:
        from transformers import AutoTokenizer

        try:
            tokenizer = AutoTokenizer.from_pretrained(folder).backend_tokenizer
        except (OSError, ValueError, AttributeError) as error:
            raise BurnishError(
                f"The base model in {folder} has no tokenizer.json, and its other files give no "
                "tokenizer either. Name a base whose folder holds tokenizer.json."
            ) from error
    tokenizer.no_truncation()
    tokenizer.no_padding()
    return tokenizer
