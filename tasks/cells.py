"""The cell of a model that was cut: its layer, its pooling, and the length of its embeddings."""

from .contracts import Checkpoint
from .core.prices import Cell
from .model_layout import read_json, read_layout


def find_cell(model: Checkpoint, layer: int) -> Cell:
    """Return the cell of a model at a layer, by its own files: they are what is published."""
    layout = read_layout(model.path)
    pooling = read_json(model.path / "1_Pooling/config.json")
    dimension = layout.shortened_to or int(pooling["word_embedding_dimension"])
    return Cell(layer, layout.pooling, dimension)
