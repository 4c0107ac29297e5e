"""A model's own cell among the scores."""

from collections.abc import Callable

from tasks.cells import find_cell
from tasks.contracts import Checkpoint
from tasks.core.encoder import Encoder
from tasks.core.prices import Cell


def test_the_cell_is_what_the_files_say(
    make_encoder: Callable[..., Encoder], make_checkpoint: Callable[..., Checkpoint]
) -> None:
    whole = make_checkpoint(make_encoder())
    short = make_checkpoint(make_encoder(pooling="cls", shortened_to=8))
    assert find_cell(whole, 2) == Cell(2, "mean", 32)
    assert find_cell(short, 3) == Cell(3, "cls", 8)
