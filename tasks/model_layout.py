"""What the small files of a sentence-transformers folder say about its transformer."""

import json
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from .contracts import BurnishError
from .core.backbones import BACKBONES
from .model_dense import read_dense, write_dense

if TYPE_CHECKING:
    from .core.encoder import Encoder
    from .core.pooling import Pooling

MODULES = ("Transformer", "Pooling", "Dense", "Normalize")  # the last two are optional
# What each pooling is called in a file, in the form that every sentence-transformers reads.
POOLING_FLAGS: dict[str, "Pooling"] = {
    "pooling_mode_mean_tokens": "mean",
    "pooling_mode_cls_token": "cls",
    "pooling_mode_max_tokens": "max",
    "pooling_mode_lasttoken": "lasttoken",
}
DOCUMENT_PROMPTS = ("document", "passage", "corpus")  # names in use for the same thing


@dataclass(frozen=True)
class Layout:
    """How a folder turns tokens into embeddings, and where its transformer is.

    The defaults are for a folder of transformers alone, which does not say.
    """

    transformer: Path
    pooling: "Pooling" = "mean"
    normalize: bool = True
    max_tokens: int | None = None
    lowers_case: bool = False
    prompts: dict[str, str] = field(default_factory=dict)
    pools_prompt: bool = True
    shortened_to: int | None = None


def count_layers(path: Path) -> int:
    """Return how many layers a model has by its configuration, without loading it."""
    from transformers import AutoConfig

    folder = read_layout(path).transformer
    config = AutoConfig.from_pretrained(folder, local_files_only=True, trust_remote_code=False)
    return int(config.num_hidden_layers)


def read_layout(path: Path) -> Layout:
    """Read the layout of a sentence-transformers folder, old or new, or of a plain one.

    Raises:
        BurnishError: this is no model, or it embeds in a way that a cut model could not.
    """
    if not (path / "modules.json").exists():
        if not (path / "config.json").exists():
            raise BurnishError(
                f"There is no model in {path}: neither modules.json (sentence-transformers) nor "
                "config.json (transformers) is there. Name the folder that holds one of them."
            )
        return Layout(path, pooling=_usual_pooling(read_json(path / "config.json")))
    modules = read_json(path / "modules.json")
    names = [module["type"].rpartition(".")[2] for module in modules]
    folders = {name: path / module["path"] for name, module in zip(names, modules, strict=True)}
    if names != [name for name in MODULES if name in {*MODULES[:2], *names}]:
        raise BurnishError(
            f"The model in {path} is made of {', '.join(names)}; only {', '.join(MODULES)}, the "
            "last two of them optional, can be tuned and cut. Choose another base model."
        )
    transformer = folders["Transformer"]
    pooling = read_json(folders["Pooling"] / "config.json")
    settings = _read_first(sorted(transformer.glob("sentence_*_config.json")))
    shared = _read_first([path / "config_sentence_transformers.json"])
    kept = [shared["truncate_dim"]] if shared.get("truncate_dim") else []
    if "Dense" in folders:
        kept.append(read_dense(folders["Dense"], read_json(folders["Dense"] / "config.json")))
    return Layout(
        transformer=transformer,
        pooling=_pooling(pooling, folders["Pooling"]),
        normalize="Normalize" in names or shared.get("similarity_fn_name") in {None, "cosine"},
        max_tokens=settings.get("max_seq_length"),
        lowers_case=settings.get("do_lower_case", False),
        prompts=_prompts(shared.get("prompts", {})),
        pools_prompt=pooling.get("include_prompt", True),
        shortened_to=min(kept, default=None),
    )


def write_layout(encoder: "Encoder", path: Path) -> None:
    """Write the files beside an encoder's transformer that make its folder sentence-transformers'.

    They are in the form that its older versions read too.
    """
    left_out = {"Dense": encoder.shortened_to is None, "Normalize": not encoder.normalize}
    modules = []
    for number, name in enumerate(name for name in MODULES if not left_out.get(name)):
        folder = f"{number}_{name}" if number else ""
        (path / folder).mkdir(exist_ok=True)
        kind = f"sentence_transformers.models.{name}"
        modules.append({"idx": number, "name": str(number), "path": folder, "type": kind})
    whole = encoder.model.config.hidden_size
    flags = {flag: pooling == encoder.pooling for flag, pooling in POOLING_FLAGS.items()}
    pooling = {**flags, **({} if encoder.pools_prompt else {"include_prompt": False})}
    if encoder.shortened_to is not None:
        dense = write_dense(path / "2_Dense", whole, encoder.shortened_to)
        write_json(path / "2_Dense/config.json", dense)
    settings: dict[str, Any] = {"max_seq_length": encoder.max_tokens, "do_lower_case": False}
    if encoder.backbone.has_pooler:
        # Else transformers makes the head that was left out anew, at random, and warns of it.
        settings["model_args"] = {"add_pooling_layer": False}
    shared = {
        "model_type": "SentenceTransformer",
        "prompts": {kind: encoder.prompts.get(kind, "") for kind in ("query", "document")},
        "default_prompt_name": None,
        "similarity_fn_name": "cosine" if encoder.normalize else "dot",
    }
    write_json(path / "modules.json", modules)
    write_json(path / "1_Pooling/config.json", {"word_embedding_dimension": whole, **pooling})
    write_json(path / "sentence_bert_config.json", settings)
    write_json(path / "config_sentence_transformers.json", shared)


def read_json(file: Path) -> Any:  # noqa: ANN401 - whatever the file holds
    """Read a JSON file.

    Raises:
        BurnishError: it is missing or broken.
    """
    try:
        return json.loads(file.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise BurnishError(
            f"{file} cannot be read: {error}. The model is incomplete; fetch it again."
        ) from error


def write_json(file: Path, value: object) -> None:
    """Write a JSON file, the same bytes for the same value."""
    text = json.dumps(value, indent=2, sort_keys=True, ensure_ascii=False)
    file.write_text(text + "\n", encoding="utf-8")


def _read_first(files: list[Path]) -> dict[str, Any]:
    found: dict[str, Any] = next((read_json(file) for file in files if file.exists()), {})
    return found


def _prompts(named: dict[str, str]) -> dict[str, str]:
    document = next((named[name] for name in DOCUMENT_PROMPTS if named.get(name)), "")
    return {"query": named.get("query") or "", "document": document}


def _usual_pooling(config: dict[str, Any]) -> "Pooling":
    """Return how a transformer that does not say is pooled: the token that has seen the others."""
    backbone = BACKBONES.get(config.get("model_type", ""))
    is_causal = backbone is not None and backbone.is_decoder and config.get("is_causal", True)
    return "lasttoken" if is_causal else "mean"


def _pooling(config: dict[str, Any], folder: Path) -> "Pooling":
    flags = [flag for flag, is_on in config.items() if flag.startswith("pooling_mode_") and is_on]
    modes = config.get("pooling_mode", [POOLING_FLAGS.get(flag, flag) for flag in flags])
    modes = [modes] if isinstance(modes, str) else modes or ["mean"]
    known = [pooling for pooling in POOLING_FLAGS.values() if [pooling] == list(modes)]
    if not known:
        raise BurnishError(
            f"{folder / 'config.json'} pools by {' and '.join(modes)}; one of "
            f"{', '.join(POOLING_FLAGS.values())} is needed. Choose another base model."
        )
    return known[0]
