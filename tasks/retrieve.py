"""retrieve: the teacher's best passages for every training query; the dear half of mining."""

import logging
from typing import TYPE_CHECKING

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
    """Passages retrieved per query: ten times what is kept, since most rules take some away."""
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
    from .model_files import load_encoder

    require_faiss()
    passages = read_passages(corpus)
    queries = read_queries(pairs, passages, {"train"})
    if not queries:
        raise BurnishError(
            f"Pairs {pairs.fingerprint} hold no training query, so there is nothing to learn from. "
            "Give more documents, or lower the dev and test fractions."
        )
    encoder = load_encoder(teacher.check().path)

    def vectors(texts: list[str], kind: "Kind", what: str) -> "np.ndarray":
        # every layer of passages: see above; the last of all else
        first = 1 if what == "embedding passages" else encoder.layers
        layers = range(first, encoder.layers + 1)
        return embed(
            corpus.root, teacher, texts, kind, layers, config.batch_tokens, what, encoder=encoder
        )[:, -1]

    index = build_index(vectors(passages.texts, "document", "embedding passages"))
    asked = vectors([query.text for query in queries], "query", "embedding queries")
    search = Search(
        index, asked, queries, passages, vectors, depth=config.depth, planted=config.planted
    )
    candidates = Candidates.write(corpus.root, search.run(), facts=search.tell)
    logger.info(
        "retrieved %d of %d passages for each of %d queries; %d have one of their own document's",
        min(config.depth, len(passages.ids)), len(passages.ids), len(queries),
        candidates.facts["queries_with_own_document"],
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
