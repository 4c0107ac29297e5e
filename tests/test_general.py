"""The general set: bounded, the same in any order, and scored apart from the test questions."""

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from tasks.contracts import BurnishError, Checkpoint, Corpus, Pairs
from tasks.core.encoder import Encoder
from tasks.core.questions import Question
from tasks.evaluate import EvaluateConfig, evaluate
from tasks.general import draw, list_general, read_general
from tasks.model_files import load_encoder

MOST_BYTES = 10**6


@pytest.fixture
def folder(tmp_path: Path, words: tuple[str, ...]) -> Path:
    """Give a folder in BEIR's layout: 40 documents, of which the first ten answer a question."""
    folder = tmp_path / "beir"
    (folder / "qrels").mkdir(parents=True)
    generator = np.random.default_rng(0)
    texts = [" ".join(generator.choice(words, size=10)) for _ in range(40)]
    documents = [{"_id": f"d{n}", "title": "", "text": text} for n, text in enumerate(texts)]
    asked = [{"_id": f"q{n}", "text": " ".join(texts[n].split()[2:7])} for n in range(10)]
    for name, rows in (("corpus", documents), ("queries", asked)):
        (folder / f"{name}.jsonl").write_text("\n".join(map(json.dumps, rows)))
    judged = [f"q{n}\td{n}\t1" for n in range(10)]
    (folder / "qrels" / "test.tsv").write_text("\n".join(["query\tdoc\tscore", *judged]))
    return folder


def question(number: int, *documents: str, split: str = "test") -> Question:
    relevances = dict.fromkeys(documents, 1)
    return Question(f"q{number}", "?", relevances, split, frozenset(), "")  # type: ignore[arg-type]


def test_the_draw_is_bounded_whole_and_the_same_in_any_order() -> None:
    questions = [question(n, f"d{n}", f"d{n + 1}") for n in range(30)]
    documents = [f"d{n}" for n in range(100)]
    asked, ids = draw(questions, documents, 20, seed=0)
    assert len(ids) == 20
    assert 0 < len(asked) <= 20
    assert all(set(one.relevances) <= set(ids) for one in asked)
    assert draw(questions[::-1], documents[::-1], 20, seed=0) == (asked, ids)
    assert draw(questions, documents, 20, seed=1) != (asked, ids)
    asked, ids = draw(questions, documents, 60, seed=0)
    assert (len(asked), len(ids)) == (30, 60)  # all that answers, and others


def test_what_was_held_out_is_asked_where_there_is_any() -> None:
    questions = [question(0, "a", split="train"), question(1, "b", split="dev")]
    assert [one.query_id for one in draw(questions, "abc", 3, 0)[0]] == ["q1"]
    assert [one.query_id for one in draw(questions[:1], "abc", 3, 0)[0]] == ["q0"]


def test_by_default_it_is_pythons_own_unless_that_is_tuned_on(tmp_path: Path) -> None:
    def listed(name: str | None, *sources: str) -> object:
        return list_general(name, sources, tmp_path, max_file_bytes=MOST_BYTES)

    python = listed(None, "docs")
    assert python is not None
    assert python == listed("pydoc:", "docs") == listed(None, "pydoc:json")
    assert listed(None, "docs", "pydoc:") is listed("", "docs") is None
    assert listed("pydoc:", "pydoc:") == python


def test_a_folder_without_questions_is_refused(folder: Path, tmp_path: Path) -> None:
    (folder / "queries.jsonl").unlink()
    with pytest.raises(BurnishError, match="has no questions: it takes a folder in BEIR's layout"):
        list_general(str(folder), (), tmp_path, max_file_bytes=MOST_BYTES)


def test_exits_and_base_are_scored_on_it_apart_from_the_test_questions(
    folder: Path,
    tmp_path: Path,
    make_checkpoint: Callable[..., Checkpoint],
    make_encoder: Callable[..., Encoder],
) -> None:
    tuned, base = make_checkpoint(make_encoder(seed=1), exits=[2, 3]), make_checkpoint()
    root = base.root
    empty = dict.fromkeys(("title", "section", "source", "position"), "")
    corpus = Corpus.write(root, [
        {"passage_id": "x#0", "document_id": "x", "text": "gold", "cluster": "x#0"} | empty,
    ])  # fmt: skip
    pairs = Pairs.write(root, [
        {"query_id": "human:1", "query": "gold", "passage_id": "x#0", "relevance": 1,
         "origin": "human", "split": "test", "masked": "", "weight": 1.0},
    ])  # fmt: skip
    listing = list_general(str(folder), (), root, max_file_bytes=MOST_BYTES)
    config = EvaluateConfig(resamples=100, general_passages=25)
    with_it = evaluate.fn(tuned, base, corpus, pairs, config, listing)
    without = evaluate.fn(tuned, base, corpus, pairs, config)
    rows = with_it.read().to_pylist()
    general = [row for row in rows if row["origin"] == "general"]
    assert [row for row in rows if row not in general] == without.read().to_pylist()
    assert {row["split"] for row in general} == {"test"}
    cells = {(row["system"], row["layer"]) for row in general}
    assert cells == {("tuned", 2), ("tuned", 3), ("base", 3)}
    assert with_it.facts["questions"] == {"test human": 1, "test general": 10}
    benchmark = read_general(listing, root, 25, config.seed)
    assert len(benchmark.passages.texts) == 25
    encoder = load_encoder(base.path)
    asked, found = (
        encoder.encode(texts, kind, [3])[:, 0]
        for kind, texts in (("query", benchmark.questions), ("document", benchmark.passages.texts))
    )
    order = np.argsort(-(asked @ found.T), axis=1, kind="stable")
    expected = []
    for number, name in enumerate(f"d{n}" for n in range(10)):
        place = list(order[number]).index(benchmark.passages.rows[name])
        expected.append(1 / (place + 1) if place < 10 else 0.0)
    (row,) = (r for r in general if (r["system"], r["metric"]) == ("base", "mrr@10"))
    assert row["values"] == pytest.approx(expected)
