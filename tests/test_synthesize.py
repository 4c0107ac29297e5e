"""Synthesize: splits by document, people's questions, refusals, and the same result twice."""

import json
from collections import defaultdict
from pathlib import Path
from pydoc_data.topics import topics

import pytest

from tasks.contracts import BurnishError, Corpus, Pairs
from tasks.core.text import compose
from tasks.sources.listing import Listing
from tasks.synthesize import SynthesizeConfig, synthesize

TEXTS = {
    f"topic-{number}": [part for part in text.split("\n\n") if len(part.split()) > 25][:3]
    for number, text in enumerate(text for _, text in sorted(topics.items()))
}


def make_corpus(root: Path, number: int = 60) -> Corpus:
    rows = [
        {
            "passage_id": f"{document}#{place}",
            "document_id": document,
            "title": document,
            "section": "",
            "text": text,
            "source": "topics",
            "position": "",
        }
        for document, texts in list(TEXTS.items())[:number]
        for place, text in enumerate(texts)
    ]
    return Corpus.write(root, rows)


def make_questions(folder: Path, **splits: list[tuple[str, str]]) -> Listing:
    """Write questions as a folder in BEIR's layout: per split, pairs of query id and document."""
    (folder / "qrels").mkdir(parents=True)
    names = dict.fromkeys(query for judged in splits.values() for query, _ in judged)
    lines = [json.dumps({"_id": name, "text": f"what about {name}?"}) for name in names]
    (folder / "queries.jsonl").write_text("\n".join(lines))
    for split, judged in splits.items():
        rows = ["query-id\tcorpus-id\tscore", *(f"{q}\t{d}\t2" for q, d in judged)]
        (folder / "qrels" / f"{split}.tsv").write_text("\n".join(rows))
    return Listing(sources=("topics",), judged=(str(folder),), fingerprint="0")


NO_QUESTIONS = Listing(sources=("topics",), fingerprint="0")


def documents_by_split(pairs: Pairs) -> dict[str, set[str]]:
    found = defaultdict(set)
    for row in pairs.read().to_pylist():
        found[row["split"]].add(row["passage_id"].partition("#")[0])
    return found


def test_without_people_there_are_queries_in_every_split(tmp_path: Path) -> None:
    corpus = make_corpus(tmp_path)
    pairs = synthesize.fn(corpus, NO_QUESTIONS, SynthesizeConfig())
    found = documents_by_split(pairs)
    assert set(found) == {"train", "dev", "test"}
    assert not found["train"] & (found["dev"] | found["test"])
    assert pairs.facts["queries"]["structure"]["train"] > 100
    passages = {row["passage_id"]: row for row in corpus.read().to_pylist()}
    for row in pairs.read().to_pylist():
        passage = passages[row["passage_id"]]
        assert row["masked"] in compose(passage["title"], passage["section"], passage["text"])
        assert row["split"] == "train" or row["masked"]
        assert row["origin"] == "structure"


def test_twice_gives_the_same_and_another_seed_another(tmp_path: Path) -> None:
    corpus = make_corpus(tmp_path)
    first = synthesize.fn(corpus, NO_QUESTIONS, SynthesizeConfig())
    assert synthesize.fn(corpus, NO_QUESTIONS, SynthesizeConfig()) == first
    other = synthesize.fn(corpus, NO_QUESTIONS, SynthesizeConfig(seed=1))
    assert other.fingerprint != first.fingerprint


def test_a_larger_corpus_moves_no_document(tmp_path: Path) -> None:
    config = SynthesizeConfig(dev_fraction=0.2, test_fraction=0.2)
    small = documents_by_split(synthesize.fn(make_corpus(tmp_path, 60), NO_QUESTIONS, config))
    large = documents_by_split(synthesize.fn(make_corpus(tmp_path, 75), NO_QUESTIONS, config))
    assert all(small[split] <= large[split] for split in ("train", "dev", "test"))


def test_people_decide_the_split_of_their_documents(tmp_path: Path) -> None:
    corpus = make_corpus(tmp_path)
    listing = make_questions(
        tmp_path / "q",
        train=[("q1", "topic-1"), ("q2", "topic-2")],
        dev=[("q3", "topic-3")],
        test=[("q4", "topic-4"), ("q5", "topic-5"), ("q5", "topic-6")],
    )
    config = SynthesizeConfig(dev_fraction=0, test_fraction=0)
    pairs = synthesize.fn(corpus, listing, config)
    found = documents_by_split(pairs)
    assert found["dev"] == {"topic-3"}
    assert found["test"] == {"topic-4", "topic-5", "topic-6"}
    human = [row for row in pairs.read().to_pylist() if row["origin"] == "human"]
    assert {row["query_id"] for row in human} == {f"human:q{n}" for n in range(1, 6)}
    assert {row["passage_id"] for row in human if row["query_id"] == "human:q5"} == {
        f"topic-{n}#{place}" for n in (5, 6) for place in range(len(TEXTS[f"topic-{n}"]))
    }
    assert all(row["relevance"] == 2 and row["masked"] == "" for row in human)


def test_human_training_questions_can_be_left_out(tmp_path: Path) -> None:
    listing = make_questions(tmp_path / "q", train=[("q1", "gone")], test=[("q2", "topic-2")])
    config = SynthesizeConfig(use_human_train=False)
    pairs = synthesize.fn(make_corpus(tmp_path), listing, config)
    assert pairs.facts["queries"]["human"] == {"test": 1}
    assert "unknown document" not in pairs.facts["set_aside"]


def test_a_question_of_two_splits_is_not_trained_on(tmp_path: Path) -> None:
    listing = make_questions(
        tmp_path / "q",
        train=[("q1", "topic-1"), ("q1", "topic-2"), ("q2", "topic-2"), ("q3", "topic-4")],
        test=[("q2", "topic-2"), ("q4", "topic-9")],
        dev=[("q5", "topic-7")],
    )
    config = SynthesizeConfig(dev_fraction=0, test_fraction=0)
    pairs = synthesize.fn(make_corpus(tmp_path), listing, config)
    assert pairs.facts["queries"]["human"] == {"dev": 1, "test": 2, "train": 1}
    reasons = {row["item"]: row["reason"] for row in pairs.read_rejects().to_pylist()}
    assert reasons["human:q1"] == "train question of an evaluation document: test"
    assert reasons["human:q2"] == "judged in two splits: test holds"


def test_unknown_documents_are_set_aside_with_a_reason(tmp_path: Path) -> None:
    listing = make_questions(tmp_path / "q", test=[("q1", "topic-1"), ("q2", "nowhere")])
    pairs = synthesize.fn(make_corpus(tmp_path), listing, SynthesizeConfig())
    assert pairs.facts["set_aside"]["unknown document"] == 1
    assert {
        "item": "q2",
        "source": f"{tmp_path}/q/qrels/test",
        "reason": "unknown document: nowhere",
    } in (pairs.read_rejects().to_pylist())


def test_questions_about_another_corpus_are_refused(tmp_path: Path) -> None:
    listing = make_questions(tmp_path / "q", test=[("q1", "nowhere"), ("q2", "elsewhere")])
    with pytest.raises(BurnishError, match="None of the 2 judgments .*'nowhere'.*'topic-0'"):
        synthesize.fn(make_corpus(tmp_path), listing, SynthesizeConfig())


def test_two_folders_may_number_their_questions_alike(tmp_path: Path) -> None:
    one = make_questions(tmp_path / "one", test=[("1", "topic-1")])
    two = make_questions(tmp_path / "two", test=[("1", "topic-2")])
    (tmp_path / "two" / "queries.jsonl").write_text('{"_id": "1", "text": "something else"}')
    listing = Listing(sources=("topics",), judged=one.judged + two.judged, fingerprint="0")
    pairs = synthesize.fn(make_corpus(tmp_path), listing, SynthesizeConfig())
    assert pairs.facts["queries"]["human"] == {"test": 2}


def test_evaluation_is_bounded(tmp_path: Path) -> None:
    config = SynthesizeConfig(
        dev_fraction=0.3, test_fraction=0.2, max_synthetic_dev=7, max_synthetic_test=0
    )
    pairs = synthesize.fn(make_corpus(tmp_path), NO_QUESTIONS, config)
    assert pairs.facts["queries"]["structure"]["dev"] == 7
    assert "test" not in pairs.facts["queries"]["structure"]


def test_nothing_to_train_on_is_refused(tmp_path: Path) -> None:
    row = dict.fromkeys(Corpus.columns.names, "")
    corpus = Corpus.write(tmp_path, [{**row, "passage_id": "a#0", "document_id": "a", "text": "a"}])
    with pytest.raises(BurnishError, match="nothing to train on"):
        synthesize.fn(corpus, NO_QUESTIONS, SynthesizeConfig())


def test_an_endpoint_must_be_named(tmp_path: Path) -> None:
    with pytest.raises(BurnishError, match="base_url and model is not set"):
        synthesize.fn(make_corpus(tmp_path), NO_QUESTIONS, SynthesizeConfig(generator="endpoint"))


def test_a_copy_of_an_evaluation_passage_is_not_trained_on(tmp_path: Path) -> None:
    from tasks.tables import find_copies, find_twins

    row = {"title": "", "section": "", "source": "s", "position": ""}
    texts = {
        "a.md#0": "Shared words",
        "a.md#1": "its own",
        "b.md#1": "what b says",
        "c.md#0": "shared  WORDS",
    }
    rows = [
        row | {"passage_id": name, "document_id": name.partition("#")[0], "text": text}
        for name, text in texts.items()
    ]
    aside = [
        {"item": "b.md#0", "source": "s", "reason": "same text as a.md#1"},
        {"item": "d.md#0", "source": "s", "reason": "same text as c.md#0"},
    ]
    corpus = Corpus.write(tmp_path, rows, rejects=aside)
    # b.md is evaluated: what it shared with a.md stands there alone now
    assert find_copies(corpus, {"b.md"}) == {"a.md#1"}
    # c.md is evaluated: a.md says the same in other case and spacing
    assert find_copies(corpus, {"c.md"}) == {"a.md#0"}
    # d.md is not in the corpus, but its words are
    assert find_twins(corpus, {"a.md", "b.md", "c.md"}) == {"d.md": "c.md"}
