"""A search service's first day: `burnish up` behind a login, a run, and the model pulled from it.

    python -m tests.benchmarks.client WORK [--prefect-database URL] [--mlflow-database URL]

WORK is a new folder. `burnish up --auth` is started on free ports, and `retrain` over sixty small
documents, from the deployment, as the form starts it. The client is an environment of its own with
mlflow-skinny and sentence-transformers and nothing of Burnish; it knows the server's address and
the login, from the environment. Told are the seconds until all is ready, until the first run is
completed, and of the client's download, and the lowest cosine to what the run registered; and that
without a password, and with a wrong one, it gets nothing. The databases are SQLite below WORK, or
those that the options name (Postgres, which may already hold earlier runs of this).
"""

import argparse
import json
import os
import subprocess
import sys
import time
import venv
from pathlib import Path
from typing import Any

import httpx
import numpy as np

from tasks.model_files import load_encoder
from tasks.registry import CANDIDATE, Registry
from tasks.verify import PROBES, lowest_cosine
from tests.benchmarks.telling import say
from tests.deployments.conftest import Up, find_ports, wait_for
from tests.small_corpus import SETTINGS, write_base, write_documents, write_questions

LOGIN = ("ann", "correct-horse-battery")
PACKAGES = ("mlflow-skinny>=3.17,<4", "sentence-transformers>=6.2,<7", "torch==2.13.0")
SECONDS = 900
CLIENT = """
import json, os, sys
import mlflow
from sentence_transformers import SentenceTransformer

folder = mlflow.artifacts.download_artifacts("models:/burnish@candidate")
model = SentenceTransformer(os.path.join(folder, "model.sentence_transformer"))
texts = json.load(sys.stdin)
found = [model.encode_query(texts).tolist(), model.encode_document(texts).tolist()]
print(json.dumps(found))
"""


def main() -> None:
    """Start, train, pull, compare."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("work", type=Path)
    parser.add_argument("--prefect-database")
    parser.add_argument("--mlflow-database")
    options = parser.parse_args()
    work: Path = options.work.resolve()
    work.mkdir(parents=True)
    python = make_client(work / "client")
    ports = find_ports(2)
    databases = {
        "PREFECT_SERVER_DATABASE_CONNECTION_URL": options.prefect_database,
        "MLFLOW_BACKEND_STORE_URI": options.mlflow_database,
    }
    environment = {name: url for name, url in databases.items() if url}
    environment["PREFECT_SERVER_API_AUTH_STRING"] = ":".join(LOGIN)
    began = time.monotonic()
    up = Up(
        ["--auth", f"--root={work / 'root'}", f"--prefect-port={ports[0]}",
         f"--mlflow-port={ports[1]}"], work, environment,
    )  # fmt: skip
    try:
        up.wait_until_ready()
        say(f"burnish up is ready after {time.monotonic() - began:.0f} s")
        name = train_first(work, f"http://127.0.0.1:{ports[0]}/api")
        say(f"the first run is completed after {time.monotonic() - began:.0f} s: {name}")
        compare(python, work / "root", f"http://127.0.0.1:{ports[1]}")
    finally:
        say(f"burnish up ended with {up.end()}")


def make_client(folder: Path) -> Path:
    """Make the client's environment; return its Python."""
    venv.create(folder, with_pip=True)
    python = folder / "bin" / "python"
    subprocess.run([python, "-m", "pip", "install", "-q", *PACKAGES], check=True)
    return python


def train_first(work: Path, api: str) -> str:
    """Start `retrain` as the form does; return the name that its outcome gave it."""
    write_base(work / "base")
    write_documents(work / "docs")
    write_questions(work / "questions", work / "docs")
    settings = SETTINGS | {
        "base": str(work / "base"), "sources": [str(work / "docs")],
        "root": str(work / "root"), "questions": str(work / "questions"),
    }  # fmt: skip
    with httpx.Client(base_url=api, auth=LOGIN, timeout=60) as client:
        found = client.get("/deployments/name/retrain/retrain").raise_for_status().json()
        told = {"parameters": {"config": settings}}
        address = f"/deployments/{found['id']}/create_flow_run"
        run = client.post(address, json=told).raise_for_status().json()["id"]

        def read() -> dict[str, Any]:
            return dict(client.get(f"/flow_runs/{run}").raise_for_status().json())

        wait_for(lambda: read()["state_type"] not in {"SCHEDULED", "PENDING", "RUNNING"}, SECONDS)
        ended = read()
    if ended["state_type"] != "COMPLETED":
        sys.exit(f"The run is {ended['state_name']}: {ended['name']}")
    return str(ended["name"])


def compare(python: Path, root: Path, address: str) -> None:
    """Pull the model in the client's environment, and compare its vectors with the registered's."""
    logins = {"without a password": {}, "with a wrong one": log_in(LOGIN[0], "wrong-horse")}
    for how, login in logins.items():
        if pull(python, address, login).returncode == 0:
            sys.exit(f"The client got the model {how}.")
        say(f"the client gets nothing {how}")
    began = time.monotonic()
    done = pull(python, address, log_in(*LOGIN))
    if done.returncode:
        sys.exit(done.stderr[-3000:])
    seconds = time.monotonic() - began
    os.environ.update(log_in(*LOGIN), MLFLOW_TRACKING_URI=address)
    registry = Registry(root, "burnish")
    version = registry.find(CANDIDATE)
    assert version is not None
    encoder = load_encoder(registry.pull(version).checkpoint.path, device="cpu")
    found = json.loads(done.stdout.strip().splitlines()[-1])
    lowest = min(
        lowest_cosine(np.array(vectors), encoder.encode(PROBES, kind, [encoder.layers])[:, 0])
        for kind, vectors in zip(("query", "document"), found, strict=True)
    )
    say(f"version {version.version} pulled in {seconds:.1f} s; lowest cosine {lowest:.6f}")
    if lowest < 0.99999:
        sys.exit("The vectors differ.")


def pull(python: Path, address: str, login: dict[str, str]) -> "subprocess.CompletedProcess[str]":
    """Run the client's few lines with a login."""
    environment = {"PATH": os.environ["PATH"], "HOME": os.environ["HOME"]}
    retries = {"MLFLOW_HTTP_REQUEST_MAX_RETRIES": "0", "HF_HUB_OFFLINE": "1"}
    return subprocess.run(
        [str(python), "-I", "-c", CLIENT], input=json.dumps(PROBES), capture_output=True,
        text=True, check=False,
        env=environment | retries | login | {"MLFLOW_TRACKING_URI": address},
    )  # fmt: skip


def log_in(user: str, password: str) -> dict[str, str]:
    """Return a login as MLflow reads it."""
    return {"MLFLOW_TRACKING_USERNAME": user, "MLFLOW_TRACKING_PASSWORD": password}


if __name__ == "__main__":
    main()
