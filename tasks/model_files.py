"""Encoders as folders: read from, and written to, sentence-transformers' format.

sentence-transformers itself is needed for neither: its import takes seconds, and its format is a
few small JSON files beside those of transformers.
"""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from .contracts import BurnishError

if TYPE_CHECKING:
    from transformers import PreTrainedModel, PreTrainedTokenizerFast

    from .core.encoder import Encoder, Pooling

MODULES = ("Transformer", "Pooling", "Normalize")
# What each pooling is called in a file, in the form that every sentence-transformers reads.
POOLING_FLAGS: dict[str, "Pooling"] = {
    "pooling_mode_mean_tokens": "mean",
    "pooling_mode_cls_token": "cls",
    "pooling_mode_max_tokens": "max",
}
DOCUMENT_PROMPTS = ("document", "passage", "corpus")  # names in use for it
WEIGHTS = ("model.safetensors", "model.safetensors.index.json")
# How a tokenizer was last used and where it came from: nothing that decides its tokens.
TRACES = frozenset(
    """
    auto_map is_local local_files_only max_length name_or_path pad_to_multiple_of
    special_tokens_map_file stride tokenizer_file truncation_strategy vocab_file
    """.split()
)


def load_encoder(checkpoint_path: Path, device: str | None = None) -> "Encoder":
    """Read an encoder from a sentence-transformers folder or a plain transformers one.

    Weights come from safetensors alone and are held in float32; no code in the folder is run, and
    nothing is downloaded. A plain folder is pooled by mean and normalised. A folder for cosine
    similarity, which is sentence-transformers' default, is normalised even if it has no module for
    it, so that inner products rank as its makers meant.

    Args:
        checkpoint_path: The folder.
        device: `cpu`, `cuda:1`, …; if left out, the GPU where there is one.

    Raises:
        BurnishError: this is no model, its weights are pickles or incomplete, or it embeds in a
            way that a cut model could not.
    """
    layout = _read_layout(checkpoint_path)
    first_position = _check_transformer(layout.transformer)

    import torch

    from .core.encoder import Encoder

    model, tokenizer = _load_transformer(layout.transformer)
    limits = [tokenizer.model_max_length, model.config.max_position_embeddings - first_position]
    try:
        return Encoder(
            model=model.to(device or ("cuda" if torch.cuda.is_available() else "cpu")),
            tokenizer=tokenizer,
            pooling=layout.pooling,
            normalize=layout.normalize,
            max_tokens=min(limits if layout.max_tokens is None else [*limits, layout.max_tokens]),
            prompts=layout.prompts,
        )
    except ValueError as error:
        raise BurnishError(f"The model in {checkpoint_path} cannot be used: {error}") from error


def save_encoder(encoder: "Encoder", path: Path) -> None:
    """Write an encoder as a folder that `SentenceTransformer(path)` and `load_encoder` read.

    The same encoder gives the same bytes: no dates, no paths, no trace of earlier use.
    """
    path.mkdir(parents=True, exist_ok=True)
    with _quiet():
        encoder.model.save_pretrained(path)
    _save_tokenizer(encoder, path)
    modules = []
    for number, name in enumerate(MODULES if encoder.normalize else MODULES[:-1]):
        folder = f"{number}_{name}" if number else ""
        (path / folder).mkdir(exist_ok=True)
        # Every version of sentence-transformers knows the modules by these names.
        kind = f"sentence_transformers.models.{name}"
        modules.append({"idx": number, "name": str(number), "path": folder, "type": kind})
    _write(path / "modules.json", modules)
    flags = {flag: pooling == encoder.pooling for flag, pooling in POOLING_FLAGS.items()}
    _write(path / "1_Pooling/config.json", {"word_embedding_dimension": encoder.dimension, **flags})
    settings: dict[str, Any] = {"max_seq_length": encoder.max_tokens, "do_lower_case": False}
    if encoder.has_pooler:
        # Else transformers would make a random head for it and warn of that.
        settings["model_args"] = {"add_pooling_layer": False}
    _write(path / "sentence_bert_config.json", settings)
    _write(
        path / "config_sentence_transformers.json",
        {
            "model_type": "SentenceTransformer",
            "prompts": {kind: encoder.prompts.get(kind, "") for kind in ("query", "document")},
            "default_prompt_name": None,
            "similarity_fn_name": "cosine" if encoder.normalize else "dot",
        },
    )


def _save_tokenizer(encoder: "Encoder", path: Path) -> None:
    backend = encoder.tokenizer.backend_tokenizer
    backend.no_truncation()  # left there by the last call, and saved with the rest
    backend.no_padding()
    encoder.tokenizer.save_pretrained(path)
    config = _read(path / "tokenizer_config.json")
    kept = {name: value for name, value in config.items() if name not in TRACES}
    _write(path / "tokenizer_config.json", {**kept, "model_max_length": encoder.max_tokens})


@dataclass(frozen=True)
class _Layout:
    """What the files around the transformer say."""

    transformer: Path
    pooling: "Pooling" = "mean"
    normalize: bool = True
    max_tokens: int | None = None
    prompts: dict[str, str] | None = None


def _read_layout(path: Path) -> _Layout:
    if not (path / "modules.json").exists():
        if not (path / "config.json").exists():
            raise BurnishError(
                f"There is no model in {path}: neither modules.json (sentence-transformers) nor "
                "config.json (transformers) is there. Name the folder that holds one of them."
            )
        return _Layout(path)
    modules = _read(path / "modules.json")
    names = tuple(module["type"].rpartition(".")[2] for module in modules)
    if names not in {MODULES, MODULES[:-1]}:
        raise BurnishError(
            f"The model in {path} is made of {', '.join(names)}; only {', '.join(MODULES)}, the "
            "last one optional, can be tuned and cut. Choose another base model."
        )
    transformer = path / modules[0]["path"]
    ...
