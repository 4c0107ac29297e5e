"""Cells: a layer, pooled in one way, kept to one length; and which scores are a model's own."""

from collections.abc import Sequence
from typing import NamedTuple

from .contracts import Checkpoint
from .model_layout import read_json, read_layout
from .report import Row


class Cell(NamedTuple):
    """What a model was cut to."""

    layer: int
    pooling: str
    dimension: int


def find_cell(model: Checkpoint, layer: int) -> Cell:
    """Return the cell of a model at a layer, by its own files: they are what is published."""
    layout = read_layout(model.path)
    pooling = read_json(model.path / "1_Pooling/config.json")
    dimension = layout.shortened_to or int(pooling["word_embedding_dimension"])
    return Cell(layer, layout.pooling, dimension)


def keep_own(rows: Sequence[Row], cell: Cell) -> list[Row]:
    """Return one row per system, layer, kind of question, and metric: the nearest to `cell`.

    Of the tuned model it has the cell's pooling and length, where that was scored. All others are
    shown at their full length, as they would be used.

    Args:
        rows: Rows of `Scores`.
        cell: What the model was cut to.
    """

    def distance(row: Row) -> tuple[bool, bool, int]:
        is_other = row["system"] == "tuned" and row["dimension"] != cell.dimension
        return row["pooling"] != cell.pooling, is_other, -row["dimension"]

    kept: dict[tuple[object, ...], Row] = {}
    for row in sorted(rows, key=distance, reverse=True):  # the nearest is the last to be kept
        names = ("system", "layer", "split", "origin", "metric")
        kept[tuple(row[name] for name in names)] = row
    chosen = {id(row) for row in kept.values()}
    return [row for row in rows if id(row) in chosen]
