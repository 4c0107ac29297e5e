"""Whether the transformer in a folder can be tuned and cut, told before it is loaded."""

from collections.abc import Collection, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

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
        BurnishError: it cannot be cut, is made by code of its own, or cannot be trained.
    """
    from .core.backbones import backbone_of

    config = read_json(folder / "config.json")
    name = " ".join(config.get("architectures") or ["model"])
    try:
        backbone = backbone_of(config.get("model_type", ""))
    except ValueError as error:
        raise BurnishError(f"The {name} in {folder} cannot be used. {error}") from error
    if (own := find_code(config)) and own != (native := _native_class(config["model_type"])):
        raise BurnishError(
            f"The {name} in {folder} is made by code of its own (trust_remote_code), {own} in the "
            f"auto_map of its config.json. That is never run here, and without it {native}, which "
            "transformers has for its type, would give other vectors. No setting changes this: "
            "such a base is not supported. Choose another one."
        )
    if config.get("quantization_config"):
        raise BurnishError(
            f"The weights in {folder} are quantized, so cannot be trained. Choose the model they "
            "were made from as base."
        )
    return backbone


def find_code(config: Mapping[str, Any]) -> str:
    """Return the class of its own that a model's configuration asks to be run; mostly none, "".

    One that is called as transformers' own is mostly a copy, from before transformers had it: the
    model is then loaded without it, as transformers does for whoever trusts no code.

    >>> find_code({"auto_map": {"AutoModel": "org/name--modeling_bert.JinaBertModel"}})
    'JinaBertModel'
    """
    return str((config.get("auto_map") or {}).get("AutoModel", "")).rpartition(".")[2]


def check_weights(
    folder: Path, backbone: "Backbone", missing: Collection[str], unexpected: Collection[str]
) -> None:
    """Refuse weights that are not those of the architecture.

    Args:
        folder: Where they are.
        backbone: How the architecture is built.
        missing: Tensors that it has and the folder lacks.
        unexpected: Tensors of the folder that it has no place for; those of heads do not matter.

    Raises:
        BurnishError: one is missing, or a layer has one too many.
    """
    # transformers would fill these with random numbers and go on.
    if missing:
        raise BurnishError(
            f"The weights in {folder} lack {len(missing)} tensors that its config.json asks for, "
            f"{min(missing)} among them. The model is incomplete, or was cut without its "
            "configuration; fetch it again."
        )
    if strange := [name for name in unexpected if f".{backbone.layers}." in f".{name}"]:
        raise BurnishError(
            f"The layers in {folder} have {len(strange)} tensors that transformers has no place "
            f"for, {min(strange)} among them: without the code of its own they would give other "
            "vectors. Such a base is not supported; choose another one."
        )


def _native_class(model_type: str) -> str:
    from transformers.models.auto.modeling_auto import MODEL_MAPPING_NAMES

    native = MODEL_MAPPING_NAMES.get(model_type, "")
    return str(native if isinstance(native, str) else native[0])
