"""Embeddings of texts: each is computed once per model, whoever asks."""

import ctypes
import sys
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import pyarrow as pa

from .contracts import Checkpoint
from .embed_part import LIBRARIES, embed_part
from .engines import find_engine, spread
from .kept_vectors import open_memo, text_keys
from .packed import pack
from .progress import progress
from .vectors import VectorMemo, shorten_vectors

if TYPE_CHECKING:
    import numpy as np

    from .core.encoder import Encoder, Kind
    from .core.pooling import Pooling

# Texts between two writes: a kill loses a minute of work on a small machine. Engines are sent the
# same parts: the last bits of an embedding depend on the texts it shares a batch with.
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
    layers, the pooling, the number of tokens a text is cut to, and the code of the encoder. Not the
    size of batches, on which it does not depend. Vectors go from and to the disk part by part:
    memory does not grow with them.

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
    from .model_files import load_encoder

    loaded = encoder or load_encoder(checkpoint.check().path)
    return embed_poolings(
        root, checkpoint, texts, kind, layers, [loaded.pooling], batch_tokens, what,
        wanted=wanted, encoder=loaded, work=work,
    )[loaded.pooling]  # fmt: skip


def embed_poolings(
    root: Path,
    checkpoint: Checkpoint,
    texts: Sequence[str],
    kind: "Kind",
    layers: Sequence[int],
    poolings: Sequence["Pooling"],
    batch_tokens: int | None = None,
    what: str = "embedding",
    *,
    encoder: "Encoder",
    wanted: Sequence[int] | None = None,
    work: dict[str, int] | None = None,
) -> "dict[Pooling, np.ndarray]":
    """Embed texts as `embed` does, pooled in several ways: one pass gives these too.

    Each pooling has a memo of its own, so whoever asks for one alone finds it there.

    Args:
        root: Folder of all nouns.
        checkpoint: The model.
        texts: Any number of texts.
        kind: Which prompt they get.
        layers: Layers embedded.
        poolings: Poolings wanted, whatever the encoder's own is.
        batch_tokens: Tokens that go through the model at once.
        what: What is embedded, for the progress.
        encoder: The checkpoint's encoder.
        wanted: Layers returned, if not all.
        work: Where to add up how many texts were `embedded`, and how many were `known`.

    Returns:
        By pooling what `embed` returns for it.
    """
    import numpy as np

    memos = {one: open_memo(root, checkpoint, kind, layers, encoder, one) for one in poolings}
    keys = text_keys(texts).dictionary_encode()
    numbers = keys.indices.to_numpy()
    first = np.unique(numbers, return_index=True)[1]  # where each different text is
    rows = {pooling: memo.find(keys.dictionary) for pooling, memo in memos.items()}
    missing = np.flatnonzero(np.min(list(rows.values()), axis=0) < 0)
    with progress(what, len(first), "texts") as advance:
        advance(len(first) - len(missing))
        parts = [missing[start:][:PART_TEXTS] for start in range(0, len(missing), PART_TEXTS)]
        encoded = _encode(
            checkpoint, encoder, [first[part] for part in parts], texts,
            (kind, layers, poolings, batch_tokens), what, advance,
        )  # fmt: skip
        for part, found in zip(parts, encoded, strict=True):
            asked = keys.dictionary.take(pa.array(part))
            for place, (pooling, memo) in enumerate(memos.items()):
                rows[pooling][part] = _keep(memo, asked, found[:, place])
    if work is not None:
        work["embedded"] = work.get("embedded", 0) + len(missing)
        work["known"] = work.get("known", 0) + len(first) - len(missing)
    kept = layers if wanted is None else wanted
    return {pooling: memo.gather(rows[pooling][numbers], kept) for pooling, memo in memos.items()}


def _encode(
    checkpoint: Checkpoint,
    encoder: "Encoder",
    parts: "Sequence[np.ndarray]",
    texts: Sequence[str],
    how: tuple["Kind", Sequence[int], Sequence["Pooling"], int | None],
    what: str,
    advance: Callable[[int], object],
) -> "Iterator[np.ndarray]":
    """Embed parts of the texts, each given by its places, in order: here, or on the engine.

    A single part stays here, where the model is loaded already.
    """
    kind, layers, poolings, batch_tokens = how
    asked = ([texts[place] for place in part] for part in parts)
    engine = find_engine() if len(parts) > 1 else None
    if engine is None:
        for some in asked:
            yield encoder.encode_poolings(
                some, kind, layers, poolings, batch_tokens=batch_tokens, advance=advance
            )
            _trim_heap()
        return
    path = checkpoint.check().path
    sent = (
        (path, checkpoint.fingerprint, some, kind, list(layers), list(poolings), batch_tokens)
        for some in asked
    )
    for found in spread(
        engine, embed_part, sent,
        what=what, libraries=LIBRARIES, uses_model=True, shared=lambda: pack(path),
    ):  # fmt: skip
        yield found
        advance(len(found))


def hand_down(
    root: Path, whole: Checkpoint, layer: int, cut: Checkpoint, texts: Sequence[str], kind: "Kind"
) -> None:
    """Give a cut model what the whole one's layer embedded: it is proven to give the same.

    So the first search, and the next run that meets the cut model as champion, embed nothing that
    evaluation has embedded already. A cut model that pools in another way, or gives shorter
    embeddings, gets those.

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
    found = embed_poolings(
        root, whole, different, kind, layers, [after.pooling], wanted=[layer], encoder=before
    )[after.pooling][:, 0]
    vectors = shorten_vectors(root, found, after.dimension, normalize=after.normalize)[:, None]
    memo = open_memo(root, cut, kind, [layer], after, after.pooling)
    memo.fill(text_keys(different), lambda part: vectors[part], part_items=PART_TEXTS)


def _keep(memo: VectorMemo, keys: pa.Array, vectors: "np.ndarray") -> "np.ndarray":
    """Keep those vectors that are not there; return the rows of all."""
    return memo.fill(keys, lambda numbers: vectors[numbers], part_items=PART_TEXTS)


def _trim_heap() -> None:
    """Give freed memory back to the system.

    glibc keeps it, in pieces that batches of another shape do not fit into: on the CPU a hundred
    MiB more after every thousand texts, and nothing if it is asked to let go.
    """
    if sys.platform == "linux":
        trim = getattr(ctypes.CDLL(None), "malloc_trim", None)  # musl has none
        if trim is not None:
            trim(0)
