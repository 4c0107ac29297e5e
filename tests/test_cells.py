"""A model's own cell among the scores."""

from collections.abc import Callable

from tasks.cells import Cell, find_cell, keep_own
from tasks.contracts import Checkpoint
from tasks.core.encoder import Encoder
from tests.test_model_card import row


def test_the_cell_is_what_the_files_say(
    make_encoder: Callable[..., Encoder], make_checkpoint: Callable[..., Checkpoint]
) -> None:
    whole = make_checkpoint(make_encoder())
    short = make_checkpoint(make_encoder(pooling="cls", shortened_to=8))
    assert find_cell(whole, 2) == Cell(2, "mean", 32)
    assert find_cell(short, 3) == Cell(3, "cls", 8)


def test_one_row_is_kept_of_each_layer_the_models_own() -> None:
    own, others = row("tuned", 1, 0.4, pooling="cls", dimension=8), [
        row("tuned", 1, 0.9), row("tuned", 1, 0.8, pooling="cls"), row("tuned", 1, 0.7, dimension=8)
    ]  # fmt: skip
    base, bm25 = row("base", 1, 0.3, pooling="cls"), row("BM25", 0, 0.2, pooling="", dimension=0)
    short = row("base", 1, 0.2, pooling="cls", dimension=8)  # a base is used at its full length
    rows = [*others[:2], own, others[2], short, base, bm25]
    cell = Cell(1, "cls", 8)
    assert keep_own(rows, cell) == keep_own(rows[::-1], cell)[::-1] == [own, base, bm25]
    # where its cell was not scored, the nearest: the pooling counts more than the length
    assert keep_own(others, cell) == [others[1]]
    assert len(keep_own([own, own | {"split": "dev"}, own | {"metric": "mrr@10"}], cell)) == 3
