"""A corpus, pairs, and triplets that a tiny model learns in seconds."""

import random
from pathlib import Path
from typing import Any, NamedTuple

from tasks.contracts import Corpus, Pairs, Triplets


class Nouns(NamedTuple):
    corpus: Corpus
    pairs: Pairs
    triplets: Triplets


def make_nouns(root: Path, words: tuple[str, ...], train: int = 24, dev: int = 0) -> Nouns:
    """Make passages of two words among others, and queries of one of them; the last are `dev`."""
    draw = random.Random(0)
    nouns = draw.sample(words[40:90], 48)
    passages: list[dict[str, Any]] = []
    pairs: list[dict[str, Any]] = []
    for number in range(train + dev):
        about, asked = nouns[2 * number % 48], nouns[(2 * number + 1) % 48]
        text = " ".join([about, *draw.sample(words[:30], 4 + number % 5), about, asked])
        passages.append(
            {"passage_id": f"{number}#0", "document_id": str(number), "title": "", "section": "",
             "text": text, "source": "s", "position": "", "cluster": f"{number}#0"}
        )  # fmt: skip
        pairs.append(
            {"query_id": f"q{number}", "query": f"{asked} {asked}", "passage_id": f"{number}#0",
             "relevance": 1, "origin": "structure", "split": "train" if number < train else "dev",
             "masked": asked if number % 3 == 0 else "", "weight": 1.0}
        )  # fmt: skip
    triplets = [
        {"query_id": f"q{number}", "passage_id": f"{number}#0",
         "negative_ids": [f"{(number + 1) % train}#0"], "unknown_ids": [], "score": 0.9,
         "negative_scores": [0.5]}
        for number in range(train)
    ]  # fmt: skip
    return Nouns(
        Corpus.write(root, passages), Pairs.write(root, pairs), Triplets.write(root, triplets)
    )
