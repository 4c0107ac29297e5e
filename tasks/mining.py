"""Mining: the rules applied to all candidates, and what came of them."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from .contracts import BurnishError, Candidates, Corpus, Pairs, Triplets, batched_rows
from .core.questions import BY_PEOPLE
from .found import Block, read_block
from .tables import Places, find_trainable, list_where, read_places

if TYPE_CHECKING:
    import numpy as np
    import pyarrow as pa

    from .core.negatives import Draws, Selection, Yield
    from .core.planting import Planted
    from .mine import MineConfig


@dataclass
class _Seen:
    """What was found out, over all blocks."""

    counts: "Yield"
    queries: int = 0
    dropped: int = 0
    random: int = 0
    planted: list[tuple["Draws", ...]] = field(default_factory=list)


class Mining:
    """One run over the candidates, block by block, so that memory does not grow with them."""

    def __init__(
        self,
        corpus: Corpus,
        pairs: Pairs,
        candidates: Candidates,
        config: "MineConfig",
        earlier: Triplets | None,
    ) -> None:
        """Read what the rules need; for the arguments see `mine`."""
        from .core.negatives import Yield

        depth = candidates.facts.get("depth", 0)
        if earlier is None and config.round_trip and depth < config.round_trip:
            raise BurnishError(
                f"--mine.round-trip is {config.round_trip}, but only the best {depth} passages "
                "were retrieved. Lower it, or raise --retrieve.depth."
            )
        self._config, self._candidates = config, candidates
        self._background = candidates.facts["background"] if config.is_calibrated else 0.0
        self._places = read_places(corpus)
        self._is_allowed = find_trainable(corpus, pairs, self._places)
        kept = earlier.read(["query_id"]).column("query_id").to_pylist() if earlier else None
        self._earlier = None if kept is None else set(kept)
        self._people = {
            query_id
            for query_id, origin in batched_rows(
                pairs.read(["query_id", "origin"]), ("query_id", "origin")
            )
            if origin in BY_PEOPLE
        }
        self._seen = _Seen(Yield())

    def run(self) -> "Iterator[pa.Table]":
        """Yield triplets, a table per block of candidates."""
        for table in self._candidates.read_blocks():
            block = self._filter(read_block(table, self._places))
            selection, ceilings = self._select(block)
            drawn = self._draw(block, selection)
            self._observe(block, selection, ceilings)
            yield _tabulate(block, selection, drawn, self._places)

    def tell(self) -> dict[str, Any]:
        """Tell the yield of every rule."""
        seen, planted = self._seen, self._judge_planted()
        return {
            "queries": seen.queries,
            "round_trip": seen.dropped,
            **vars(seen.counts),
            "random": seen.random,
            "ceiling": self._config.max_ratio,
            "background": self._background,
            "false_negative_rate": round(planted.false_negative_rate, 4),
            "planted": {name: round(value, 4) for name, value in vars(planted).items()},
        }

    def _filter(self, block: Block) -> Block:
        import numpy as np

        from .core.negatives import rank_positives

        if not self._is_allowed[block.positives].all(where=block.positives >= 0):
            raise BurnishError(
                "Evaluation would leak into training: a training query is answered by a passage "
                "that is kept for evaluation, or by a near-copy of one. Corpus and pairs were not "
                "made for each other; make the pairs again."
            )
        if self._earlier is not None:
            is_kept = np.array([name in self._earlier for name in block.query_ids], dtype=bool)
            return self._keep(block, is_kept)
        if self._config.round_trip is None:
            return block
        ranks = rank_positives(
            block.rows, block.scores, block.positives, block.positive_scores, block.answers,
            documents=self._places.documents, clusters=self._places.clusters,
        )  # fmt: skip
        is_asked = np.array([name in self._people for name in block.query_ids], dtype=bool)
        return self._keep(block, is_asked | (ranks <= self._config.round_trip))

    def _keep(self, block: Block, is_kept: "np.ndarray") -> Block:
        self._seen.dropped += len(is_kept) - int(is_kept.sum())
        return block.keep(is_kept)

    def _select(self, block: Block) -> "tuple[Selection, Draws]":
        import numpy as np

        from .core.negatives import find_ceilings, select_negatives
        from .core.splits import draw

        config, draws = self._config, None
        if config.choice == "sampled":
            seeds = [int(2**32 * draw("negatives", config.seed, name)) for name in block.query_ids]
            draws = (
                np.stack(
                    [np.random.default_rng(seed).random(block.rows.shape[1]) for seed in seeds]
                )
                if seeds
                else np.empty(block.rows.shape)
            )
        ceilings = find_ceilings(
            block.positives, block.positive_scores, config.max_ratio, self._background
        )
        selection = select_negatives(
            block.rows, block.scores, block.positives, block.answers,
            ceilings=ceilings,
            documents=self._places.documents,
            clusters=self._places.clusters,
            is_allowed=self._is_allowed,
            count=config.negatives_per_query,
            draws=draws,
        )  # fmt: skip
        return selection, ceilings

    def _draw(self, block: Block, selection: "Selection") -> "np.ndarray":
        import numpy as np

        from .core.negatives import draw_negatives
        from .core.splits import draw

        config = self._config
        seeds = [int(2**32 * draw("random", config.seed, name)) for name in block.query_ids]
        drawn = draw_negatives(
            block.answers, selection.unknown, selection.negatives,
            documents=self._places.documents,
            clusters=self._places.clusters,
            is_allowed=self._is_allowed,
            count=config.random_per_query,
            seeds=np.array(seeds, dtype=np.uint64),
        )  # fmt: skip
        self._seen.random += int(np.count_nonzero(drawn >= 0))
        return drawn

    def _observe(self, block: Block, selection: "Selection", ceilings: "Draws") -> None:
        import numpy as np

        from .core.negatives import find_rivals

        self._seen.counts += selection.counts
        self._seen.queries += len(block.query_ids)
        (places,) = np.nonzero(~np.isnan(block.planted_scores))
        count = self._config.negatives_per_query
        if not len(places) or not count:
            return
        last = selection.negatives[places, count - 1]
        is_it = block.rows[places] == last[:, None]
        kept = np.where(is_it & (last >= 0)[:, None], block.scores[places], np.inf).min(axis=1)
        floors = np.where(last >= 0, kept, -np.inf)
        naive = block.scores[places][:, min(count, block.rows.shape[1]) - 1]
        rivals = find_rivals(
            block.rows[places], block.scores[places], block.answers[places],
            documents=self._places.documents, clusters=self._places.clusters,
        )  # fmt: skip
        chances = np.ones(len(places))
        if self._config.choice == "sampled":  # of all that qualify, the planted one too
            floors = np.full(len(places), -np.inf)
            chances = np.minimum(1, count / (selection.eligible[places] + 1))
        planted = block.planted_scores[places], ceilings[places], floors, naive, rivals, chances
        self._seen.planted.append(planted)

    def _judge_planted(self) -> "Planted":
        import numpy as np

        from .core.planting import judge_planted

        columns = [np.concatenate(parts) for parts in zip(*self._seen.planted, strict=True)]
        return judge_planted(
            *(columns or [np.empty(0)] * 6),
            queries=self._seen.queries,
            kept=self._seen.counts.kept,
        )


def _tabulate(
    block: Block, selection: "Selection", drawn: "np.ndarray", places: Places
) -> "pa.Table":
    """One row for each positive of a query, all with the query's negatives."""
    import numpy as np
    import pyarrow as pa

    from .core.teacher_scores import find_scores

    queries, columns = np.nonzero(block.positives >= 0)
    negatives = np.concatenate([selection.negatives, drawn], axis=1)
    scores = find_scores(negatives, block.rows, block.scores)

    return pa.table(
        {
            "query_id": pa.array(block.query_ids[queries], pa.string()),
            "passage_id": places.names.take(pa.array(block.positives[queries, columns])),
            "negative_ids": places.name(negatives[queries]),
            "unknown_ids": places.name(selection.unknown[queries]),
            "score": pa.array(block.positive_scores[queries, columns], pa.float32()),
            "negative_scores": list_where(scores[queries], negatives[queries] >= 0),
        }
    )
