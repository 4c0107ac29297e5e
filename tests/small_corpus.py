"""Sixty small documents and questions about them: a corpus that a whole run takes seconds for."""

import json
import random
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from tasks.model_files import save_encoder
from tests.conftest import WORDS, build_encoder

# Of a run over them, in seconds and with ten questions to choose by.
SETTINGS: dict[str, Any] = {
    "evaluate": {"resamples": 200, "general": ""},
    "truncate": {"resamples": 200, "min_questions": 1}, "heal": {"epochs": 2},
    "train": {"passages_per_batch": 8, "precision": "float32"},
}  # fmt: skip
NOUNS = ("corpus", "pairs", "candidates", "triplets", "scores", "checkpoint", "registration")


def write_base(folder: Path) -> None:
    """Save a tiny 3-layer BERT."""
    folder.mkdir(parents=True, exist_ok=True)
    save_encoder(build_encoder(), folder)


def write_documents(folder: Path) -> None:
    """Write 60 documents and two that have to be set aside."""
    folder.mkdir(parents=True, exist_ok=True)
    draw = random.Random(0)
    for number in range(60):
        title = " ".join(draw.sample(WORDS, 3))
        sentences = [" ".join(draw.sample(WORDS, 9)).capitalize() + "." for _ in range(5)]
        (folder / f"{number:02}.md").write_text(f"# {title}\n\n{' '.join(sentences)}\n")
    (folder / "empty.md").write_text("")
    (folder / "latin.txt").write_bytes("Größe".encode("latin-1"))


def write_questions(folder: Path, documents: Path) -> None:
    """Write judged questions: ten for dev, ten for test."""
    (folder / "qrels").mkdir(parents=True, exist_ok=True)
    asked = []
    for number in range(20):
        words = (documents / f"{number:02}.md").read_text().split("\n")[2].split()
        asked.append({"_id": f"q{number}", "text": " ".join(words[3:8])})
    (folder / "queries.jsonl").write_text("\n".join(map(json.dumps, asked)))
    for split, numbers in (("dev", range(10)), ("test", range(10, 20))):
        rows = [f"q{number}\t{number:02}.md\t1" for number in numbers]
        (folder / "qrels" / f"{split}.tsv").write_text("\n".join(["query\tdoc\tscore", *rows]))


def name_made(root: Path, nouns: Sequence[str] = NOUNS) -> dict[str, list[str]]:
    """Name what lies below a root, by noun."""
    return {
        noun: sorted(path.name for path in (root / noun).iterdir())
        for noun in nouns if (root / noun).exists()
    }  # fmt: skip
