"""The hits of searches, kept so that the next search looks only at what changed."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from .contracts import Checkpoint
from .corpus_hits import CorpusHits
from .kept_vectors import embedding_settings, text_keys
from .stage import fingerprint_code

if TYPE_CHECKING:
    import numpy as np

    from .core.encoder import Encoder
    from .core.index import Index
    from .core.ranking import Rows, Values


@dataclass(frozen=True, eq=False)
class Asked:
    """Queries and passages: their texts tell them apart, their vectors are searched.

    Attributes:
        questions: (queries,) texts.
        vectors: (queries, dimension) their embeddings.
        passages: (passages,) texts of the vectors of the index.
    """

    questions: Sequence[str]
    vectors: "np.ndarray"
    passages: Sequence[str]


class KeptHits:
    """Searches of one model's embeddings, whose hits outlast the run.

    The hits of each query are kept, some more than asked for. When passages come and go, those
    that came are searched alone and those that went are struck out; what was struck out is made up
    for by what was kept in excess, and a query that lost more is searched afresh. So the hits are
    those of a fresh search, at a cost that follows what changed. A search that was killed goes on.

    Attributes:
        work: Of the last search, the number of queries `known`, `updated`, and `searched` in full.
        facts: How the hits were searched, `Index.facts`: in this search or in the one before.
    """

    def __init__(self, root: Path, model: Checkpoint, encoder: "Encoder", layer: int) -> None:
        """Open the hits of a model.

        Args:
            root: Folder of all nouns.
            model: What embedded queries and passages.
            encoder: Its encoder.
            layer: The layer they were embedded at.
        """
        from .core import index as index_module

        self._root = root
        self._settings: dict[str, Any] = {
            "queries": embedding_settings(model, "query", [layer], encoder),
            "passages": embedding_settings(model, "document", [layer], encoder),
            "code": fingerprint_code(index_module, __name__),
        }
        self.work: dict[str, int] = {}
        self.facts: dict[str, object] = {}
        self._found: CorpusHits | None = None
        self._places: np.ndarray | None = None
        self._k = 0

    def search(
        self,
        index: "Index",
        asked: Asked,
        k: int,
        *,
        advance: Callable[[int], object] = lambda count: None,
    ) -> None:
        """Find what `index.search(asked.vectors, k)` does, for `read`.

        Args:
            index: Of the passages' vectors.
            asked: Queries and passages.
            k: Vectors wanted per query.
            advance: Told the number of queries done.

        Raises:
            ValueError: k is not positive, or more than a GPU returns.
            BurnishError: the disk is full or `root` cannot be written.
        """
        import numpy as np

        settings = {**self._settings, **index.settings, "k": k}
        current = CorpusHits(self._root, settings, text_keys(asked.passages))
        keys = text_keys(asked.questions)
        places = current.find(keys)
        missing = np.flatnonzero(places < 0)
        before = current.find_last() if len(missing) else None
        old = before.find(keys) if before else np.full(len(keys), -1)
        fresh, stale = missing[old[missing] < 0], missing[old[missing] >= 0]
        self.work = {"known": len(keys) - len(missing), "updated": 0, "searched": 0}
        advance(self.work["known"])
        # those known since a kill count too: how many, and which, decide how they are searched
        index.prepare(asked.vectors, np.flatnonzero(old < 0) if len(fresh) else fresh, k)
        for some in _parts(fresh, index.queries_at_once(k)):
            places[some] = current.append(keys, some, index.find(asked.vectors[some], k))
            self._count(0, len(some), advance)
        if before and len(stale):
            renumbered, added = before.compare(current)
            for some in _parts(stale, index.queries_at_once(k)):
                known = before.read(old[some]).renumber(renumbered)
                hits, afresh = index.update(asked.vectors[some], k, known, added)
                places[some] = current.append(keys, some, hits)
                self._count(len(some) - afresh, afresh, advance)
        self.facts = current.finish(index.facts if len(fresh) else None, before)
        self._found, self._places, self._k = current, places, k

    def read(self, part: slice) -> "tuple[Rows, Values]":
        """Return the hits of some of the queries of the last search, as `Index.search` does.

        Args:
            part: Which queries; so memory need not grow with them.
        """
        assert self._found is not None and self._places is not None, "nothing was searched yet"
        hits = self._found.read(self._places[part], self._k)
        return hits.rows, hits.scores

    def _count(self, updated: int, searched: int, advance: Callable[[int], object]) -> None:
        self.work["updated"] += updated
        self.work["searched"] += searched
        advance(updated + searched)


def _parts(queries: "np.ndarray", size: int) -> "Iterator[np.ndarray]":
    for start in range(0, len(queries), size):
        yield queries[start : start + size]
