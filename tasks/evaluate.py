"""evaluate: every cell of the tuned model, the base, BM25, and an endpoint, on the whole corpus."""

import logging
from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Literal

from pydantic import Field

from .config import Config
from .contracts import Checkpoint, Corpus, Pairs, Scores
from .endpoint import EmbeddingEndpointConfig
from .retrieve import require_faiss
from .sources import Listing
from .stage import stage

if TYPE_CHECKING:
    from .benchmark import Benchmark, System
    from .scoring import Search

logger = logging.getLogger(__name__)


class EvaluateConfig(Config):
    """How models are scored."""

    poolings: tuple[Literal["mean", "cls", "max", "lasttoken"], ...] = ()
    """Poolings that are scored besides each model's own; one pass gives all."""
    endpoint: EmbeddingEndpointConfig = EmbeddingEndpointConfig()
    """An embedding model behind an API that is scored beside ours; none if it is not named."""
    general: str | None = None
    """Folder in BEIR's layout, or pydoc:, on which it is measured what the model has forgotten. Not
    given, it is pydoc: (Python's documentation, 360 questions), unless that is tuned on; '' leaves
    it out."""
    general_passages: int | None = Field(default=None, ge=10)
    """Most documents of it that are searched: those that answer a question, and a sample. By
    default as many as there are passages to tune on, but 500 at least and 1000 at most."""
    passages_per_query: int = Field(default=1000, ge=100, le=2000)
    """Passages searched per query, of which documents are ranked; long documents need more."""
    resamples: int = Field(default=10_000, ge=100)
    """Bootstrap resamples behind every interval."""
    seed: int = Field(default=0, ge=0)
    """Decides the bootstrap, and what is drawn of a general set."""
    batch_tokens: int | None = Field(default=None, ge=1)
    """Tokens that go through the model at once, padding included; decides speed and memory alone.
    By default what suits the device."""


@stage
def evaluate(
    checkpoint: Checkpoint,
    base: Checkpoint,
    corpus: Corpus,
    pairs: Pairs,
    config: EvaluateConfig,
    general: Listing | None = None,
    healed: Sequence[Checkpoint] = (),
    address: str = "",
) -> Scores:
    """Score every cell of the tuned model, and the base, by searching the whole corpus.

    A cell is a layer, a pooling, and a length that the model was trained for. One pass per model
    gives all its cells; the base's was mostly made by `retrieve` already. Documents are ranked by
    their best passage (MaxP, arXiv:1905.09217). A query that was cut out of its passage finds that
    passage with the cut-out part hidden, or copying would be rewarded.

    Args:
        checkpoint: The trained model, not cut yet.
        base: The model it was made from.
        corpus: Passages of all splits, all of them searched.
        pairs: Queries; those of the splits `dev` and `test` are asked.
        config: Cells, endpoint, depth, bootstrap, batch size.
        general: Questions about something else, from `list_general`: there the tuned model's exits
            are scored, and the base's last layer.
        healed: Models of fewer layers made of the tuned one. At their depths they are `tuned`; what
            is read off the tuned model at a layer that was not trained for it is `plain`.
        address: From `identify_endpoint`; another one, other scores of the endpoint.

    Raises:
        BurnishError: there is no dev or test query, FAISS is missing or installed twice, the
            endpoint does not answer, or the general set cannot be read.
    """
    from .benchmark import read_benchmark
    from .endpoint import score_endpoint
    from .general import bound_general, read_general
    from .scoring import Model, score_bm25
    from .speed import measure_layers
    from .tuned import Tuned

    require_faiss()
    benchmark, search = read_benchmark(corpus, pairs), _search(config)
    depth, root = config.passages_per_query, corpus.root
    # first what may fail for reasons that are not ours, before hours of embedding
    theirs = score_endpoint(benchmark, root, config.endpoint, depth)
    most = config.general_passages or bound_general(len(benchmark.passages.ids))
    known = general and read_general(general, root, most, config.seed)
    tuned, untuned = Tuned(checkpoint, healed, config.poolings), Model("base", base)
    systems = [
        *tuned.score(benchmark, search),
        *untuned.score(benchmark, untuned.cells(poolings=config.poolings), search),
        score_bm25(benchmark, depth),
        *theirs,
    ]
    groups = [(benchmark, systems)]
    if known:
        last = untuned.cells([untuned.encoder.layers])
        told = tuned.score(known, search, exits_only=True) + untuned.score(known, last, search)
        groups.append((known, told))
    encoder = tuned.whole.encoder
    cost = measure_layers(encoder, range(1, encoder.layers + 1), benchmark.passages.texts)
    return _write(groups, corpus, config, {"milliseconds": {str(k): v for k, v in cost.items()}})


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
    from .scoring import Model

    require_faiss()
    benchmark, model = read_benchmark(corpus, pairs), Model(system, checkpoint)
    last = [model.encoder.layers]
    cells = model.cells(last, embedded=() if has_more_layers else last)
    return _write([(benchmark, model.score(benchmark, cells, _search(config)))], corpus, config)


def _search(config: EvaluateConfig) -> "Search":
    from .scoring import Search

    return Search(config.passages_per_query, config.batch_tokens)


def _write(
    groups: "Sequence[tuple[Benchmark, list[System]]]",
    corpus: Corpus,
    config: EvaluateConfig,
    facts: Mapping[str, Any] = MappingProxyType({}),
) -> Scores:
    rows: list[dict[str, Any]] = []
    questions: dict[str, int] = {}
    for benchmark, systems in groups:
        rows += benchmark.tabulate(systems, resamples=config.resamples, seed=config.seed)
        questions |= benchmark.count()
    scores = Scores.write(corpus.root, rows, facts={"questions": questions, **facts})
    told = "; ".join(_tell(rows, group, count) for group, count in questions.items())
    cost = facts.get("milliseconds", {})
    per_layer = ", ".join(f"{layer}: {value:.2f}" for layer, value in cost.items())
    logger.info("scored %s%s", told, f"; ms per passage by layer {per_layer}" if cost else "")
    return scores


def _tell(rows: list[dict[str, Any]], group: str, questions: int) -> str:
    """Tell the nDCG of each system's last layer, as it pools by itself, on a group of questions."""
    last: dict[str, dict[str, Any]] = {}
    for row in rows:
        if f"{row['split']} {row['origin']}" == group and row["metric"] == "ndcg@10":
            before = last.get(row["system"])
            if before is None or row["layer"] > before["layer"]:  # its own pooling comes first
                last[row["system"]] = row
    values = ", ".join(f"{name} {row['value']:.3f}" for name, row in last.items())
    return f"{group}, {questions} questions, nDCG@10: {values}"
