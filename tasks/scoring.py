"""Scoring: what one system finds for all questions, at each of its layers, poolings, lengths."""

import itertools
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from .benchmark import Benchmark, System
from .contracts import Checkpoint
from .core.index import build_index, inner_products
from .core.lexical import LexicalIndex
from .embed import embed_poolings
from .model_files import load_encoder
from .progress import progress
from .vectors import shorten_vectors

if TYPE_CHECKING:
    from .core.encoder import Encoder, Kind
    from .core.pooling import Pooling

SAMPLED_PASSAGES = 2000  # enough for the mean length to be within a percent or two


@dataclass(frozen=True)
class Cells:
    """What of a model is scored: every layer with every pooling and length.

    Attributes:
        layers: Layers, ascending.
        poolings: Poolings, the model's own first.
        dimensions: Lengths of an embedding, the whole one first.
        embedded: Layers that are embedded for that; more of them where another stage wants these.
    """

    layers: Sequence[int]
    poolings: "Sequence[Pooling]"
    dimensions: Sequence[int]
    embedded: Sequence[int]


class Search(NamedTuple):
    """How deep is searched, and how many tokens go through a model at once."""

    passages_per_query: int
    batch_tokens: int | None = None


class Model:
    """A model under the name it is scored by."""

    def __init__(self, name: str, checkpoint: Checkpoint) -> None:
        self.name = name
        self.checkpoint = checkpoint
        self.encoder: Encoder = load_encoder(checkpoint.check().path)

    def cells(
        self,
        layers: Sequence[int] = (),
        *,
        poolings: "Sequence[Pooling]" = (),
        dimensions: Sequence[int] = (),
        embedded: Sequence[int] = (),
    ) -> Cells:
        """Choose what is scored: by default all layers, as the model pools, at its whole length.

        Args:
            layers: Layers, ascending.
            poolings: Poolings besides the model's own.
            dimensions: Lengths besides its own; longer ones are left out.
            embedded: Layers that one pass gives, among them all of `layers`.
        """
        own, every = self.encoder.dimension, range(1, self.encoder.layers + 1)
        shorter = sorted({length for length in dimensions if length < own}, reverse=True)
        return Cells(
            layers or every,
            list(dict.fromkeys([self.encoder.pooling, *poolings])),
            [own, *shorter],
            embedded or every,
        )

    def score(self, benchmark: Benchmark, cells: Cells, search: Search) -> list[System]:
        """Search a whole corpus with each cell; all come from one pass over each text.

        Cells are in the order of poolings, then lengths, then layers: the model as it is comes
        first.
        """
        questions, texts = benchmark.questions, benchmark.passages.texts
        asked = self._embed(questions, "query", "queries", cells, search)
        hidden = "passages with the answer hidden"
        seen = self._embed(benchmark.hidden_texts, "document", hidden, cells, search)
        passages = self._embed(texts, "document", "passages", cells, search)
        tokens = mean_tokens(self.encoder, texts)
        systems = []
        steps = len(cells.poolings) * len(cells.dimensions) * len(cells.layers) * len(questions)
        with progress(f"{self.name}: searching", steps, "queries") as advance:
            for pooling, dimension, (number, layer) in itertools.product(
                cells.poolings, cells.dimensions, enumerate(cells.layers)
            ):
                values = measure_vectors(
                    benchmark,
                    self._shorten(asked[pooling][:, number], dimension),
                    self._shorten(seen[pooling][:, number], dimension),
                    self._shorten(passages[pooling][:, number], dimension),
                    search.passages_per_query,
                    advance,
                )
                cost = self.encoder.gflops(tokens, layer)
                systems.append(System(self.name, layer, pooling, dimension, cost, values))
        return systems

    def _embed(
        self,
        texts: Sequence[str],
        kind: "Kind",
        what: str,
        cells: Cells,
        search: Search,
    ) -> "dict[Pooling, np.ndarray]":
        return embed_poolings(
            self.checkpoint.root, self.checkpoint, texts, kind, cells.embedded, cells.poolings,
            search.batch_tokens, f"{self.name}: embedding {what}",
            encoder=self.encoder, wanted=cells.layers,
        )  # fmt: skip

    def _shorten(self, vectors: np.ndarray, dimension: int) -> np.ndarray:
        root, is_normalized = self.checkpoint.root, self.encoder.normalize
        return shorten_vectors(root, vectors, dimension, normalize=is_normalized)


def measure_vectors(
    benchmark: Benchmark,
    asked: np.ndarray,
    seen: np.ndarray,
    passages: np.ndarray,
    passages_per_query: int,
    advance: Callable[[int], object] = lambda count: None,
) -> dict[str, np.ndarray]:
    """Search a benchmark by inner product; return every metric's value per query.

    Args:
        benchmark: Questions and what answers them.
        asked: (queries, dimension) embeddings of the questions.
        seen: (hidden, dimension) of the passages whose answer is hidden.
        passages: (passages, dimension) of all passages.
        passages_per_query: Passages of which documents are ranked.
        advance: Told the number of queries done.
    """
    rows, scores = build_index(passages).search(asked, passages_per_query, advance=advance)
    hidden = inner_products(asked[benchmark.hidden_queries], seen[:, None])[:, 0]
    return benchmark.measure(rows, scores, hidden)


def score_bm25(benchmark: Benchmark, passages_per_query: int) -> System:
    """Search a benchmark by words."""
    index = LexicalIndex(benchmark.passages.texts)
    with progress("BM25: searching", len(benchmark.questions), "queries") as advance:
        rows, scores = index.search(benchmark.questions, passages_per_query, advance=advance)
    hidden = np.array(
        [
            index.score(benchmark.questions[number], text)
            for number, text in zip(benchmark.hidden_queries, benchmark.hidden_texts, strict=True)
        ],
        dtype=np.float32,
    )
    hidden[hidden <= 0] = -np.inf  # without a common word it is not found at all
    return System("BM25", 0, "", 0, 0.0, benchmark.measure(rows, scores, hidden))


def mean_tokens(encoder: "Encoder", texts: Sequence[str]) -> int:
    """Return how many tokens a text has on average, from a sample."""
    sample = texts[:: max(1, len(texts) // SAMPLED_PASSAGES)]
    lengths = [len(tokens) for tokens in encoder.tokenize(sample, "document")]
    return round(sum(lengths) / max(len(lengths), 1))
