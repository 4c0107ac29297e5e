"""evaluate: every layer of the tuned model and of the base, and BM25, on the whole corpus."""

import logging
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from pydantic import Field

from .config import Config
from .contracts import Checkpoint, Corpus, Pairs, Scores
from .embed import embed
from .progress import progress
from .retrieve import require_faiss
from .stage import stage

if TYPE_CHECKING:
    import numpy as np

    from .benchmark import Benchmark, System
    from .core.encoder import Encoder, Kind

logger = logging.getLogger(__name__)

SAMPLED_PASSAGES = 2000  # enough for the mean length to be within a percent or two


class EvaluateConfig(Config):
    """How models are scored."""

    passages_per_query: int = Field(default=1000, ge=100, le=2000)
    """Passages searched per query, of which documents are ranked; long documents need more."""
    resamples: int = Field(default=10_000, ge=100)
    """Bootstrap resamples behind every interval."""
    seed: int = Field(default=0, ge=0)
    """Decides the bootstrap."""
    batch_tokens: int | None = Field(default=None, ge=1)
    """Tokens that go through the model at once, padding included; decides speed and memory alone.
    By default what suits the device."""


@stage
def evaluate(
    checkpoint: Checkpoint, base: Checkpoint, corpus: Corpus, pairs: Pairs, config: EvaluateConfig
) -> Scores:
    """Score every layer of the tuned model and of the base by searching the whole corpus.

    One pass per model gives all its layers; the base's was mostly made by `retrieve` already.
    Documents are ranked by their best passage (MaxP, arXiv:1905.09217). A query that was cut out
    of its passage finds that passage with the cut-out part hidden, or copying would be rewarded.

    Args:
        checkpoint: The trained model, not cut yet.
        base: The model it was made from.
        corpus: Passages of all splits, all of them searched.
        pairs: Queries; those of the splits `dev` and `test` are asked.
        config: Depth, bootstrap, batch size.

    Raises:
        BurnishError: there is no dev or test query, or FAISS is missing or installed twice.
    """
    from .benchmark import read_benchmark

    require_faiss()
    benchmark = read_benchmark(corpus, pairs)
    systems = [
        *_score_layers("tuned", checkpoint, benchmark, config, corpus),
        *_score_layers("base", base, benchmark, config, corpus),
        _score_bm25(benchmark, config),
    ]
    return _write(systems, benchmark, corpus, config)


@stage
def evaluate_last(
    checkpoint: Checkpoint,
    corpus: Corpus,
    pairs: Pairs,
    config: EvaluateConfig,
    system: str = "champion",
    has_more_layers: bool = False,
) -> Scores:
    """Score the last layer of one model, as `evaluate` does, under the name of `system`.

    `has_more_layers` says that `evaluate` may score the others too: then all are embedded at once.
    """
    from .benchmark import read_benchmark

    require_faiss()
    benchmark = read_benchmark(corpus, pairs)
    systems = _score_layers(
        system, checkpoint, benchmark, config, corpus,
        last_only=True, embeds_last_only=not has_more_layers,
    )  # fmt: skip
    return _write(systems, benchmark, corpus, config)


def _score_layers(
    name: str,
    checkpoint: Checkpoint,
    benchmark: "Benchmark",
    config: EvaluateConfig,
    corpus: Corpus,
    *,
    last_only: bool = False,
    embeds_last_only: bool = False,
) -> "list[System]":
    from .benchmark import System
    from .core.index import build_index, inner_products
    from .model_files import load_encoder

    encoder = load_encoder(checkpoint.check().path)
    layers = range(encoder.layers if last_only else 1, encoder.layers + 1)
    embedded = range(encoder.layers if embeds_last_only else 1, encoder.layers + 1)

    def vectors(texts: Sequence[str], kind: "Kind", what: str) -> "np.ndarray":
        return embed(
            corpus.root, checkpoint, texts, kind, embedded,
            config.batch_tokens, f"{name}: embedding {what}", encoder=encoder, wanted=layers,
        )  # fmt: skip

    asked = vectors(benchmark.questions, "query", "queries")
    seen = vectors(benchmark.hidden_texts, "document", "passages with the answer hidden")
    passages = vectors(benchmark.passages.texts, "document", "passages")
    tokens = _mean_tokens(encoder, benchmark.passages.texts)
    systems = []
    with progress(f"{name}: searching", len(layers) * len(asked), "queries") as advance:
        for number, layer in enumerate(layers):
            index = build_index(passages[:, number])
            rows, scores = index.search(
                asked[:, number], config.passages_per_query, advance=advance
            )
            products = inner_products(
                asked[benchmark.hidden_queries, number], seen[:, number, None]
            )
            values = benchmark.measure(rows, scores, products[:, 0])
            cost = encoder.gflops(tokens, layer)
            systems.append(System(name, layer, encoder.pooling, encoder.dimension, cost, values))
    return systems


def _score_bm25(benchmark: "Benchmark", config: EvaluateConfig) -> "System":
    import numpy as np

    from .benchmark import System
    from .core.lexical import LexicalIndex

    index = LexicalIndex(benchmark.passages.texts)
    with progress("BM25: searching", len(benchmark.questions), "queries") as advance:
        rows, scores = index.search(benchmark.questions, config.passages_per_query, advance=advance)
    hidden = np.array(
        [
            index.score(benchmark.questions[number], text)
            for number, text in zip(benchmark.hidden_queries, benchmark.hidden_texts, strict=True)
        ],
        dtype=np.float32,
    )
    hidden[hidden <= 0] = -np.inf  # without a common word it is not found at all
    return System("BM25", 0, "", 0, 0.0, benchmark.measure(rows, scores, hidden))


def _mean_tokens(encoder: "Encoder", texts: Sequence[str]) -> int:
    sample = texts[:: max(1, len(texts) // SAMPLED_PASSAGES)]
    lengths = [len(tokens) for tokens in encoder.tokenize(sample, "document")]
    return round(sum(lengths) / max(len(lengths), 1))


def _write(
    systems: "list[System]", benchmark: "Benchmark", corpus: Corpus, config: EvaluateConfig
) -> Scores:
    rows = benchmark.tabulate(systems, resamples=config.resamples, seed=config.seed)
    scores = Scores.write(corpus.root, rows, facts={"questions": benchmark.count()})
    logger.info("scored %s", "; ".join(_tell(rows, *group) for group, _ in benchmark.groups))
    return scores


def _tell(rows: list[dict[str, Any]], split: str, origin: str) -> str:
    """Tell the nDCG of each system's last layer on one group of questions."""
    shown = [row for row in rows if (row["split"], row["origin"]) == (split, origin)]
    last = {row["system"]: row for row in shown if row["metric"] == "ndcg@10"}  # in order of layers
    values = ", ".join(f"{name} {row['value']:.3f}" for name, row in last.items())
    return f"{split} {origin}, {len(shown[0]['values'])} questions, nDCG@10: {values}"
