"""How fast the cut model encodes, beside the base: a ratio from one run."""

import statistics
import time
from typing import NamedTuple

from .contracts import Checkpoint
from .model_files import load_encoder


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
