"""One Prefect server for all tests of flows, a tiny base model, and a folder of documents."""

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from prefect.testing.utilities import prefect_test_harness

from tests.small_corpus import NOUNS, write_base, write_documents, write_questions


@pytest.fixture(scope="session", autouse=True)
def server() -> Iterator[None]:
    """Run a Prefect server of its own for the session."""
    with prefect_test_harness(server_startup_timeout=240):
        yield


@pytest.fixture(scope="session")
def base(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Give the folder of a tiny 3-layer BERT."""
    folder = tmp_path_factory.mktemp("base")
    write_base(folder)
    return folder


@pytest.fixture(scope="session")
def documents(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Give a folder of 60 documents and two that have to be set aside."""
    folder = tmp_path_factory.mktemp("documents")
    write_documents(folder)
    return folder


@pytest.fixture(scope="session")
def questions(tmp_path_factory: pytest.TempPathFactory, documents: Path) -> Path:
    """Give a folder of judged questions: ten for dev, ten for test."""
    folder = tmp_path_factory.mktemp("questions")
    write_questions(folder, documents)
    return folder


@pytest.fixture
def options(base: Path, documents: Path, questions: Path) -> list[str]:
    """Give the options of a run over these documents, without the root."""
    return [
        f"--base={base}", f"--sources={documents}", f"--questions={questions}",
        "--evaluate.resamples=200", "--evaluate.general=", "--truncate.resamples=200",
        "--truncate.min-questions=1", "--heal.epochs=2", "--train.passages-per-batch=8",
        "--train.precision=float32",
    ]  # fmt: skip


CHILD = """
import importlib, os, sys
target = sys.argv.pop(1)
if target:
    module, _, name = target.partition(":")
    owner = importlib.import_module(module)
    assert hasattr(owner, name), target
    setattr(owner, name, lambda *a, **k: os.kill(os.getpid(), 9))
from flows.command import run
run(sys.argv[1:])
"""


def run_child(
    arguments: list[str], killed_in: str = "", folder: Path | None = None
) -> subprocess.CompletedProcess[str]:
    """Run the command in a process of its own, which kills itself where `killed_in` is called."""
    from prefect.settings import PREFECT_API_URL

    environment = os.environ | {"PREFECT_API_URL": str(PREFECT_API_URL.value())}
    return subprocess.run(
        [sys.executable, "-c", CHILD, killed_in, *arguments],
        cwd=folder, env=environment, capture_output=True, text=True, check=False, timeout=300,
    )  # fmt: skip


def fingerprints(root: Path) -> dict[str, set[str]]:
    """Name what was made below a root, by noun."""
    return {noun: {path.name for path in (root / noun).iterdir()} for noun in NOUNS}


def read_facts(root: Path, noun: str) -> dict[str, Any]:
    """Read the facts of the one thing of its kind."""
    (folder,) = (root / noun).iterdir()
    facts: dict[str, Any] = json.loads((folder / "manifest.json").read_text())["facts"]
    return facts
