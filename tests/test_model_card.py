"""The model card: whole as README.md, as much of it as fits as the version's description."""

import ast
import re
from collections.abc import Callable
from pathlib import Path

from tasks.contracts import Checkpoint, Corpus, Pairs
from tasks.core.encoder import Encoder
from tasks.core.prices import Cell
from tasks.gate import Verdict
from tasks.model_card import DESCRIPTION_CHARACTERS, Card, write_card
from tasks.score_table import tabulate_layers
from tasks.speed import Speed


def row(system: str, layer: int, value: float, **changes: object) -> dict[str, object]:
    return {
        "system": system, "layer": layer, "pooling": "mean", "dimension": 32, "split": "test",
        "origin": "human", "metric": "ndcg@10", "value": value, "low": value - 0.01,
        "high": value + 0.01, "cost": 1.0, "values": [value] * 40,
    } | changes  # fmt: skip


def write(root: Path, cut: Checkpoint, whole: Checkpoint, layers: int) -> Card:
    corpus = Corpus.write(root, [], facts={"documents": 1200, "passages": 3400, "words": 56000})
    queries = {"human": {"dev": 5, "test": 40}, "structure": {"train": 2000}}
    pairs = Pairs.write(root, [], facts={"queries": queries})
    rows = [
        *(row("tuned", layer, 0.3 + layer / 100) for layer in range(1, layers + 1)),
        *(row("base", layer, 0.2) for layer in range(1, layers + 1)),
        row("BM25", 0, 0.25, pooling="", dimension=0),
    ]
    lineage = {
        "corpus": corpus.fingerprint, "pairs": pairs.fingerprint, "commit": "abc123",
        "settings": {"base": "all-MiniLM", "sources": ["docs/", "s3://team/wiki"]},
    }  # fmt: skip
    verdict = Verdict(True, "Champion: +0.1 against the base's 0.2.", [])
    return write_card("shop", cut, whole, cut, corpus, rows, verdict, Speed(10, 20, 2), lineage)


def test_it_tells_what_people_ask(
    make_encoder: Callable[..., Encoder], make_checkpoint: Callable[..., Checkpoint]
) -> None:
    facts = {"layer": 3, "layers_before": 6, "bytes": 5_000_000, "reason": "Layer 3 is enough."}
    cut = make_checkpoint(make_encoder(prompts={"query": "find: ", "document": ""}), **facts)
    trained = {"queries": 2000, "steps": 300, "first_loss": 2.0, "last_loss": 0.5}
    card = write(cut.root, cut, make_checkpoint(make_encoder(seed=9), **trained), layers=6)
    for told in (
        "base_model: \"all-MiniLM\"", "1,200 documents (3,400 passages)",
        "cut to 3 of its 6 layers",
        "one vector of 32 numbers (the mean of its tokens)", "beyond 96 tokens",
        "`find: ` before a query",
        "40 test questions asked by people", "BM25: 0.250", "Layer 3 is enough.", "5.0 MB, 100 %",
        "2.00 times as fast", "Champion: +0.1", "`docs/`, `s3://team/wiki`", "56,000 words",
        "human: 5 dev, 40 test", "structure: 2,000 train", "300 steps, loss 2.000 to 0.500",
        f"| this model | `{cut.fingerprint}` |", "| commit | `abc123` |", "burnish reproduce",
    ):  # fmt: skip
        assert told in card.text, told
    assert re.findall(r"^\| (\d) .*this model", card.text, re.MULTILINE) == ["3"]
    (code,) = re.findall(r"```python\n(.*?)```", card.text, re.DOTALL)
    ast.parse(code)
    for way in (
        "sentence_transformers.load_model", "pyfunc.load_model", "SentenceTransformer(folder)",
        "HuggingFaceEmbeddings(", "query_instruction='find: '", "mlflow models serve",
    ):  # fmt: skip
        assert way in card.text, way
    assert card.text.startswith("---\nlibrary_name: sentence-transformers\n")


def test_the_description_fits(
    make_encoder: Callable[..., Encoder], make_checkpoint: Callable[..., Checkpoint]
) -> None:
    cut = make_checkpoint(make_encoder(), layer=3, bytes=1)
    for layers in (3, 48):
        description = write(cut.root, cut, cut, layers).summarize("Champion: it is better.")
        assert len(description) <= DESCRIPTION_CHARACTERS
        assert description.startswith("Champion: it is better.\n\n# shop")
        assert "## How to use it" in description and "README.md" in description
        assert "layers.png" not in description


def test_of_several_poolings_and_lengths_the_models_own_is_shown() -> None:
    rows = [
        row("tuned", 1, 0.9, pooling="max"), row("tuned", 1, 0.5),
        row("tuned", 1, 0.4, dimension=8), row("tuned", 1, 0.8, split="dev"),
    ]  # fmt: skip
    table, _ = tabulate_layers(rows, Cell(1, "mean", 32))
    assert "| 1 |  |  | 0.500 (0.490 to 0.510) |" in table
    table, _ = tabulate_layers(rows, Cell(1, "mean", 8))
    assert "| 1 |  |  | 0.400 (0.390 to 0.410) |" in table
