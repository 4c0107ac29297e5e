"""One side of `training.py` in a process of its own: it trains when told to and tells what it did.

    python -m tests.benchmarks.training_side SETTINGS

SETTINGS is JSON: what to train and how, see `training.py`. A line on standard input is a number of
seconds to train for; a line `told {...}` answers it. At the end of the input the process ends.
"""

import json
import logging
import math
import resource
import sys
import time
from collections import deque
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tasks.adopt import adopt
from tasks.contracts import Checkpoint, Corpus, Pairs, Triplets
from tasks.core.batches import Batch, Query, group_queries
from tasks.core.text import mask
from tasks.examples import read_examples
from tasks.tables import Passages, read_passages

if TYPE_CHECKING:
    from tasks.train import TrainConfig

WARM_UP_STEPS = 2  # not timed where speed is
LONG = 2000  # steps of a schedule that nobody waits for the end of
Settings = dict[str, Any]


class Pace:
    """Holds a training until it is told to go on, and tells pairs and seconds in between."""

    def __init__(self, uncounted_steps: int) -> None:
        self._uncounted = uncounted_steps
        if not uncounted_steps:
            self._wait()

    def stepped(self, pairs: int) -> None:
        """Count a step; where the time is over, tell and wait."""
        if self._uncounted:
            self._uncounted -= 1
            if not self._uncounted:
                self._wait()
            return
        self._pairs += pairs
        self._steps += 1
        if time.monotonic() - self._started >= self._seconds:
            self.tell()
            self._wait()

    def tell(self) -> None:
        """Tell what was done since the last line of input."""
        seconds = time.monotonic() - self._started
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
        tell({"pairs": self._pairs, "steps": self._steps, "seconds": seconds, "peak": peak})

    def _wait(self) -> None:
        line = sys.stdin.readline()
        if not line:
            sys.exit(0)
        self._seconds, self._pairs, self._steps = float(line), 0, 0
        self._started = time.monotonic()


def tell(facts: dict[str, Any]) -> None:
    sys.stdout.write(f"told {json.dumps(facts)}\n")
    sys.stdout.flush()


def read_pairs(settings: Settings) -> tuple[Passages, list[Query]]:
    """Read the queries that have a hard negative, each with its hardest alone."""
    pairs, triplets = (
        kind.open(Path(settings[name])) for kind, name in ((Pairs, "pairs"), (Triplets, "triplets"))
    )
    passages = read_passages(Corpus.open(Path(settings["corpus"])))
    found = read_examples(pairs, triplets, passages)
    return passages, [
        replace(query, negatives=query.negatives[:1], weight=1.0)
        for query in found
        if query.negatives
    ]


def train_ours(settings: Settings) -> None:
    """Train as `polish` does, the last layer alone."""
    from tasks.core.kernels import fast_attention
    from tasks.core.training import Schedule
    from tasks.core.weights import blend_weights, copy_weights
    from tasks.model_files import load_encoder, save_encoder
    from tasks.polish import make_batch, make_loss, plan_epochs, store_tokens

    passages, queries = read_pairs(settings)
    by_passage = group_queries(queries)
    whole = load_encoder(Path(settings["base"]))
    encoder = replace(whole, max_tokens=settings["max_tokens"])
    config = configure(settings, by_passage)
    plans = plan_epochs(by_passage, config)
    batches = [rows for plan in plans for rows in plan]
    build = partial(make_batch, batches, by_passage, passages.texts, passages.documents, config)
    counts: deque[int] = deque()

    def counted(step: int) -> Batch:
        batch = build(step)
        counts.append(int((batch.relations == 1).sum()))
        return batch

    pace = Pace(0 if settings["steps"] else WARM_UP_STEPS)
    tokens = store_tokens(encoder, by_passage, map(build, range(len(plans[0]))))
    steps = min(settings["steps"] or LONG, len(batches))
    schedule = Schedule(steps, config.learning_rate, config.warmup_share)
    start = copy_weights(encoder.model)
    loss_at = make_loss(encoder, (whole.layers,), (whole.dimension,), counted, tokens, config)
    with fast_attention(encoder):
        for _ in step_through(encoder, schedule, loss_at, config):
            pace.stepped(counts.popleft())
    pace.tell()
    save_encoder(whole, Path(settings["save"]))
    blend_weights(whole.model, start, config.blend)
    save_encoder(whole, Path(settings["save"] + " blended"))


def configure(settings: Settings, by_passage: Mapping[int, Sequence[Query]]) -> "TrainConfig":
    """Say how ours trains: as many passages in a batch as have the wanted pairs on average."""
    from tasks.train import TrainConfig

    most = TrainConfig.model_fields["queries_per_passage"].default
    shared = sum(min(most, len(own)) for own in by_passage.values()) / len(by_passage)
    size = max(2, round(settings["batch"] / shared))
    epochs = math.ceil((settings["steps"] or LONG) / max(1, len(by_passage) // size))
    return TrainConfig(
        passages_per_batch=size, epochs=min(epochs, 100), max_tokens=settings["max_tokens"],
        learning_rate=settings["learning_rate"], **settings["options"],
    )  # fmt: skip


def step_through(encoder: Any, schedule: Any, loss_at: Any, config: Any) -> Iterator[object]:  # noqa: ANN401
    """Take every step of the training."""
    from tasks.core.training import fit, make_optimizer

    return fit(
        encoder, make_optimizer(encoder.model, config.weight_decay), schedule, loss_at,
        precision=config.precision, max_gradient_norm=config.max_gradient_norm, seed=0,
        has_dropout=config.has_dropout,
    )  # fmt: skip


def train_theirs(settings: Settings) -> None:
    """Train with sentence-transformers' trainer and MultipleNegativesRankingLoss."""
    import torch
    from datasets import Dataset
    from sentence_transformers import SentenceTransformer, SentenceTransformerTrainer
    from sentence_transformers import SentenceTransformerTrainingArguments as Arguments
    from sentence_transformers.sentence_transformer.losses import MultipleNegativesRankingLoss
    from transformers import TrainerCallback

    passages, queries = read_pairs(settings)
    rows = [
        {
            "anchor": query.text,
            "positive": mask(passages.texts[row], hidden) or passages.texts[row],
            "negative": passages.texts[query.negatives[0]],
        }
        for query in queries
        for row, hidden in query.positives.items()
    ]
    model = SentenceTransformer(str(settings["base"]), **settings["model"])
    longest, model.max_seq_length = model.max_seq_length, settings["max_tokens"]
    counts: deque[int] = deque()

    class CountingLoss(MultipleNegativesRankingLoss):
        def forward(self, sentence_features: Any, labels: Any) -> Any:  # noqa: ANN401
            features = list(sentence_features)
            counts.append(len(features[0]["input_ids"]))
            return super().forward(features, labels)

    class Paced(TrainerCallback):
        def on_train_begin(self, *arguments: object, **named: object) -> None:
            self.pace = Pace(0 if settings["steps"] else WARM_UP_STEPS)

        def on_step_end(self, *arguments: object, **named: object) -> None:
            self.pace.stepped(counts.popleft())

    paced, steps = Paced(), settings["steps"] or LONG
    arguments = Arguments(
        output_dir=settings["save"] + " state", max_steps=steps,
        per_device_train_batch_size=settings["batch"], learning_rate=settings["learning_rate"],
        warmup_steps=round(0.1 * steps), weight_decay=0.01, save_strategy="no",
        logging_strategy="no", report_to="none", disable_tqdm=True,
        use_cpu=not torch.cuda.is_available(), **settings["options"],
    )  # fmt: skip
    SentenceTransformerTrainer(
        model=model, args=arguments, train_dataset=Dataset.from_list(rows),
        loss=CountingLoss(model), callbacks=[paced],
    ).train()  # fmt: skip
    paced.pace.tell()
    model.max_seq_length = longest
    model.save(settings["save"], create_model_card=False)


def score(settings: Settings) -> None:
    """Tell nDCG@10 of the last layer for every test question, the whole corpus searched."""
    from tasks.evaluate import EvaluateConfig, evaluate_last

    corpus = Corpus.open(Path(settings["corpus"]))
    pairs = Pairs.open(Path(settings["pairs"]))
    found: Checkpoint = adopt(settings["save"], corpus.root)
    scores = evaluate_last.fn(found, corpus, pairs, EvaluateConfig(), "")
    values = [
        value
        for row in scores.read().to_pylist()
        if row["metric"] == "ndcg@10" and row["split"] == "test" and row["origin"] == "human"
        for value in row["values"]
    ]
    tell({"values": values})


if __name__ == "__main__":
    logging.basicConfig(level=logging.WARNING)
    given = json.loads(sys.argv[1])
    {"ours": train_ours, "theirs": train_theirs, "score": score}[given["side"]](given)
