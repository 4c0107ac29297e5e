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
            "cluster": f"{document}#{place}",
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
    return Listing(sources=("topics",), judged=(str(folder),), content="0", fingerprint="0")


NO_QUESTIONS = Listing(sources=("topics",), content="0", fingerprint="0")


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
        assert row["weight"] == 1.0


def test_twice_gives_the_same_and_another_seed_another(tmp_path: Path) -> None:
    corpus = make_corpus(tmp_path)
    first = synthesize.fn(corpus, NO_QUESTIONS, SynthesizeConfig())
    again = synthesize.fn(corpus, NO_QUESTIONS, SynthesizeConfig())
    assert again.fingerprint == first.fingerprint
    assert again.facts | {"work": {}} == first.facts | {"work": {}}
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
    assert {row["weight"] for row in human} == {config.human_weight}
    assert config.human_weight > 1


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
    listing = Listing(
        sources=("topics",), judged=one.judged + two.judged, content="0", fingerprint="0"
    )
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


def write_clustered(root: Path, near: dict[str, str], **more: str) -> Corpus:
    """Write the corpus with some passages near-copies of others, and with more passages."""
    rows = make_corpus(root).read().to_pylist()
    for name, text in more.items():
        document, _, place = name.partition("_")
        rows.append(
            {**rows[0], "passage_id": f"{document}#{place}", "document_id": document,
             "title": document, "text": text, "cluster": f"{document}#{place}"}
        )  # fmt: skip
    for row in rows:
        row["cluster"] = near.get(row["passage_id"], row["cluster"])
    return Corpus.write(root, rows)


def by_split(pairs: Pairs, origin: str = "") -> dict[str, set[str]]:
    """Return the passages of each split that some origin, or any, asks for."""
    found = defaultdict(set)
    for row in pairs.read().to_pylist():
        if origin in ("", row["origin"]):
            found[row["split"]].add(row["passage_id"])
    return found


def test_what_straddles_splits_is_neither_trained_on_nor_asked(tmp_path: Path) -> None:
    listing = make_questions(tmp_path / "q", test=[("q1", "topic-5")], dev=[("q2", "topic-3")])
    # topic-5 is evaluated; each of the others says one thing of it, and two things of its own
    near = {"topic-18#1": "topic-5#0", "topic-19#2": "topic-5#0"}
    config = SynthesizeConfig(dev_fraction=0, test_fraction=0)
    pairs = synthesize.fn(write_clustered(tmp_path, near), listing, config)
    assert not {"topic-18#1", "topic-19#2", "topic-5#0"} & by_split(pairs)["train"]
    assert {"topic-18#2", "topic-19#0"} <= by_split(pairs)["train"]
    assert "topic-5#0" in by_split(pairs, "human")["test"]  # a person's question stays
    assert "topic-5#0" not in by_split(pairs, "structure")["test"]
    assert pairs.facts["set_aside"]["near-copy across splits"] == 3
    apart = synthesize.fn(make_corpus(tmp_path), listing, config)
    assert {"topic-18#1", "topic-19#2"} <= by_split(apart)["train"]


def test_families_stay_together(tmp_path: Path) -> None:
    listing = make_questions(tmp_path / "q", test=[("q1", "topic-5")], dev=[("q2", "topic-3")])
    near = {f"topic-18#{place}": f"topic-5#{place}" for place in range(3)}
    config = SynthesizeConfig(dev_fraction=0, test_fraction=0)
    pairs = synthesize.fn(write_clustered(tmp_path, near), listing, config)
    assert pairs.facts["documents"]["test"] == 2
    assert "near-copy across splits" not in pairs.facts["set_aside"]


def test_a_train_question_about_a_near_copy_of_an_evaluated_document_is_set_aside(
    tmp_path: Path,
) -> None:
    listing = make_questions(
        tmp_path / "q",
        train=[("q1", "topic-18")],
        test=[("q2", "topic-5")],
        dev=[("q3", "topic-3")],
    )
    near = {f"topic-18#{place}": f"topic-5#{place}" for place in range(3)}
    config = SynthesizeConfig(dev_fraction=0, test_fraction=0)
    pairs = synthesize.fn(write_clustered(tmp_path, near), listing, config)
    assert pairs.facts["queries"]["human"] == {"dev": 1, "test": 1}
    assert pairs.facts["set_aside"]["train question of an evaluation document"] == 1


def test_near_copies_in_training_are_asked_for_once(tmp_path: Path) -> None:
    near = {"topic-21#1": "topic-20#1"}
    listing = make_questions(tmp_path / "q", dev=[("q2", "topic-5")])
    config = SynthesizeConfig(dev_fraction=0, test_fraction=0)
    pairs = synthesize.fn(write_clustered(tmp_path, near), listing, config)
    assert "topic-20#1" in by_split(pairs)["train"]
    assert "topic-21#1" not in by_split(pairs)["train"]


def test_a_copy_that_ingestion_set_aside_holds_its_twin_out_of_training(tmp_path: Path) -> None:
    rows = make_corpus(tmp_path).read()
    aside = [{"item": "topic-4#9", "source": "s", "reason": "same text as topic-21#1"}]
    corpus = Corpus.write(tmp_path, rows, rejects=aside)
    listing = make_questions(tmp_path / "q", test=[("q1", "topic-4")], dev=[("q2", "topic-5")])
    pairs = synthesize.fn(corpus, listing, SynthesizeConfig(dev_fraction=0, test_fraction=0))
    assert "topic-21#1" not in by_split(pairs)["train"]
    assert "topic-21#0" in by_split(pairs)["train"]


def test_clicks_are_trained_on_below_people_and_above_made_queries(tmp_path: Path) -> None:
    listing = make_questions(
        tmp_path / "q", train=[("q1", "topic-1")], dev=[("q3", "topic-3")], test=[("q4", "topic-4")]
    )
    log = tmp_path / "log.csv"
    log.write_text(
        "query,document,times\n"
        "how to raise,topic-10,4\nHow to raise?,topic-10,16\nhow to raise,topic-11,1\n"
        "how to loop,topic-12,3\n"
        "what about q1?,topic-13,50\n"  # people judged that
        "on an evaluated one,topic-4,9\n"
        "gone,nowhere,9\n"
    )
    listing = listing.model_copy(update={"clicks": (str(log),)})
    config = SynthesizeConfig(dev_fraction=0, test_fraction=0)
    pairs = synthesize.fn(make_corpus(tmp_path), listing, config)
    clicked = [row for row in pairs.read().to_pylist() if row["origin"] == "clicks"]
    assert {row["query"]: round(row["weight"], 2) for row in clicked} == {
        "How to raise?": 3.0, "how to loop": 1.76,
    }  # fmt: skip
    assert all(1 < row["weight"] < config.human_weight for row in clicked)
    assert by_split(pairs, "clicks")["train"] == {
        f"topic-{n}#{place}" for n in (10, 12) for place in range(len(TEXTS[f"topic-{n}"]))
    }
    for reason in ("too few clicks", "judged by people too", "unknown document",
                   "train question of an evaluation document"):  # fmt: skip
        assert pairs.facts["set_aside"][reason] == 1
    without = config.model_copy(update={"use_human_train": False})
    pairs = synthesize.fn(make_corpus(tmp_path), listing, without)
    assert "clicks" not in pairs.facts["queries"]


def test_clicks_on_another_corpus_are_refused(tmp_path: Path) -> None:
    log = tmp_path / "log.csv"
    log.write_text("query,document,times\na query,nowhere,9\n")
    listing = NO_QUESTIONS.model_copy(update={"clicks": (str(log),)})
    with pytest.raises(BurnishError, match="No click in .*'nowhere'.*'topic-0'"):
        synthesize.fn(make_corpus(tmp_path), listing, SynthesizeConfig())


def test_every_filter_tells_its_yield(tmp_path: Path) -> None:
    same = "Only here do quicksilver barometers oscillate before violent thunderstorms arrive. "
    more = {
        f"more-{n}_0": same + f"Beside it stands what number {n} has to add about a matter apart."
        for n in range(3)
    }
    pairs = synthesize.fn(write_clustered(tmp_path, {}, **more), NO_QUESTIONS, SynthesizeConfig())
    found = {each["name"]: each for each in pairs.facts["filters"]}
    assert list(found) == ["too general", "ambiguous", "asked in evaluation"]
    assert found["ambiguous"]["removed"] > 0
    assert found["ambiguous"]["examples"]
    assert pairs.facts["set_aside"]["ambiguous"] == found["ambiguous"]["removed"]
    kept = SynthesizeConfig.model_validate(
        {"filters": {"least_bits": 0, "drop_ambiguous": False, "copies": "all"}}
    )
    pairs = synthesize.fn(write_clustered(tmp_path, {}, **more), NO_QUESTIONS, kept)
    found = {each["name"]: each for each in pairs.facts["filters"]}
    assert list(found) == ["copies of the passage", "asked in evaluation"]
    assert found["copies of the passage"]["removed"] > 0


def test_only_what_changed_is_queried_and_the_result_is_that_of_a_fresh_run(
    tmp_path: Path,
) -> None:
    config = SynthesizeConfig(dev_fraction=0.2, test_fraction=0.2)
    first = synthesize.fn(make_corpus(tmp_path / "kept", 60), NO_QUESTIONS, config)
    assert first.facts["work"]["known"] == 0
    grown = make_corpus(tmp_path / "kept", 62)
    again = synthesize.fn(grown, NO_QUESTIONS, config)
    passages = grown.facts["rows"] - len(make_corpus(tmp_path / "kept", 60).read())
    assert 0 < again.facts["work"]["queried"] <= passages
    fresh = synthesize.fn(make_corpus(tmp_path / "fresh", 62), NO_QUESTIONS, config)
    assert again.fingerprint == fresh.fingerprint
    assert fresh.facts["work"]["known"] == 0


def test_a_copy_of_an_evaluation_passage_is_not_trained_on(tmp_path: Path) -> None:
    from tasks.tables import find_copies, find_twins

    row = {"title": "", "section": "", "source": "s", "position": "", "text": "words"}
    clusters = {"a.md#0": "a.md#0", "a.md#1": "a.md#1", "b.md#1": "b.md#1", "c.md#0": "a.md#0"}
    rows = [
        row | {"passage_id": name, "document_id": name.partition("#")[0], "cluster": cluster}
        for name, cluster in clusters.items()
    ]
    aside = [
        {"item": "b.md#0", "source": "s", "reason": "same text as a.md#1"},
        {"item": "d.md#0", "source": "s", "reason": "same text as c.md#0"},
    ]
    corpus = Corpus.write(tmp_path, rows, rejects=aside)
    # b.md is evaluated: what it shared with a.md stands there alone now
    assert find_copies(corpus, {"b.md"}) == {"a.md#1"}
    # c.md is evaluated: a.md says nearly the same
    assert find_copies(corpus, {"c.md"}) == {"a.md#0"}
    # d.md is not in the corpus, but its words are
    assert find_twins(corpus, {"a.md", "b.md", "c.md"}) == {"d.md": "c.md"}
