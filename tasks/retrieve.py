"""retrieve: the teacher's best passages for every training query; the dear half of mining."""

import logging
from typing import TYPE_CHECKING

from pydantic import Field

from .config import Config
from .contracts import BurnishError, Candidates, Checkpoint, Corpus, Pairs
from .embed import embed
from .stage import stage
from .tables import AskedQuery, Passages, read_passages, read_queries

if TYPE_CHECKING:
    import numpy as np
    import pyarrow as pa

    from .core.encoder import Encoder

logger = logging.getLogger(__name__)

POSITIVES_PER_BLOCK = 65536


class RetrieveConfig(Config):
    """How the passages are found that negatives are chosen from."""

    depth: int = Field(default=100, ge=1, le=2000)
    """Passages retrieved per query: ten times what is kept, since most rules take some away."""
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
    index = build_index(
        embed(
            corpus.root, teacher, passages.texts, "document", range(1, encoder.layers + 1),
            config.batch_tokens, "embedding passages", encoder=encoder,
        )[:, -1]
    )  # fmt: skip
    asked = embed(
        corpus.root, teacher, [query.text for query in queries], "query", [encoder.layers],
        config.batch_tokens, "embedding queries", encoder=encoder,
    )[:, 0]  # fmt: skip
    rows, scores = index.search(asked, config.depth)
    positives = _score_positives(
        index.vectors, asked, queries, passages, teacher, encoder, config.batch_tokens
    )
    found = _count_found(rows, queries, passages)
    logger.info(
        "retrieved %d of %d passages for each of %d queries; %d have one of their own document's",
        min(config.depth, len(passages.ids)), len(passages.ids), len(queries), found,
    )  # fmt: skip
    facts = {"queries": len(queries), "depth": config.depth, "queries_with_own_document": found}
    table = _tabulate(queries, passages, rows, scores, positives)
    return Candidates.write(corpus.root, table, facts=facts)


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


def _score_positives(
    vectors: "np.ndarray",
    asked: "np.ndarray",
    queries: list[AskedQuery],
    passages: Passages,
    teacher: Checkpoint,
    encoder: "Encoder",
    batch_tokens: int | None,
) -> "np.ndarray":
    """Score every query's answers in order: (answers of all queries,) float32.

    A query that was cut out of its passage would score it too high, and so would the ceiling that
    negatives stay below; the passage is scored as the model is to see it, with the span hidden.
    """
    import numpy as np

    from .core.index import inner_products
    from .core.text import mask

    answers = [(number, answer) for number, query in enumerate(queries) for answer in query.answers]
    numbers = np.array([number for number, _ in answers], dtype=np.int64)
    rows = np.array([answer.row for _, answer in answers], dtype=np.int64)
    hidden = [place for place, (_, answer) in enumerate(answers) if answer.masked]
    texts = [mask(passages.texts[rows[place]], answers[place][1].masked) for place in hidden]
    seen = embed(
        teacher.root, teacher, texts, "document", [encoder.layers],
        batch_tokens, "embedding passages with the answer hidden", encoder=encoder,
    )[:, 0]  # fmt: skip
    scores = [
        inner_products(asked[numbers[part]], vectors[rows[part], None])[:, 0]
        for part in (
            slice(start, start + POSITIVES_PER_BLOCK)
            for start in range(0, len(answers), POSITIVES_PER_BLOCK)
        )
    ]
    joined = np.concatenate(scores)
    joined[hidden] = inner_products(asked[numbers[hidden]], seen[:, None])[:, 0]
    return joined


def _count_found(rows: "np.ndarray", queries: list[AskedQuery], passages: Passages) -> int:
    """Count the queries whose candidates hold a passage of a document that answers them."""
    import numpy as np

    documents = np.where(rows < 0, -1, passages.documents[rows])
    return sum(
        bool(np.isin(found, [passages.documents[answer.row] for answer in query.answers]).any())
        for found, query in zip(documents, queries, strict=True)
    )


def _tabulate(
    queries: list[AskedQuery],
    passages: Passages,
    rows: "np.ndarray",
    scores: "np.ndarray",
    positive_scores: "np.ndarray",
) -> "pa.Table":
    import numpy as np
    import pyarrow as pa

    ids = pa.array(passages.ids, pa.string())
    is_found = rows >= 0
    ends = np.concatenate([[0], np.cumsum(is_found.sum(axis=1))])
    own = [answer.row for query in queries for answer in query.answers]
    own_ends = np.concatenate([[0], np.cumsum([len(query.answers) for query in queries])])

    def lists(offsets: np.ndarray, values: pa.Array) -> pa.ListArray:
        return pa.ListArray.from_arrays(pa.array(offsets, pa.int32()), values)

    return pa.table(
        {
            "query_id": [query.query_id for query in queries],
            "passage_ids": lists(ends, ids.take(pa.array(rows[is_found]))),
            "scores": lists(ends, pa.array(scores[is_found])),
            "positive_ids": lists(own_ends, ids.take(pa.array(own, pa.int64()))),
            "positive_scores": lists(own_ends, pa.array(positive_scores)),
        }
    )
