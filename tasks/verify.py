"""Whether a saved model gives the vectors it should, as a stranger would load it."""

import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from .contracts import BurnishError

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

# Nothing of this package: what is proved is that the folder is enough.
_PROGRAM = """
import json, sys
request = json.load(sys.stdin)
import numpy
from sentence_transformers import SentenceTransformer
model = SentenceTransformer(request["path"], device="cpu", local_files_only=True)
encode = {"query": model.encode_query, "document": model.encode_document}[request["kind"]]
vectors = encode(request["texts"], convert_to_numpy=True, show_progress_bar=False)
numpy.save(request["vectors"], vectors.astype(numpy.float32))
"""
# A token for a hub, a registry, or a database is none of a model's business.
_PASSED_ON = ("HOME", "LANG", "LD_LIBRARY_PATH", "PATH", "PYTHONPATH", "SYSTEMROOT", "TMPDIR")


def encode_in_new_process(
    path: Path, texts: Sequence[str], kind: "Kind", *, timeout_seconds: float = 600
) -> "np.ndarray":
    """Embed texts with the model in `path`, loaded by sentence-transformers in a new process.

    The process runs on the CPU, without the network and without this process's secrets.

    Args:
        path: A folder in sentence-transformers' format.
        texts: What to embed.
        kind: Whether its prompt for queries or for documents applies.
        timeout_seconds: How long the process may take.

    Returns:
        (texts, dimension) float32.

    Raises:
        BurnishError: the model does not load or takes too long.
    """
    import numpy as np

    with tempfile.TemporaryDirectory() as folder:
        vectors = Path(folder) / "vectors.npy"
        request = {
            "path": str(path.resolve()),
            "texts": list(texts),
            "kind": kind,
            "vectors": str(vectors),
        }
        environment = {name: os.environ[name] for name in _PASSED_ON if name in os.environ}
        try:
            process = subprocess.run(
                [sys.executable, "-P", "-X", "utf8", "-c", _PROGRAM],
                input=json.dumps(request),
                env=environment | {"HF_HUB_OFFLINE": "1", "TOKENIZERS_PARALLELISM": "false"},
                cwd=folder,
                capture_output=True,
                encoding="utf-8",
                errors="replace",
                timeout=timeout_seconds,
                check=False,
            )
        except subprocess.TimeoutExpired as error:
            raise BurnishError(
                f"Loading the model in {path} in a new process took over {timeout_seconds:.0f} s."
            ) from error
        if process.returncode != 0:
            reason = process.stderr.strip().rpartition("\n")[2] or f"exit {process.returncode}"
            raise BurnishError(
                f"The model in {path} does not load in a new process by sentence-transformers: "
                f"{reason}"
            )
        embeddings: np.ndarray = np.load(vectors, allow_pickle=False)
        return embeddings


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
        The cosine, at most 1; 0 where vectors differ in length or are not finite.
    """
    import numpy as np

    if a.shape != b.shape or not (np.isfinite(a).all() and np.isfinite(b).all()):
        return 0.0
    a, b = a.astype(np.float64), b.astype(np.float64)
    cosines = (a * b).sum(axis=1) / (np.linalg.norm(a, axis=1) * np.linalg.norm(b, axis=1))
    return float(min(cosines.min(), 1.0))
