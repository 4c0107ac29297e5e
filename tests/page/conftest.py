"""A small dataset of every origin, whose text tries everything a page could fall for."""

from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from tasks.contracts import Candidates, Corpus, Pairs, Triplets

HOSTILE = (
    "<script>alert(1)</script>",
    '<img src="https://tracker.invalid/p.png" onerror="alert(1)">',
    "![seen](https://tracker.invalid/p.png)",
    "[click](javascript:alert(1))",
    "</details></pre></table></body><h1>Approved</h1>",
    "```mermaid\ngraph TD; A-->B\n```",
    "| a | b |\n| --- | --- |\n| # 1 | **bold** _it_ ~~gone~~ |",
    "# Heading\n\n> quote\n\n- item\n\n1. one\n\n    code",
    "&lt;b&gt; &#60;i&#62; &amp;",
    "<!-- comment",
    "\x1b[31mred\x00\x07\u202egnp.exe\u2066",
    "$\\frac{1}{0}$ {{ config }} %s {0} \\",
    "https://tracker.invalid www.tracker.invalid <https://tracker.invalid>",
    "[ref]: https://tracker.invalid\n\n[ref]",
    "x" * 140,
    "مرحبا بالعالم 漢字だけの文章です 👩‍🔬 ünïcode",
    "'\"` onmouseover=alert(1) style=position:fixed",
)


class Nouns(NamedTuple):
    """What a page is drawn of."""

    corpus: Corpus
    pairs: Pairs
    candidates: Candidates
    triplets: Triplets


def build_dataset(root: Path, texts: tuple[str, ...] = HOSTILE, origin: str = "human") -> Nouns:
    """Write a dataset of as many documents as texts; each text stands wherever text can."""
    ids = [f"d{n}{text[:12]}#0" for n, text in enumerate(texts)]
    corpus = Corpus.write(
        root,
        [
            {
                "passage_id": name, "document_id": name[:-2], "title": text, "section": text,
                "text": f"First words. {text} Last words.", "source": f"docs/{number % 2}/{text}",
                "position": f"line {number + 1}", "cluster": ids[0] if number == 1 else name,
            }
            for number, (name, text) in enumerate(zip(ids, texts, strict=True))
        ],
        facts={"documents": len(ids), "passages": len(ids), "words": 99,
               "work": {"documents": {"listed": 17, "parsed": 2}, "chunked": 2}},
        rejects=[
            {"item": texts[0], "source": texts[0], "reason": f"damaged: {texts[0]}"},
            {"item": "b", "source": "docs/0/b", "reason": "damaged: cut off"},
            {"item": "c", "source": "docs/0/c", "reason": f"same text as {ids[0]}"},
        ],
    )  # fmt: skip
    origins = [origin if number == 0 else "structure" for number in range(len(ids))]
    pairs = Pairs.write(
        root,
        [
            {
                "query_id": f"q{number}", "query": f"{texts[number]} asked {number}",
                "passage_id": name, "relevance": 1, "origin": origins[number], "split": "train",
                "masked": "First words.", "weight": 3.0 if origins[number] == origin else 1.0,
            }
            for number, name in enumerate(ids)
        ],
        facts={
            "queries": {"structure": {"train": len(ids) - 1}, origin: {"train": 1}},
            "kinds": {"span": len(ids) - 1},
            "filters": [{"name": "near_copies", "before": 40, "removed": 10,
                         "examples": list(texts)}],
        },
        rejects=[{"item": texts[1], "source": "", "reason": "ambiguous: x"}],
    )  # fmt: skip
    return Nouns(corpus, pairs, *_mine(root, ids))


def _mine(root: Path, ids: list[str]) -> tuple[Candidates, Triplets]:
    """Retrieve everything for everything; each query keeps the next two passages."""
    found: list[dict[str, Any]] = []
    mined: list[dict[str, Any]] = []
    for number, name in enumerate(ids):
        others = [*ids[number + 1 :], *ids[:number]]
        scores = [0.6 - 0.01 * place for place in range(len(others))]
        found.append(
            {"query_id": f"q{number}", "passage_ids": others, "scores": scores,
             "positive_ids": [name], "positive_scores": [0.9 if number else 0.595],
             "planted_scores": []}
        )  # fmt: skip
        mined.append(
            {"query_id": f"q{number}", "passage_id": name, "negative_ids": others[:2],
             "unknown_ids": [], "score": 0.9, "negative_scores": scores[:2]}
        )  # fmt: skip
    facts = {"candidates": 200, "own_document": 20, "above_ceiling": 50, "kept": 34, "spare": 96,
             "ceiling": 0.95, "false_negative_rate": 0.03}  # fmt: skip
    return Candidates.write(root, found), Triplets.write(root, mined, facts=facts)


@pytest.fixture
def make_dataset(tmp_path: Path) -> Callable[..., Nouns]:
    """Give the function that writes a dataset below `tmp_path/root`."""
    return lambda *arguments, **options: build_dataset(tmp_path / "root", *arguments, **options)
