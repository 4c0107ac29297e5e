"""Passages: what documents are cut into, each cut once for all runs."""

import hashlib
import logging
from collections.abc import Iterator, Sequence
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING

import pyarrow as pa

from .contracts import BurnishError, Checkpoint, fingerprint
from .core.text import Document
from .memo import Memo
from .model_layout import read_layout
from .progress import progress
from .stage import fingerprint_code

if TYPE_CHECKING:
    from tokenizers import Tokenizer

logger = logging.getLogger(__name__)

AT_ONCE_CHARACTERS = 1 << 22  # of documents cut together; their tokens take 50 times as many bytes
CHUNKS = pa.list_(
    pa.struct([(name, pa.string()) for name in ("title", "section", "text", "position")])
)


def cut(
    base: Checkpoint, documents: Sequence[Document], max_tokens: int
) -> tuple[list[dict[str, str]], int]:
    """Cut documents into passages that a model reads whole; one that is known is not cut again.

    Args:
        base: The model whose tokenizer measures passages.
        documents: Documents.
        max_tokens: Longest passage; never more than the model reads.

    Returns:
        The passages, all columns of `Corpus` but `cluster`, and how many documents were cut.

    Raises:
        BurnishError: the tokenizer cannot be read.
    """
    keys = [_key(document) for document in documents]
    items = dict(zip(keys, documents, strict=True))
    chunks, computed = _fill(base, items, max_tokens)
    rows = [
        {
            "passage_id": f"{document.document_id}#{number}",
            "document_id": document.document_id,
            "source": document.source,
            **chunk,
        }
        for document, key in zip(documents, keys, strict=True)
        for number, chunk in enumerate(chunks[key])
    ]
    return rows, computed


def _fill(
    base: Checkpoint, items: dict[str, Document], max_tokens: int
) -> tuple[dict[str, list[dict[str, str]]], int]:
    """Return the chunks of each document, and how many were not known."""
    from .core import chunks

    layout = read_layout(base.path)
    tokenizer = _load_tokenizer(layout.transformer)
    prompt = layout.prompts.get("document", "")
    bound = min(max_tokens, layout.max_tokens or max_tokens)
    if bound < max_tokens:
        logger.info("ingest: passages of %d tokens; the base model reads no more", bound)
    settings = {
        "tokenizer": hashlib.sha256(tokenizer.to_str().encode()).hexdigest(),
        "prompt": prompt,
        "max_tokens": bound,
        "sentencex": version("sentencex"),
        "code": fingerprint_code(chunks),
    }

    def locate(texts: list[str]) -> list[list[int]]:
        found = tokenizer.encode_batch(texts, add_special_tokens=False)
        return [sorted(start for start, _ in encoding.offsets) for encoding in found]

    special = tokenizer.num_special_tokens_to_add(False) + len(locate([prompt])[0])

    def compute(documents: list[Document]) -> Iterator[list[dict[str, str]]]:
        for some in _bounded(documents):
            found = chunks.split(some, locate, max_tokens=bound, special_tokens=special)
            yield from ([vars(chunk) for chunk in chunked] for chunked in found)

    memo = Memo(base.root, "chunks", settings, CHUNKS)
    with progress("ingest", len(items), "documents") as advance:
        results = memo.fill(items, compute, advance=advance).to_pylist()
    return dict(zip(items, results, strict=True)), memo.computed


def _bounded(documents: Sequence[Document]) -> Iterator[list[Document]]:
    """Group documents by what the tokenizer may hold of them at once."""
    group: list[Document] = []
    held = 0
    for document in documents:
        size = sum(len(section.text) for section in document.sections)
        if group and held + size > AT_ONCE_CHARACTERS:
            yield group
            group, held = [], 0
        group.append(document)
        held += size
    if group:
        yield group


def _key(document: Document) -> str:
    """Hash all of a document that decides its chunks: not its name, nor where it is."""
    return fingerprint(document.title, [list(vars(s).values()) for s in document.sections])


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
