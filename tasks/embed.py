"""Embeddings of texts: each is computed once per model, whoever asks."""

import ctypes
import hashlib
import sys
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pyarrow as pa

from .contracts import Checkpoint
from .progress import progress
from .stage import fingerprint_code
from .vectors import KEY, VectorMemo

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
    wanted: Sequence[int] | None = None,
    encoder: "Encoder | None" = None,
    work: dict[str, int] | None = None,
) -> "np.ndarray":
    """Embed texts at several layers; what was embedded before comes from the memo.

    A result is kept under all that decides it: the text, the checkpoint's content, the kind, the
    layers, the number of tokens a text is cut to, and the code of the encoder. Not the size of
    batches, on which it does not depend. Vectors go from and to the disk part by part: memory does
    not grow with them.

    Args:
        root: Folder of all nouns.
        checkpoint: The model.
        texts: Any number of texts; equal ones are embedded once.
        kind: Which prompt they get.
        layers: Layers embedded, in any order; one pass gives them all.
        batch_tokens: Tokens that go through the model at once, padding included; by default what
            suits the device.
        what: What is embedded, for the progress.
        wanted: Layers returned, if not all.
        encoder: The checkpoint's encoder, where it is loaded already.
        work: Where to add up how many texts were `embedded`, and how many were `known`.

    Returns:
        (texts, layers, dimension) float32, in the order of `texts` and `wanted`: a memory map in
        which each layer lies in one piece.
    """
    import numpy as np

    from .model_files import load_encoder

    loaded = encoder or load_encoder(checkpoint.check().path)
    memo = _open_memo(root, checkpoint, kind, layers, loaded)
    keys = text_keys(texts).dictionary_encode()
    numbers = keys.indices.to_numpy()
    first = np.unique(numbers, return_index=True)[1]  # where each different text is
    with progress(what, len(first), "texts") as advance:

        def compute(part: "np.ndarray") -> "np.ndarray":
            some = [texts[place] for place in first[part]]
            found = loaded.encode(some, kind, layers, batch_tokens=batch_tokens, advance=advance)
            _trim_heap()
            return found

        rows = memo.fill(keys.dictionary, compute, part_items=PART_TEXTS, advance=advance)
    if work is not None:
        work["embedded"] = work.get("embedded", 0) + memo.computed
        work["known"] = work.get("known", 0) + len(first) - memo.computed
    return memo.gather(rows[numbers], layers if wanted is None else wanted)


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
    different = list(dict.fromkeys(texts))
    vectors = embed(root, whole, different, kind, layers, wanted=[layer], encoder=before)
    memo = _open_memo(root, cut, kind, [layer], after)
    memo.fill(text_keys(different), lambda part: vectors[part], part_items=PART_TEXTS)


def text_keys(texts: Iterable[str]) -> pa.Array:
    """Hash texts: (texts,) of type `vectors.KEY`."""
    hashes = bytearray()
    for text in texts:
        digest = hashlib.sha256(text.encode("utf-8", "surrogatepass")).digest()
        hashes += digest[: KEY.byte_width]
    count = len(hashes) // KEY.byte_width
    return pa.Array.from_buffers(KEY, count, [None, pa.py_buffer(bytes(hashes))])


def embedding_settings(
    checkpoint: Checkpoint, kind: "Kind", layers: Sequence[int], encoder: "Encoder"
) -> dict[str, Any]:
    """Return all that decides an embedding besides its text."""
    from .core import encoder as encoder_module

    return {
        "checkpoint": checkpoint.fingerprint,
        "kind": kind,
        "layers": list(layers),
        "max_tokens": encoder.max_tokens,
        "code": fingerprint_code(encoder_module, f"{__package__}.model_files"),
    }


def _open_memo(
    root: Path, checkpoint: Checkpoint, kind: "Kind", layers: Sequence[int], encoder: "Encoder"
) -> VectorMemo:
    settings = embedding_settings(checkpoint, kind, layers, encoder)
    return VectorMemo(root, "embeddings", settings, layers, encoder.dimension)


def _trim_heap() -> None:
    """Give freed memory back to the system.

    glibc keeps it, in pieces that batches of another shape do not fit into: on the CPU a hundred
    MiB more after every thousand texts, and nothing if it is asked to let go.
    """
    if sys.platform == "linux":
        trim = getattr(ctypes.CDLL(None), "malloc_trim", None)  # musl has none
        if trim is not None:
            trim(0)
