"""What a cut needs to know of each architecture: its layers, final norm, and settings per layer."""

from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True)
class Backbone:
    """Where a transformers model keeps what decides which layers it has.

    Attributes:
        layers: Path of the module list of transformer layers.
        final_norm: Path of the norm that a pre-norm model applies after its last layer only: what
            leaves layer k has not passed it, what leaves a model cut to k layers has.
        per_layer: Settings that hold one item per layer, so are cut with them.
        counts: Settings that count layers, so are at most as many as are left.
        has_pooler: Whether there is a head, `pooler`, that no embedding depends on. It is dropped
            so that dead weights are not saved; loading leaves it out by `add_pooling_layer=False`.
        first_position: Position of a text's first token: so many fewer tokens than positions fit.
        is_decoder: Whether it was made to continue texts: a token sees none after it, unless its
            configuration says `is_causal: false`, so only the last one has seen the whole text.
    """

    layers: str
    final_norm: str | None = None
    per_layer: tuple[str, ...] = ()
    counts: tuple[str, ...] = ()
    has_pooler: bool = False
    first_position: int = 0
    is_decoder: bool = False


_ROBERTA = Backbone("encoder.layer", has_pooler=True, first_position=2)

BACKBONES: Mapping[str, Backbone] = {  # by `model_type`
    "bert": Backbone("encoder.layer", has_pooler=True),
    "distilbert": Backbone("transformer.layer"),
    "llama": Backbone("layers", final_norm="norm", is_decoder=True),
    "modernbert": Backbone("layers", final_norm="final_norm", per_layer=("layer_types",)),
    "mpnet": _ROBERTA,
    "qwen3": Backbone(
        "layers",
        final_norm="norm",
        per_layer=("layer_types",),
        counts=("max_window_layers",),
        is_decoder=True,
    ),
    "roberta": _ROBERTA,
    "xlm-roberta": _ROBERTA,
}


def backbone_of(model_type: str) -> Backbone:
    """Return how the architecture `model_type` is built.

    Raises:
        ValueError: the architecture cannot be cut; the message names those that can.
    """
    if model_type not in BACKBONES:
        raise ValueError(
            f"Models of type {model_type!r} cannot be cut to fewer layers; choose a base model of "
            f"one of these types: {', '.join(sorted(BACKBONES))}."
        )
    return BACKBONES[model_type]
