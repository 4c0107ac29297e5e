"""retrieve: the teacher's best passages for every training query; the dear half of mining."""

import logging
from typing import TYPE_CHECKING, Any, Literal

from pydantic import Field

from .config import Config
from .contracts import BurnishError, Candidates, Checkpoint, Corpus, Pairs
from .embed import embed
from .stage import stage
from .tables import read_passages, read_queries

if TYPE_CHECKING:
    import numpy as np

    from .core.encoder import Kind

logger = logging.getLogger(__name__)


class RetrieveConfig(Config):
    """How the passages are found that negatives are chosen from."""

    depth: int = Field(default=100, ge=1, le=2000)
    """Passages retrieved per query: many times what is kept, since most rules take some away."""
    index: Literal["auto", "flat", "ivf"] = "auto"
    """flat looks at all passages, ivf at those in cells near the query; auto is flat, but ivf on a
    CPU beyond exact_passages. The facts tell which it was, and what share of the exact best ivf
    finds."""
    exact_passages: int = Field(default=1_000_000, ge=1)
    """Most passages of which auto looks at all on a CPU."""
    planted: int = Field(default=256, ge=0)
    """Queries for which a text known to answer is planted, to see what mining would make of it."""
    batch_tokens: int | None = Field(default=None, ge=1)
    """Tokens that go through the model at once, padding included; decides speed and memory alone.
    By default what suits the device."""


@stage
def retrieve(
    corpus: Corpus, pairs: Pairs, teacher: Checkpoint, config: RetrieveConfig
) -> Candidates:
    """Search the whole corpus with the teacher for every training query.

    Passages are embedded at every layer of the teacher though only the last is searched: a layer
    costs nothing in the same pass, and `evaluate`, which scores each layer of the base, then finds
    the corpus embedded.

    Args:
        corpus: Passages, all of them searched.
        pairs: Queries; those of the split `train` are asked.
        teacher: The model that retrieves, mostly the base.
        config: Depth and batch size.

    Raises:
        BurnishError: there is no training query, or FAISS is missing or installed twice.
    """
    from .candidates import Search
    from .core.index import build_index
    from .kept_hits import KeptHits
    from .model_files import load_encoder

    require_faiss()
    passages = read_passages(corpus)
    queries = read_queries(pairs, passages, {"train"})
    if not queries:
        raise BurnishError(
            f"Pairs {pairs.fingerprint} hold no training query, so there is nothing to learn from. "
            "Give more documents, or lower --synthesize.dev-fraction and "
            "--synthesize.test-fraction."
        )
    encoder = load_encoder(teacher.check().path)
    last = encoder.layers
    work: dict[str, int] = {}

    def vectors(texts: list[str], kind: "Kind", what: str, first: int = last) -> "np.ndarray":
        return embed(
            corpus.root, teacher, texts, kind, range(first, last + 1), config.batch_tokens, what,
            wanted=[last], encoder=encoder, work=work,
        )[:, 0]  # fmt: skip

    index = build_index(
        vectors(passages.texts, "document", "embedding passages", first=1),
        kind=config.index,
        exact_vectors=config.exact_passages,
    )
    asked = vectors([query.text for query in queries], "query", "embedding queries")
    kept = KeptHits(corpus.root, teacher, encoder, last)
    search = Search(
        index, asked, queries, passages, vectors, kept,
        depth=config.depth, planted=config.planted,
    )  # fmt: skip

    def tell() -> dict[str, Any]:
        facts = search.tell()
        return facts | {"work": {**work, **facts["work"]}}

    candidates = Candidates.write(corpus.root, search.run(), facts=tell)
    logger.info(
        "retrieved %d of %d passages for each of %d queries; %d have one of their own document's; "
        "work: %s",
        min(config.depth, len(passages.ids)), len(passages.ids), len(queries),
        candidates.facts["queries_with_own_document"], candidates.facts["work"],
    )  # fmt: skip
    return candidates


def require_faiss() -> None:
    """Refuse to begin where nothing can be searched: embedding comes first and takes hours.

    Raises:
        BurnishError: FAISS is missing, or installed twice.
    """
    from .core.index import import_faiss

    try:
        import_faiss()
    except ValueError as error:
        raise BurnishError(str(error)) from error
