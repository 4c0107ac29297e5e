"""A part of the texts to embed, on whatever process it landed: the model is loaded once there."""

import os
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from .held import hold_model
from .packed import at_hand

if TYPE_CHECKING:
    import numpy as np

    from .core.encoder import Encoder, Kind
    from .core.pooling import Pooling

LIBRARIES = ("torch", "transformers", "tokenizers")


def embed_part(
    folder: Path,
    fingerprint: str,
    texts: Sequence[str],
    kind: "Kind",
    layers: Sequence[int],
    poolings: "Sequence[Pooling]",
    batch_tokens: int | None,
    packed: "np.ndarray | None",
) -> "np.ndarray":
    """Embed texts with a checkpoint, as `Encoder.encode_poolings` does.

    Args:
        folder: The checkpoint's folder where the flow runs.
        fingerprint: Of the checkpoint.
        texts: The part.
        kind: Which prompt they get.
        layers: Layers embedded.
        poolings: Poolings wanted.
        batch_tokens: Tokens that go through the model at once.
        packed: The folder's content, for a process that does not see the folder.

    Returns:
        (texts, poolings, layers, dimension) float32.
    """
    with hold_model(fingerprint, lambda: _load(folder, fingerprint, packed)) as encoder:
        return encoder.encode_poolings(texts, kind, layers, poolings, batch_tokens=batch_tokens)


def _load(folder: Path, fingerprint: str, packed: "np.ndarray | None") -> "Encoder":
    import torch

    from .model_files import load_encoder

    # Tokenizers take all cores unless told; torch is told by the engine, through the environment.
    os.environ.setdefault("RAYON_NUM_THREADS", str(torch.get_num_threads()))
    with at_hand(folder, fingerprint, packed) as seen:
        return load_encoder(seen)
