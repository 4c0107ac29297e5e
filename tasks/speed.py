"""How fast models encode on this machine: at each layer, and the cut one beside the base."""

import statistics
import time
from collections.abc import Sequence
from typing import TYPE_CHECKING, NamedTuple

from .contracts import Checkpoint
from .model_files import load_encoder

if TYPE_CHECKING:
    from .core.encoder import Encoder

TIMED_PASSAGES = 24  # a pass of all layers' cuts takes a second or so on a small machine
LEAST_TURNS, MOST_TURNS = 3, 9
TURNS_SECONDS = 2.0


class Speed(NamedTuple):
    """Passages per second of both models, and how many times faster the cut one is."""

    base: float
    cut: float
    ratio: float


def compare_speed(base: Checkpoint, cut: Checkpoint, texts: list[str], repeats: int = 5) -> Speed:
    """Encode the same texts with both models in turn; medians, so that a noisy moment drops out.

    Args:
        base: The model before.
        cut: The model after.
        texts: Composed passages, some dozens.
        repeats: Turns that count, after one that warms up.
    """
    encoders = load_encoder(base.path), load_encoder(cut.path)
    rates: list[tuple[float, float]] = []
    for _ in range(repeats + 1):
        pair = []
        for encoder in encoders:
            started = time.perf_counter()
            encoder.encode(texts, "document", [encoder.layers])
            pair.append(len(texts) / (time.perf_counter() - started))
        rates.append((pair[0], pair[1]))
    counted = rates[1:]
    return Speed(
        statistics.median(rate for rate, _ in counted),
        statistics.median(rate for _, rate in counted),
        statistics.median(theirs / ours for ours, theirs in counted),
    )


def measure_layers(
    encoder: "Encoder", layers: Sequence[int], texts: Sequence[str]
) -> dict[int, float]:
    """Measure what encoding a passage costs once a model is cut to each of some layers.

    Each cut model really encodes, tokens included. They take turns, so that a noisy moment hits
    all alike, and the median counts; a fast machine takes more turns, a slow one `LEAST_TURNS`.

    Args:
        encoder: The whole model.
        layers: Layers to cut to, each at least 1.
        texts: Composed passages of the corpus; evenly spread, some are encoded.

    Returns:
        Milliseconds per passage by layer; empty if there is no passage.
    """
    sample = texts[:: max(1, len(texts) // TIMED_PASSAGES)][:TIMED_PASSAGES]
    if not sample:
        return {}
    cuts = {layer: encoder.cut(layer, copies_weights=False) for layer in layers}
    seconds: dict[int, list[float]] = {layer: [] for layer in layers}
    encoder.encode(sample, "document", [encoder.layers])  # warms up
    ends = time.perf_counter() + TURNS_SECONDS
    turns = 0
    while turns < LEAST_TURNS or (turns < MOST_TURNS and time.perf_counter() < ends):
        for layer, cut in cuts.items():
            started = time.perf_counter()
            cut.encode(sample, "document", [layer])
            seconds[layer].append(time.perf_counter() - started)
        turns += 1
    return {
        layer: 1000 * statistics.median(taken) / len(sample) for layer, taken in seconds.items()
    }
