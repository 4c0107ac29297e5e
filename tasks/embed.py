"""Embeddings of texts: each is computed once per model, whoever asks."""

import hashlib
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pyarrow as pa

from .contracts import Checkpoint
from .memo import Memo
from .progress import progress
from .stage import fingerprint_code

if TYPE_CHECKING:
    import numpy as np

    from .core.encoder import Encoder, Kind

# Texts between two writes: a kill loses a minute of work on a small machine.
PART_TEXTS = 512


def embed(
    root: Path,
    checkpoint: Checkpoint,
    texts: Sequence[str],
    kind: "Kind",
    layers: Sequence[int],
    batch_tokens: int | None = None,
    what: str = "embedding",
    *,
    encoder: "Encoder | None" = None,
) -> "np.ndarray":
    """Embed texts at several layers; what was embedded before comes from the memo.

    A result is kept under all that decides it: the text, the checkpoint's content, the kind, the
    layers, the number of tokens a text is cut to, and the code of the encoder. Not the size of
    batches, on which it does not depend.

    Args:
        root: Folder of all nouns.
        checkpoint: The model.
        texts: Any number of texts; equal ones are embedded once.
        kind: Which prompt they get.
        layers: Layers wanted, in any order; one pass gives them all.
        batch_tokens: Tokens that go through the model at once, padding included; by default what
            suits the device.
        what: What is embedded, for the progress.
        encoder: The checkpoint's encoder, where it is loaded already.

    Returns:
        (texts, layers, dimension) float32, in the order of `texts` and `layers`.
    """
    import numpy as np

    from .model_files import load_encoder

    loaded = encoder or load_encoder(checkpoint.check().path)
    shape = len(layers), loaded.dimension
    memo = _open_memo(root, checkpoint, kind, layers, loaded)
    keys = [_key(text) for text in texts]
    items = dict(zip(keys, texts, strict=True))
    with progress(what, len(items), "texts") as advance:

        def compute(part: list[str]) -> list[bytes]:
            vectors = loaded.encode(part, kind, layers, batch_tokens=batch_tokens, advance=advance)
            return [vector.tobytes() for vector in vectors.astype("<f4", copy=False)]

        def skip(count: int) -> None:
            if not memo.computed:  # what is computed is told batch by batch
                advance(count)

        found = memo.fill(items, compute, part_items=PART_TEXTS, advance=skip)
    vectors = _to_array(found).reshape(len(items), *shape)
    if len(keys) == len(items):
        return vectors
    places = {key: place for place, key in enumerate(items)}
    return vectors[np.array([places[key] for key in keys], dtype=np.int64)]


def hand_down(
    root: Path, whole: Checkpoint, layer: int, cut: Checkpoint, texts: Sequence[str], kind: "Kind"
) -> None:
    """Give a cut model what the whole one's layer embedded: it is proven to give the same.

    So the first search, and the next run that meets the cut model as champion, embed nothing that
    evaluation has embedded already.

    Args:
        root: Folder of all nouns.
        whole: The model before the cut, whose layers 1 to the last were embedded.
        layer: Where it was cut.
        cut: The model after.
        texts: What to hand down.
        kind: Which prompt they got.
    """
    from .model_files import load_encoder

    before, after = load_encoder(whole.check().path), load_encoder(cut.check().path)
    layers = range(1, before.layers + 1)
    vectors = embed(root, whole, texts, kind, layers, encoder=before)[:, layer - 1]
    found = {_key(text): vector for text, vector in zip(texts, vectors, strict=True)}
    memo = _open_memo(root, cut, kind, [layer], after)
    memo.fill(found, lambda part: [vector.astype("<f4").tobytes() for vector in part])


def _open_memo(
    root: Path, checkpoint: Checkpoint, kind: "Kind", layers: Sequence[int], encoder: "Encoder"
) -> Memo:
    from .core import encoder as encoder_module

    settings: dict[str, Any] = {
        "checkpoint": checkpoint.fingerprint,
        "kind": kind,
        "layers": list(layers),
        "max_tokens": encoder.max_tokens,
        "code": fingerprint_code(encoder_module, f"{__package__}.model_files"),
    }
    return Memo(root, "embeddings", settings, pa.binary(4 * len(layers) * encoder.dimension))


def _key(text: str) -> str:
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()


def _to_array(column: pa.ChunkedArray) -> "np.ndarray":
    """Read fixed-size bytes as float32, without a copy where they are in one piece."""
    import numpy as np

    pieces = [np.empty(0, dtype=np.float32)]
    for chunk in column.chunks:
        width = chunk.type.byte_width // 4
        numbers = np.frombuffer(chunk.buffers()[1] or b"", dtype="<f4")
        pieces.append(numbers[chunk.offset * width : (chunk.offset + len(chunk)) * width])
    return pieces[1] if len(pieces) == 2 else np.concatenate(pieces)
