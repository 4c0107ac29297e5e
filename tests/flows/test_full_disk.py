"""A disk that takes nothing more: the run says so, where, and what to do."""

import os
import subprocess
import sys
from pathlib import Path

from prefect.client.orchestration import get_client
from prefect.settings import PREFECT_API_URL

from tasks.registry import Registry

# No file may become larger: the limit stands in for a full disk, which only root could make here.
CHILD = """
import resource, signal, sys
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
limit = int(sys.argv.pop(1))
import mlflow, torch, faiss, sentence_transformers  # compiled and cached without a limit
from flows.command import run
resource.setrlimit(resource.RLIMIT_FSIZE, (limit, resource.RLIM_INFINITY))
run(sys.argv[1:])
"""


def run_limited(limit: int, arguments: list[str]) -> subprocess.CompletedProcess[str]:
    environment = os.environ | {"PREFECT_API_URL": str(PREFECT_API_URL.value())}
    return subprocess.run(
        [sys.executable, "-c", CHILD, str(limit), *arguments],
        env=environment, capture_output=True, text=True, check=False, timeout=300,
    )  # fmt: skip


def test_it_is_told_and_the_stage_is_named(tmp_path: Path, base: Path, options: list[str]) -> None:
    root = tmp_path / "root"
    Registry(root, "burnish")  # its database is larger than the limit
    arguments = ["retrain", *options, f"--root={root}"]
    largest = max(file.stat().st_size for file in base.rglob("*"))
    ended = run_limited(largest * 3 // 2, arguments)  # the base fits, its page does not
    assert ended.returncode == 1
    assert f"burnish: The disk is full: cannot write below {root}" in ended.stderr
    with get_client(sync_client=True) as client:
        names = [run.name for run in client.read_flow_runs()]
    (name,) = (name for name in names if "The disk is full" in name)
    stage = "draw"  # its page is larger than the base
    assert name.startswith(f"failed in {stage}: The disk is full: cannot write below ")
