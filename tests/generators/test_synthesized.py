"""Synthesize with chat endpoints: people's examples are shown, copies dropped, a judge obeyed."""

import json
from pathlib import Path

import pytest

from tasks.contracts import BurnishError, Corpus
from tasks.sources.listing import Listing
from tasks.synthesize import SynthesizeConfig, synthesize
from tests.generators.conftest import Reply, Serve, fenced, says

ANIMALS = ["badger", "curlew", "dormouse", "egret", "ferret", "gannet", "hedgehog", "ibis"]


def make_corpus(root: Path) -> Corpus:
    rows = [
        {
            "passage_id": f"{name}{number}#0",
            "document_id": f"{name}{number}",
            "title": f"{name.title()} {number}",
            "section": "",
            "text": f"The {name} of sector {number} sleeps under roots and hunts after dusk alone. "
            "Acorns, beetles, and whatever walkers drop are what it lives on; a school class was "
            "first to count its young, one wet spring, from behind the hides near our gate.",
            "source": "zoo",
            "position": "",
            "cluster": f"{name}{number}#0",
        }
        for name in ANIMALS
        for number in range(5)
    ]
    return Corpus.write(root, rows)


def write(text: str, number: int) -> Reply:
    """Write a useful query, one that copies the passage, and one that is for the judge."""
    title = text.splitlines()[0]
    copied = text.splitlines()[1].partition(".")[0]
    queries = [f"where does a {title} rest by day", copied, f"price of a {title} as a pet"]
    return says(json.dumps(queries))


def grade(text: str, number: int) -> Reply:
    return says(json.dumps({"grade": 0 if "price" in text else 3}))


def make_config(writer: str, judge: str, model: str = "other") -> SynthesizeConfig:
    return SynthesizeConfig.model_validate(
        {
            "generator": "endpoint",
            "dev_fraction": 0.2,
            "endpoint": {"base_url": writer, "model": "writer"},
            "judge": {"base_url": judge, "model": model},
        }
    )


def make_questions(folder: Path) -> Listing:
    (folder / "qrels").mkdir(parents=True)
    asked = {"q1": ("badger1", "train"), "q2": ("curlew2", "test"), "q3": ("egret3", "dev")}
    lines = [
        json.dumps({"_id": name, "text": f"Which burrow has a {document[:-1]} of sector?"})
        for name, (document, _) in asked.items()
    ]
    (folder / "queries.jsonl").write_text("\n".join(lines))
    for name, (document, split) in asked.items():
        rows = f"query-id\tcorpus-id\tscore\n{name}\t{document}\t1\n"
        (folder / "qrels" / f"{split}.tsv").write_text(rows)
    return Listing(sources=("zoo",), judged=(str(folder),), content="0", fingerprint="0")


def test_filters_and_judge_take_away_what_they_should(tmp_path: Path, serve: Serve) -> None:
    writer, judge = serve(write), serve(grade)
    config = make_config(writer.url, judge.url)
    pairs = synthesize.fn(make_corpus(tmp_path), make_questions(tmp_path / "q"), config)
    made = [row["query"] for row in pairs.read().to_pylist() if row["origin"] == "endpoint"]
    assert made
    assert all(query.startswith("where does a") for query in made)
    yields = {each["name"]: each["removed"] for each in pairs.facts["filters"]}
    assert yields["copies of the passage"] == 40
    assert yields["judge"] == len(made)
    assert pairs.facts["set_aside"]["judged 0 of 3"] == len(made)
    assert pairs.facts["work"]["queried"] == 40
    assert pairs.facts["work"]["judge"]["queried"] == len(judge.requests) == 2 * len(made)
    again = synthesize.fn(make_corpus(tmp_path), make_questions(tmp_path / "r"), config)
    assert again.facts["work"]["queried"] == again.facts["work"]["judge"]["queried"] == 0
    assert again.fingerprint == pairs.fingerprint


def test_people_s_training_questions_are_shown_and_no_others(tmp_path: Path, serve: Serve) -> None:
    writer, judge = serve(write), serve(grade)
    config = make_config(writer.url, judge.url)
    pairs = synthesize.fn(make_corpus(tmp_path), make_questions(tmp_path / "q"), config)
    assert pairs.facts["examples"] == 1
    for request in writer.requests:
        *shown, asked = [message["content"] for message in request["messages"]]
        assert "burrow has a badger" in "\n".join(shown)
        assert "burrow has a curlew" not in "\n".join(shown)
        assert "burrow has an egret" not in "\n".join(shown)
        assert "burrow" not in fenced(asked)


def test_a_generator_does_not_judge_itself_and_is_not_paid_before_that_is_said(
    tmp_path: Path, serve: Serve
) -> None:
    writer = serve(write)
    config = make_config(writer.url, writer.url, model="writer")
    with pytest.raises(BurnishError, match="likes its own writing"):
        synthesize.fn(make_corpus(tmp_path), make_questions(tmp_path / "q"), config)
    assert not writer.requests
