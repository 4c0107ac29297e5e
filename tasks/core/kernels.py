"""How a model computes while it is trained: its attention, and whether it is compiled."""

import shutil
import sysconfig
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import torch
from transformers import PreTrainedModel

from .encoder import Encoder
from .layers import find_layers

# A variant for each kind of layer, with and without gradients, of either kind of shape; torch's own
# 8 are spent on the numbers of 8 layers.
VARIANTS_PER_LAYER = 4


@contextmanager
def fast_attention(encoder: Encoder) -> Iterator[None]:
    """Attend in plain matrix products while training on a CPU.

    PyTorch's fused attention is slower there going backward at the lengths of passages (a third of
    a step); on a GPU it is what is fast.
    """
    before = encoder.model.config._attn_implementation
    if encoder.device.type == "cpu":
        encoder.model.set_attn_implementation("eager")
    try:
        yield
    finally:
        encoder.model.set_attn_implementation(before)


@contextmanager
def compiled_layers(
    model: PreTrainedModel, *, backend: str | Callable[..., Any] = "inductor"
) -> Iterator[None]:
    """Run the layers of a model compiled, for batches of any shape.

    Layers, not the model: exits are read between them, and one compilation serves all. It is their
    `forward` that is replaced, not they, so weights keep their names (no `_orig_mod.` before them)
    and nothing compiled is saved or copied with a cut.

    Args:
        model: Its layers compute the same as before, up to rounding.
        backend: What torch.compile hands the layers to.
    """
    layers = find_layers(model)
    limit = VARIANTS_PER_LAYER * (len(layers) + 1)
    for layer in layers:
        # Not by torch's configuration, which is a thread's own: gradient caching recomputes in the
        # threads of the backward pass.
        layer.forward = torch.compile(  # type: ignore[call-overload]  # its types lack the limit
            layer.forward, dynamic=True, backend=backend, recompile_limit=limit
        )
    try:
        yield
    finally:
        for layer in layers:
            del layer.forward


@contextmanager
def fast_kernels(encoder: Encoder, *, compiles: bool | None) -> Iterator[None]:
    """Compute as is fastest for training on the encoder's device.

    Args:
        encoder: Left as it was.
        compiles: Whether layers are compiled; if left out, where it pays.
    """
    with ExitStack() as stack:
        stack.enter_context(fast_attention(encoder))
        if pays_to_compile(encoder.device) if compiles is None else compiles:
            stack.enter_context(compiled_layers(encoder.model))
        yield


def pays_to_compile(device: torch.device) -> bool:
    """Tell whether compiling is worth its minute: on a GPU that Triton writes kernels for."""
    if device.type != "cuda" or not (shutil.which("cc") or shutil.which("gcc")):
        return False
    if not (Path(sysconfig.get_path("include")) / "Python.h").exists():
        return False  # Triton compiles what launches its kernels against it
    from torch.utils._triton import has_triton

    return bool(has_triton())
