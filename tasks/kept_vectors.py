"""Where embeddings are kept: by text, under all else that decides them."""

import hashlib
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pyarrow as pa

from .contracts import Checkpoint
from .stage import fingerprint_code
from .vectors import KEY, VectorMemo

if TYPE_CHECKING:
    from .core.encoder import Encoder, Kind
    from .core.pooling import Pooling


def text_keys(texts: Iterable[str]) -> pa.Array:
    """Hash texts: (texts,) of type `vectors.KEY`."""
    hashes = bytearray()
    for text in texts:
        digest = hashlib.sha256(text.encode("utf-8", "surrogatepass")).digest()
        hashes += digest[: KEY.byte_width]
    count = len(hashes) // KEY.byte_width
    return pa.Array.from_buffers(KEY, count, [None, pa.py_buffer(bytes(hashes))])


def embedding_settings(
    checkpoint: Checkpoint,
    kind: "Kind",
    layers: Sequence[int],
    encoder: "Encoder",
    pooling: "Pooling | None" = None,
) -> dict[str, Any]:
    """Return all that decides an embedding besides its text; a pooling only if not its own."""
    from .core import encoder as encoder_module

    other = {} if pooling in {None, encoder.pooling} else {"pooling": pooling}
    return {
        "checkpoint": checkpoint.fingerprint,
        "kind": kind,
        "layers": list(layers),
        "max_tokens": encoder.max_tokens,
        "code": fingerprint_code(encoder_module, f"{__package__}.model_files"),
        **other,
    }


def open_memo(
    root: Path,
    checkpoint: Checkpoint,
    kind: "Kind",
    layers: Sequence[int],
    encoder: "Encoder",
    pooling: "Pooling",
) -> VectorMemo:
    """Open the memo of a model's embeddings, pooled in one way."""
    settings = embedding_settings(checkpoint, kind, layers, encoder, pooling)
    return VectorMemo(root, "embeddings", settings, layers, encoder.dimension)
