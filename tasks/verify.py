"""Whether a saved model gives the vectors it should, as a stranger would load it."""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from .stranger import Loaded, load_in_new_process

if TYPE_CHECKING:
    import numpy as np

    from .core.encoder import Encoder, Kind

MIN_COSINE = 0.9999  # float32 on other kernels stays above .99999; another layer is far below

_SENTENCES = (
    "How do I undo the last change?",
    "error 404: page not found",
    "The harbour was closed for three days after the storm.",
    "what is the capital of australia",
    "for key, value in sorted(mapping.items()): total += value * 2",
    "Water boils at 100 °C at sea level, and at about 93 °C in a town 2,000 m above it.",
    "Wie lange ist die Garantie auf ein gebrauchtes Gerät?",
    "Payment is due within 30 days of receipt; later payments bear interest at 4.5 % a year.",
    "symptoms of vitamin D deficiency in adults",
    "El tren de las ocho y media sale del andén número cinco.",
    "Returns the index of the first element that is not less than the given value.",
    "Which of the two methods is faster for small inputs, and why?",
    "東京は日本の首都です。",
    "She had read the letter twice before she understood that it was not meant for her.",
    "A passage is relevant if it answers the question, not merely if it speaks of its subject.",
    "Zebra-42/ß @user #tag https://example.org/a?b=c&d=%20",
)
# Single sentences, ever longer passages, and one that is longer than most models read.
PROBES: tuple[str, ...] = (
    *_SENTENCES,
    *(" ".join(_SENTENCES[:count]) for count in range(2, 17)),
    " ".join(_SENTENCES * 8),
)


class Agreement(NamedTuple):
    """How like the encoder that it should be a loaded model is."""

    cosine: float
    """The lowest of any text and kind."""
    differences: list[str]
    """What is different, for a person to read; nothing if it is the same model."""


def encode_in_new_process(
    path: Path, texts: Sequence[str], kind: "Kind", *, timeout_seconds: float = 600
) -> "np.ndarray":
    """Embed texts as `load_in_new_process` does: (texts, dimension) float32."""
    return load_in_new_process(path, texts, [kind], timeout_seconds=timeout_seconds).vectors[kind]


def describe_layout(encoder: "Encoder") -> dict[str, Any]:
    """Tell of an encoder what the new process tells of the folder it was saved as."""
    return {
        "layers": encoder.layers,
        "layers by its configuration": encoder.layers,
        "pooling": encoder.pooling,
        "prompt pooled": encoder.pools_prompt,
        "normalised": encoder.normalize,
        "tokens read": encoder.max_tokens,
        "prompt of a query": encoder.prompts.get("query", ""),
        "prompt of a document": encoder.prompts.get("document", ""),
    }


def compare(loaded: Loaded, encoder: "Encoder", texts: Sequence[str]) -> Agreement:
    """Compare a loaded model with the encoder that it should be.

    Args:
        loaded: What a new process found.
        encoder: What was saved.
        texts: What the process embedded.
    """
    expected = describe_layout(encoder)
    differences = [
        f"{name}: {loaded.layout.get(name)!r}, not {value!r}"
        for name, value in expected.items()
        if loaded.layout.get(name) != value
    ]
    lowest = {"vectors": 1.0, "vectors of the python function": 1.0}
    for kind in loaded.vectors:
        ours = encoder.encode(texts, kind, [encoder.layers])[:, 0]
        for name, theirs in zip(lowest, (loaded.vectors, loaded.served), strict=True):
            if kind in theirs:
                lowest[name] = min(lowest[name], lowest_cosine(theirs[kind], ours))
    differences += [
        f"{name}: the lowest cosine is {cosine:.5f}, below {MIN_COSINE}"
        for name, cosine in lowest.items()
        if cosine < MIN_COSINE
    ]
    return Agreement(min(lowest.values()), differences)


def distinct_kinds(encoder: "Encoder") -> "Sequence[Kind]":
    """Return the kinds of text that get different prompts: what has to be compared."""
    same = encoder.prompts.get("query", "") == encoder.prompts.get("document", "")
    return ("document",) if same else ("query", "document")


def lowest_cosine(a: "np.ndarray", b: "np.ndarray") -> float:
    """Return the lowest cosine between vectors of the same text, 1 if they are the same.

    Args:
        a: (texts, dimension).
        b: (texts, dimension).

    Returns:
        The cosine, at most 1; 0 where vectors differ in length, are not finite, or one alone is
        all zeros.
    """
    import numpy as np

    if a.shape != b.shape or not (np.isfinite(a).all() and np.isfinite(b).all()):
        return 0.0
    a, b = a.astype(np.float64), b.astype(np.float64)
    with np.errstate(divide="ignore", invalid="ignore"):  # zeros have no direction
        cosines = (a * b).sum(axis=1) / (np.linalg.norm(a, axis=1) * np.linalg.norm(b, axis=1))
    cosines[(a == b).all(axis=1)] = 1.0
    return float(min(cosines.min(), 1.0)) if np.isfinite(cosines).all() else 0.0
