"""Every way to pull a registered model, each in a process of its own: the same vectors?

    python -m tests.benchmarks.pulled WORK [--model FOLDER] [--peers PYTHON]

WORK is an empty folder. A model (by default a tiny one; `--model` any folder that can be cut) is
registered and promoted on an `mlflow server` of its own, on the loopback interface, and pulled by
each route. `--peers` is a Python that has langchain-huggingface and llama-index-embeddings-
huggingface beside sentence-transformers. mlflow-skinny is installed alone, in a fresh environment,
and downloads the folder that the last three routes read. Told are the lowest cosine to what was
registered, over queries and documents, and the seconds.
"""

import argparse
import json
import os
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
import venv
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np

from tasks.contracts import Checkpoint
from tasks.core.encoder import Encoder
from tasks.model_files import load_encoder, save_encoder
from tasks.verify import PROBES, lowest_cosine

FIRST = "import json, sys; texts, folder, prompts = json.load(sys.stdin)\n"
LAST = "\nprint(json.dumps([[list(map(float, v)) for v in vectors] for vectors in found]))"
URI = "models:/burnish@champion"
SENTENCE_TRANSFORMERS = f"""
import mlflow
model = mlflow.sentence_transformers.load_model("{URI}")
found = [model.encode_query(texts), model.encode_document(texts)]
"""
PYFUNC = f"""
import mlflow
model = mlflow.pyfunc.load_model("{URI}")
found = []
for kind in ("query", "document"):
    answer = model.predict({{"input": texts}}, {{"prompt_name": kind}})
    found.append([row["embedding"] for row in answer["data"]])
"""
FOLDER = """
from sentence_transformers import SentenceTransformer
model = SentenceTransformer(folder, trust_remote_code=False)
found = [model.encode_query(texts), model.encode_document(texts)]
"""
LANGCHAIN = """
from langchain_huggingface import HuggingFaceEmbeddings
model = HuggingFaceEmbeddings(model_name=folder, encode_kwargs={"prompt_name": "document"},
                              query_encode_kwargs={"prompt_name": "query"})
found = [[model.embed_query(text) for text in texts], model.embed_documents(texts)]
"""
LLAMA_INDEX = """
from llama_index.embeddings.huggingface import HuggingFaceEmbedding
model = HuggingFaceEmbedding(folder, query_instruction=prompts[0], text_instruction=prompts[1])
found = [[model.get_query_embedding(text) for text in texts],
         model.get_text_embedding_batch(texts)]
"""


def main() -> None:
    """Register a model and pull it by every route."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("work", type=Path)
    parser.add_argument("--model", type=Path)
    parser.add_argument("--peers", type=Path)
    options = parser.parse_args()
    root: Path = (options.work / "root").resolve()
    if options.model:
        encoder = load_encoder(options.model, device="cpu")
    else:
        from tests.conftest import build_encoder

        encoder = build_encoder(prompts={"query": "find: ", "document": "text: "})
    with serve_registry(options.work) as address:
        os.environ["MLFLOW_TRACKING_URI"] = address
        register(root, encoder)
        prompts = [encoder.prompts.get(kind, "") for kind in ("query", "document")]
        request = [PROBES, "", prompts]
        pull("mlflow.sentence_transformers", encoder, SENTENCE_TRANSFORMERS, request)
        pull("mlflow.pyfunc", encoder, PYFUNC, request)
        ask_served(encoder, options.work)
        request[1] = download_with_skinny(options.work)
    del os.environ["MLFLOW_TRACKING_URI"]
    pull("SentenceTransformer(folder)", encoder, FOLDER, request)
    if options.peers:
        pull("LangChain", encoder, LANGCHAIN, request, options.peers)
        pull("LlamaIndex", encoder, LLAMA_INDEX, request, options.peers)


def register(root: Path, encoder: Encoder) -> None:
    """Publish, prove, and promote a model, without its scores."""
    from tasks import publish
    from tasks.aliases import promote
    from tasks.model_card import Card
    from tasks.registry import Registry

    facts = {"layer": encoder.layers, "bytes": 1}
    cut = Checkpoint.commit(root, lambda folder: save_encoder(encoder, folder), facts)
    registry = Registry(root, "burnish")
    version = publish.publish(registry, cut, [], {}, {}, Card("", ("# A card",)))
    publish.prove(registry, version, cut)
    promote(registry, str(version.version))


def pull(
    name: str, encoder: Encoder, program: str, request: list[Any], python: Path | None = None
) -> None:
    """Run a route in a new process and tell how like the registered model it is."""
    started = time.monotonic()
    ended = subprocess.run(
        [str(python or sys.executable), "-I", "-c", FIRST + program + LAST],
        input=json.dumps(request), capture_output=True, text=True, check=False,
    )  # fmt: skip
    if ended.returncode:
        sys.exit(f"{name}: {ended.stderr[-2000:]}")
    tell(name, encoder, json.loads(ended.stdout.strip().splitlines()[-1]), started)


def tell(name: str, encoder: Encoder, found: list[Any], started: float) -> None:
    """Tell the lowest cosine of a route's vectors."""
    seconds = time.monotonic() - started
    lowest = 1.0
    for kind, vectors in zip(("query", "document"), found, strict=True):
        expected = encoder.encode(PROBES, kind, [encoder.layers])[:, 0]
        lowest = min(lowest, lowest_cosine(np.array(vectors), expected))
    sys.stdout.write(f"| {name} | {lowest:.6f} | {seconds:.1f} s |\n")
    sys.stdout.flush()


def ask_served(encoder: Encoder, work: Path) -> None:
    """Start `mlflow models serve` and ask it over HTTP, as OpenAI's API is asked."""
    started = time.monotonic()
    command = ["models", "serve", "--model-uri", URI, "--env-manager", "local", "--host",
               "127.0.0.1"]  # fmt: skip
    with run_server(command, work / "served.log") as address:
        found = []
        for kind in ("query", "document"):
            body = {"model": "burnish", "input": PROBES, "prompt_name": kind}
            asked = urllib.request.Request(
                f"{address}/invocations",
                json.dumps(body).encode(),
                {"Content-Type": "application/json"},
            )
            with urllib.request.urlopen(asked) as answer:
                rows = json.load(answer)["data"]
            found.append([row["embedding"] for row in rows])
        tell("mlflow models serve", encoder, found, started)


def download_with_skinny(work: Path) -> str:
    """Download the champion in an environment that has mlflow-skinny alone."""
    venv.create(work / "skinny", with_pip=True)
    python = work / "skinny" / "bin" / "python"
    subprocess.run([python, "-m", "pip", "install", "-q", "mlflow-skinny"], check=True)
    code = f"import mlflow; print(mlflow.artifacts.download_artifacts('{URI}'))"
    folder = subprocess.run(
        [python, "-c", code], capture_output=True, text=True, check=True
    ).stdout.strip()
    return str(Path(folder.splitlines()[-1]) / "model.sentence_transformer")


@contextmanager
def serve_registry(work: Path) -> Iterator[str]:
    """Run an MLflow server on SQLite; give its address."""
    work.mkdir(parents=True, exist_ok=True)
    store = work.resolve()
    command = ["server", "--backend-store-uri", f"sqlite:///{store}/mlflow.db", "--workers", "1",
               "--artifacts-destination", f"{store}/artifacts", "--host", "127.0.0.1"]  # fmt: skip
    with run_server(command, work / "server.log") as address:
        yield address


@contextmanager
def run_server(command: list[str], log: Path) -> Iterator[str]:
    """Run an `mlflow` command that serves HTTP on a free port, until the context ends."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    environment = os.environ | {
        "MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false",
        "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}",
    }
    with log.open("w") as stream:
        process = subprocess.Popen(
            [sys.executable, "-m", "mlflow", *command, "--port", str(port)],
            stdout=stream, stderr=stream, env=environment,
        )  # fmt: skip
        try:
            wait(f"http://127.0.0.1:{port}/health", process, log)
            yield f"http://127.0.0.1:{port}"
        finally:
            process.terminate()
            process.wait()


def wait(address: str, process: "subprocess.Popen[bytes]", log: Path) -> None:
    """Wait until a server is healthy."""
    for _ in range(1200):
        try:
            with urllib.request.urlopen(address):
                return
        except (urllib.error.URLError, ConnectionError):
            if process.poll() is not None:
                sys.exit(f"The server ended: {log.read_text()[-2000:]}")
            time.sleep(0.5)
    sys.exit(f"The server does not answer: {log}")


if __name__ == "__main__":
    main()
