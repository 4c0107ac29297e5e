"""Search a million random vectors in a memory map, beside FAISS with all of them in memory.

    python -m tests.benchmarks.search --passages 1000000 --queries 10000 --depth 100

Each search has a process of its own, whose memory is sampled; the ratios tell how they compare.
"""

import json
import re
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Literal

import numpy as np
from pydantic import BaseModel, Field
from pydantic_settings import CliApp

BLOCK = 65536


class Benchmark(BaseModel):
    """How large the search is."""

    passages: int = Field(default=1_000_000, ge=1)
    """Vectors searched."""
    queries: int = Field(default=10_000, ge=1)
    """Queries."""
    dimension: int = Field(default=384, ge=1)
    """Numbers of a vector."""
    depth: int = Field(default=100, ge=1)
    """Hits per query."""
    folder: Path | None = None
    """Where the vectors are written, and removed from; the system's temporary folder if empty."""
    runs: Literal["both", "ours", "faiss"] = "both"
    """What one process runs; `both` starts one process for each."""

    def cli_cmd(self) -> None:
        """Run the benchmark and report it as JSON."""
        if self.runs != "both":
            assert self.folder is not None
            sys.stdout.write(json.dumps(self._search(self.folder)) + "\n")
            return
        with tempfile.TemporaryDirectory(dir=self.folder) as name:
            folder = Path(name)
            write_vectors(folder / "passages", self.passages, self.dimension, seed=0)
            write_vectors(folder / "queries", self.queries, self.dimension, seed=1)
            found = {run: self._start(run, folder) for run in ("faiss", "ours")}
            rows = {run: np.load(folder / f"{run}.npy") for run in found}
        same = sum(map(np.array_equal, np.sort(rows["ours"]), np.sort(rows["faiss"])))
        report = {
            **found,
            "seconds_ratio": round(found["ours"]["seconds"] / found["faiss"]["seconds"], 3),
            "cpu_ratio": round(found["ours"]["cpu_seconds"] / found["faiss"]["cpu_seconds"], 3),
            "memory_ratio": round(_total(found["ours"]) / _total(found["faiss"]), 3),
            "queries_with_the_same_hits": f"{same} of {self.queries}",
        }
        sys.stdout.write(json.dumps(report, indent=2) + "\n")

    def _start(self, run: str, folder: Path) -> dict[str, float]:
        sizes = ("passages", "queries", "dimension", "depth")
        options = [f"--{name}={getattr(self, name)}" for name in sizes]
        command = [sys.executable, __file__, *options, f"--folder={folder}", f"--runs={run}"]
        done = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True)
        found: dict[str, float] = json.loads(done.stdout.splitlines()[-1])
        return found

    def _search(self, folder: Path) -> dict[str, float]:
        from tasks.core.index import build_index
        from tasks.core.knn import import_faiss

        faiss = import_faiss()
        shape = self.passages, self.dimension
        mapped = np.memmap(folder / "passages", np.float32, "r", shape=shape)
        queries = np.fromfile(folder / "queries", np.float32).reshape(-1, self.dimension)
        before = read_memory()
        with sampled_memory() as most:
            started, cpu = time.monotonic(), time.process_time()
            if self.runs == "faiss":
                flat = faiss.IndexFlatIP(self.dimension)
                for start in range(0, self.passages, BLOCK):
                    flat.add(mapped[start : start + BLOCK])
                rows = flat.search(queries, self.depth)[1]
            else:
                rows = build_index(mapped, kind="flat").search(queries, self.depth)[0]
            seconds, cpu = time.monotonic() - started, time.process_time() - cpu
        np.save(folder / f"{self.runs}.npy", rows)
        memory = {f"{name}_mebibytes": most[name] for name in most}
        memory["anonymous_before_mebibytes"] = before["anonymous"]
        return {"seconds": round(seconds, 1), "cpu_seconds": round(cpu, 1), **memory}


def write_vectors(file: Path, count: int, dimension: int, seed: int) -> None:
    """Write random vectors of length 1, block by block."""
    random = np.random.default_rng(seed)
    with file.open("wb") as stream:
        for start in range(0, count, BLOCK):
            shape = min(BLOCK, count - start), dimension
            block = random.standard_normal(shape, dtype=np.float32)
            block /= np.linalg.norm(block, axis=1, keepdims=True)
            block.tofile(stream)


def read_memory() -> dict[str, float]:
    """Return this process's resident memory in MiB: its own, and what it mapped of files."""
    status = Path("/proc/self/status").read_text()
    found = dict(re.findall(r"Rss(Anon|File):\s+(\d+) kB", status))
    return {"anonymous": int(found["Anon"]) // 1024, "mapped": int(found["File"]) // 1024}


@contextmanager
def sampled_memory(seconds: float = 0.02) -> Iterator[dict[str, float]]:
    """Yield the most memory of each kind, sampled all the while."""
    most = read_memory()
    stop = threading.Event()
    sampler = threading.Thread(target=_sample, args=(most, stop.wait, seconds), daemon=True)
    sampler.start()
    try:
        yield most
    finally:
        stop.set()
        sampler.join()


def _sample(most: dict[str, float], wait: Callable[[float], bool], seconds: float) -> None:
    while not wait(seconds):
        for name, value in read_memory().items():
            most[name] = max(most[name], value)


def _total(found: dict[str, float]) -> float:
    return found["anonymous_mebibytes"] + found["mapped_mebibytes"]


if __name__ == "__main__":
    CliApp.run(Benchmark)
