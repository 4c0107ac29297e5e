"""Short embeddings in sentence-transformers' format: a dense module that keeps the first numbers.

Its setting `truncate_dim` would cut after the normalisation, so inner products would no longer be
cosines, and only its newer versions read it. A dense module before the normalisation gives every
reader the same vectors.
"""

from pathlib import Path
from typing import Any

from .contracts import BurnishError

_WEIGHT = "linear.weight"
_IDENTITY = "torch.nn.modules.linear.Identity"


def write_dense(folder: Path, whole: int, kept: int) -> dict[str, Any]:
    """Write the weights that keep the first `kept` of `whole` numbers; return the settings."""
    import numpy as np
    from safetensors.numpy import save_file

    file = folder / "model.safetensors"
    save_file({_WEIGHT: np.eye(kept, whole, dtype=np.float32)}, file)
    file.chmod(0o644)  # another user's worker can read it
    settings = {"in_features": whole, "out_features": kept, "bias": False}
    return {**settings, "activation_function": _IDENTITY}


def read_dense(folder: Path, settings: dict[str, Any]) -> int:
    """Return how many numbers the module keeps.

    Raises:
        BurnishError: it does anything else than keeping the first numbers.
    """
    import numpy as np
    from safetensors import SafetensorError
    from safetensors.numpy import load_file

    try:
        weights = load_file(folder / "model.safetensors")
    except (OSError, SafetensorError) as error:
        raise BurnishError(
            f"The weights in {folder} cannot be read as safetensors: {error}. Fetch it again."
        ) from error
    matrix = weights.get(_WEIGHT, np.zeros((1, 1)))
    is_plain = (
        set(weights) == {_WEIGHT}
        and settings.get("activation_function") == _IDENTITY
        and not settings.get("use_residual", False)
        and np.array_equal(matrix, np.eye(*matrix.shape))
    )
    if not is_plain:
        raise BurnishError(
            f"{folder} is a dense module that does more than keep the first numbers of an "
            "embedding, which cannot be tuned here. Choose another base model."
        )
    return len(matrix)
