"""Whether the transformer in a folder can be tuned and cut, told before it is loaded."""

from pathlib import Path
from typing import TYPE_CHECKING

from .contracts import BurnishError
from .model_layout import read_json

if TYPE_CHECKING:
    from .core.backbones import Backbone

WEIGHTS = ("model.safetensors", "model.safetensors.index.json")
PICKLES = ("*.bin", "*.pt", "*.pth", "*.ckpt", "*.pkl")


def check_transformer(folder: Path) -> "Backbone":
    """Return how the model in `folder` is built.

    Raises:
        BurnishError: it cannot be cut, or its weights cannot be read.
    """
    backbone = check_architecture(folder)
    if any((folder / name).exists() for name in WEIGHTS):
        return backbone
    if pickles := [file.name for pattern in PICKLES for file in folder.glob(pattern)]:
        raise BurnishError(
            f"The weights in {folder} are pickles ({', '.join(sorted(pickles))}), which run code "
            "when they are read. Convert them to model.safetensors, where you trust them, by "
            "`AutoModel.from_pretrained(folder).save_pretrained(folder)`."
        )
    raise BurnishError(f"There are no weights in {folder}: model.safetensors is missing.")


def check_architecture(folder: Path) -> "Backbone":
    """Return how the model in `folder` is built, from its configuration alone.

    Raises:
        BurnishError: it cannot be cut, runs code of its own, or cannot be trained.
    """
    from .core.backbones import backbone_of

    config = read_json(folder / "config.json")
    name = " ".join(config.get("architectures") or ["model"])
    try:
        backbone = backbone_of(config.get("model_type", ""))
    except ValueError as error:
        raise BurnishError(f"The {name} in {folder} cannot be used. {error}") from error
    if "AutoModel" in (config.get("auto_map") or {}):
        raise BurnishError(
            f"The {name} in {folder} needs code of its own (trust_remote_code), which is never "
            "run here; without it, it would give other vectors. Choose a base model whose "
            "config.json has no auto_map."
        )
    if config.get("quantization_config"):
        raise BurnishError(
            f"The weights in {folder} are quantized, so cannot be trained. Choose the model they "
            "were made from as base."
        )
    return backbone
