"""A saved model as a stranger loads it: by sentence-transformers, in a process of its own."""

import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from .contracts import BurnishError

if TYPE_CHECKING:
    import numpy as np

    from .core.encoder import Kind

# Nothing of this package: what is proved is that the folder is enough.
_PROGRAM = """
import json, re, sys
request = json.load(sys.stdin)
import numpy
from sentence_transformers import SentenceTransformer
model = SentenceTransformer(request["path"], device="cpu", local_files_only=True)
encode = {"query": model.encode_query, "document": model.encode_document}
options = {"convert_to_numpy": True, "show_progress_bar": False}
vectors = {
    kind: encode[kind](request["texts"], **options).astype(numpy.float32)
    for kind in request["kinds"]
}
if request["logged"]:
    from mlflow import pyfunc
    served = pyfunc.load_model(request["logged"])
    for kind in request["kinds"]:
        answer = served.predict({"input": request["texts"]}, {"prompt_name": kind})
        rows = [row["embedding"] for row in answer["data"]]
        vectors[f"{kind} served"] = numpy.array(rows, dtype=numpy.float32)
numpy.savez(request["vectors"], **vectors)
transformer, pooling = model[0].auto_model, model[1]
names = (re.search(r"(?:^|[.])layers?[.]([0-9]+)[.]", name) for name in transformer.state_dict())
found = {
    "layers": len({name[1] for name in names if name}),
    "layers by its configuration": transformer.config.num_hidden_layers,
    "pooling": pooling.pooling_mode,
    "prompt pooled": pooling.include_prompt,
    "normalised": type(model[-1]).__name__ == "Normalize",
    "tokens read": model.max_seq_length,
    **{f"prompt of a {kind}": model.prompts.get(kind) or "" for kind in encode},
}
with open(request["found"], "w", encoding="utf-8") as file:
    json.dump(found, file)
"""
# A token for a hub, a registry, or a database is none of a model's business.
_PASSED_ON = ("HOME", "LANG", "LD_LIBRARY_PATH", "PATH", "PYTHONPATH", "SYSTEMROOT", "TMPDIR")

_SET = {"CUDA_VISIBLE_DEVICES": "", "HF_HUB_OFFLINE": "1", "TOKENIZERS_PARALLELISM": "false"}


class Loaded(NamedTuple):
    """What sentence-transformers made of a folder, in a process of its own."""

    vectors: "dict[Kind, np.ndarray]"
    """(texts, dimension) float32 by kind of text."""
    layout: dict[str, Any]
    """Layers, pooling, prompts, …: what `describe_layout` gives for the encoder it should be."""
    served: "dict[Kind, np.ndarray]" = {}  # noqa: RUF012 - never written to
    """What MLflow's python function answers; of a folder that was not logged nothing."""


def load_in_new_process(
    path: Path,
    texts: Sequence[str],
    kinds: "Sequence[Kind]",
    *,
    logged: Path | None = None,
    timeout_seconds: float = 600,
) -> Loaded:
    """Embed texts with the model in `path`, loaded by sentence-transformers in a new process.

    The process runs on the CPU, without the network and without this process's secrets.

    Args:
        path: A folder in sentence-transformers' format.
        texts: What to embed.
        kinds: Which of its prompts apply, for queries or for documents, one after the other.
        logged: The folder in MLflow's form that `path` is in: it is asked as a python function too.
        timeout_seconds: How long the process may take.

    Raises:
        BurnishError: the model does not load or takes too long.
    """
    import numpy as np

    with tempfile.TemporaryDirectory() as folder:
        vectors, found = Path(folder) / "vectors.npz", Path(folder) / "found.json"
        request = {
            "path": str(path.resolve()),
            "texts": list(texts),
            "kinds": list(kinds),
            "logged": str(logged.resolve()) if logged else "",
            "vectors": str(vectors),
            "found": str(found),
        }
        _run(request, path, folder, timeout_seconds)
        with np.load(vectors, allow_pickle=False) as arrays:
            layout = json.loads(found.read_text(encoding="utf-8"))
            served = {kind: arrays[f"{kind} served"] for kind in kinds if logged}
            return Loaded({kind: arrays[kind] for kind in kinds}, layout, served)


def _run(request: dict[str, Any], path: Path, folder: str, timeout_seconds: float) -> None:
    environment = {name: os.environ[name] for name in _PASSED_ON if name in os.environ}
    try:
        process = subprocess.run(
            [sys.executable, "-P", "-X", "utf8", "-c", _PROGRAM],
            input=json.dumps(request),
            env=environment | _SET,
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
            f"The model in {path} does not load in a new process by sentence-transformers: {reason}"
        )
