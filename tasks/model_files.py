"""Encoders as folders: read from, and written to, sentence-transformers' format.

sentence-transformers itself is needed for neither: its import takes seconds, and its format is a
few small JSON files beside those of transformers.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from .contracts import BurnishError
from .model_check import check_transformer, check_weights, find_code
from .model_layout import read_json, read_layout, write_json, write_layout

if TYPE_CHECKING:
    from transformers import PreTrainedModel, PreTrainedTokenizerFast

    from .core.backbones import Backbone
    from .core.encoder import Encoder

# How a tokenizer was last used and where it came from: nothing that decides its tokens.
TRACES = (
    *("auto_map", "is_local", "local_files_only", "name_or_path"),
    *("special_tokens_map_file", "tokenizer_file", "vocab_file"),
    *("max_length", "pad_to_multiple_of", "stride", "truncation_strategy"),
)


def load_encoder(checkpoint_path: Path, device: str | None = None) -> "Encoder":
    """Read an encoder from a sentence-transformers folder or a plain transformers one.

    Weights come from safetensors alone and are held in float32; no code in the folder is run, and
    nothing is downloaded. A plain folder is pooled by mean, or by the last token where that is the
    only one that has seen the others, and normalised. A folder for cosine similarity, which is
    sentence-transformers' default, is normalised even if it has no module for it, so that inner
    products rank as its makers meant.

    Args:
        checkpoint_path: The folder.
        device: `cpu`, `cuda:1`, …; if left out, the GPU where there is one.

    Raises:
        BurnishError: this is no model, its weights are pickles or incomplete, or it embeds in a
            way that a cut model could not.
    """
    layout = read_layout(checkpoint_path)
    backbone = check_transformer(layout.transformer)

    import torch

    from .core.encoder import Encoder

    device = device or ("cuda" if torch.cuda.is_available() else "cpu")
    model = _load_model(layout.transformer, backbone, device)
    tokenizer = _load_tokenizer(layout.transformer, lowers_case=layout.lowers_case)
    limits = [tokenizer.model_max_length, model.config.max_position_embeddings]
    limits[1] -= backbone.first_position
    return Encoder(
        model=model,
        tokenizer=tokenizer,
        pooling=layout.pooling,
        normalize=layout.normalize,
        max_tokens=min(limits if layout.max_tokens is None else [*limits, layout.max_tokens]),
        prompts=layout.prompts,
        pools_prompt=layout.pools_prompt,
        shortened_to=layout.shortened_to,
    )


def save_encoder(encoder: "Encoder", path: Path) -> None:
    """Write an encoder as a folder that `SentenceTransformer(path)` and `load_encoder` read.

    The same encoder gives the same bytes: no dates, no paths, no trace of earlier use.

    Args:
        encoder: What to write.
        path: The folder; made if it is not there.
    """
    path.mkdir(parents=True, exist_ok=True)
    with _quiet():
        encoder.model.save_pretrained(path)
        for file in path.glob("*.safetensors"):
            file.chmod(0o644)  # 0600 otherwise, which would lock out another user's worker
        _save_tokenizer(encoder, path)
    write_layout(encoder, path)


def _load_model(folder: Path, backbone: "Backbone", device: str) -> "PreTrainedModel":
    import torch
    from safetensors import SafetensorError
    from transformers import AutoModel

    without_head = {"add_pooling_layer": False} if backbone.has_pooler else {}
    try:
        with _quiet():
            model, found = AutoModel.from_pretrained(
                folder,
                dtype=torch.float32,
                use_safetensors=True,
                local_files_only=True,
                trust_remote_code=False,
                output_loading_info=True,
                **without_head,
            )
    except (OSError, ValueError, RuntimeError, SafetensorError) as error:
        raise BurnishError(f"The model in {folder} cannot be loaded: {error}") from error
    # code not run here is not named for others to run
    is_of_code = find_code({"auto_map": vars(model.config).pop("auto_map", None)})
    check_weights(
        folder, backbone, found["missing_keys"], found["unexpected_keys"] if is_of_code else ()
    )
    loaded: PreTrainedModel = model.to(device).eval()
    return loaded


def _load_tokenizer(folder: Path, *, lowers_case: bool) -> "PreTrainedTokenizerFast":
    from transformers import AutoTokenizer, PreTrainedTokenizerFast

    try:
        with _quiet():
            tokenizer = AutoTokenizer.from_pretrained(
                folder, local_files_only=True, trust_remote_code=False
            )
    except (OSError, ValueError, KeyError) as error:
        raise BurnishError(f"The tokenizer in {folder} cannot be loaded: {error}") from error
    assert isinstance(tokenizer, PreTrainedTokenizerFast)
    if len(tokenizer) <= len(tokenizer.all_special_ids):  # what transformers makes of no files
        raise BurnishError(f"The tokenizer in {folder} knows no words: its tokenizer.json is gone.")
    if tokenizer.pad_token_id is None:
        raise BurnishError(
            f"The tokenizer in {folder} has no padding token; set `pad_token` in its "
            "tokenizer_config.json."
        )
    normalizer = tokenizer.backend_tokenizer.normalizer
    if lowers_case and (normalizer is None or normalizer.normalize_str("A") != "a"):
        raise BurnishError(
            f"sentence_bert_config.json in {folder} asks for lower case, which its tokenizer does "
            "not do. Let the tokenizer do it, or set `do_lower_case` there to false."
        )
    return tokenizer


def _save_tokenizer(encoder: "Encoder", path: Path) -> None:
    backend = encoder.tokenizer.backend_tokenizer
    backend.no_truncation()  # set by the last call, and saved with the rest
    backend.no_padding()
    encoder.tokenizer.save_pretrained(path)
    config = read_json(path / "tokenizer_config.json")
    kept = {name: value for name, value in config.items() if name not in TRACES}
    write_json(path / "tokenizer_config.json", {**kept, "model_max_length": encoder.max_tokens})


@contextmanager
def _quiet() -> Iterator[None]:
    """Keep transformers' progress bars and reports, one set per model, out of the log."""
    from transformers.utils import logging

    verbosity, has_bars = logging.get_verbosity(), logging.is_progress_bar_enabled()
    logging.set_verbosity_error()  # type: ignore[no-untyped-call]
    logging.disable_progress_bar()  # type: ignore[no-untyped-call]
    try:
        yield
    finally:
        logging.set_verbosity(verbosity)
        if has_bars:
            logging.enable_progress_bar()  # type: ignore[no-untyped-call]
