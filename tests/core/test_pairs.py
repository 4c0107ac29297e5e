"""Pairs: what is hidden where, near-copies, and the check against leaks."""

import random

import pytest

from tasks.core.duplicates import find_families
from tasks.core.pairs import Entry, Pair, check_apart, pair_queries, pair_questions, wording
from tasks.core.queries import Query
from tasks.core.questions import CLICKS, Question, place_questions
from tasks.core.reading import Passage
from tasks.core.splits import find_straddling


def make_pair(
    query: str, document: str, split: str = "train", origin: str = "structure", cluster: str = ""
) -> Pair:
    return Pair(
        query_id=f"{origin}:{document}:{wording(query)}",
        query=query,
        passage_id=f"{document}#0",
        relevance=1,
        origin=origin,
        split=split,  # type: ignore[arg-type]
        masked="",
        weight=1.0,
        document_id=document,
        cluster=cluster or f"{document}#0",
        source="here",
        kind="span",
    )


def make_entry(document: str, number: int = 0, *, cluster: str = "", text: str = "") -> Entry:
    name = f"{document}#{number}"
    text = text or "shown in training hidden os.path OS Path."
    return Entry(name, document, "here", Passage(document, "", text), cluster or name)


def test_evaluation_always_hides_and_asks_no_keywords() -> None:
    made = [
        Query("span", "shown in training", "shown", is_hidden=False),
        Query("span", "hidden in training", "hidden", is_hidden=True),
        Query("keywords", "three key words"),
    ]
    pairs, _ = pair_queries(
        "structure",
        [make_entry("a"), make_entry("b")],
        [made, made],
        {"a": "train", "b": "dev"},
        {},
    )
    assert [(p.document_id, p.query, p.masked) for p in pairs] == [
        ("a", "shown in training", ""),
        ("a", "hidden in training", "hidden"),
        ("a", "three key words", ""),
        ("b", "shown in training", "shown"),
        ("b", "hidden in training", "hidden"),
    ]
    assert {pair.weight for pair in pairs} == {1.0}


def test_one_query_of_several_passages_is_one_query() -> None:
    made = [[Query("name", "os path", "os.path")], [Query("span", "OS Path", "OS Path")]]
    entries = [make_entry("a", 0), make_entry("a", 1)]
    pairs, _ = pair_queries("structure", entries, made, {"a": "dev"}, {})
    assert len({p.query_id for p in pairs}) == len({p.query for p in pairs}) == 1
    assert [(p.passage_id, p.masked) for p in pairs] == [("a#0", "os.path"), ("a#1", "OS Path")]


@pytest.mark.parametrize(("split", "answers"), [("train", ["a#0"]), ("dev", ["a#0", "b#3"])])
def test_near_copies_answer_in_evaluation_and_are_not_trained_on_twice(
    split: str, answers: list[str]
) -> None:
    same = [make_entry("a", text="One. It waits."), make_entry("b", 3, text="Two. It waits.")]
    pairs, aside = pair_queries(
        "structure",
        same[:1],
        [[Query("span", "it waits", "It waits.")]],
        {"a": split, "b": split},  # type: ignore[dict-item]
        {"a#0": same},
    )
    assert [pair.passage_id for pair in pairs] == answers
    assert len({pair.query_id for pair in pairs}) == 1
    assert all(pair.masked == "It waits." for pair in pairs if split == "dev")
    assert not aside


def test_what_cannot_be_hidden_in_a_near_copy_is_not_asked() -> None:
    other = [make_entry("a", text="One. It waits."), make_entry("b", text="One. It waited.")]
    pairs, aside = pair_queries(
        "structure",
        other[:1],
        [[Query("span", "it waits", "It waits.")]],
        {"a": "test", "b": "test"},
        {"a#0": other},
    )
    assert not pairs
    assert [each.reason for each in aside] == ["near-copy in other words"]


def make_question(name: str, documents: str, split: str = "train") -> Question:
    return Question(
        name, name, dict.fromkeys(documents, 1), split,  # type: ignore[arg-type]
        frozenset(), "log", CLICKS, 2.5,
    )  # fmt: skip


def test_a_train_question_loses_the_near_copies_of_evaluation() -> None:
    entries = [
        make_entry("a", 0), make_entry("a", 1, cluster="x"), make_entry("b", 0, cluster="x"),
        make_entry("c", 0, cluster="x"),
    ]  # fmt: skip
    questions = [
        make_question("q", "a"), make_question("r", "b", "test"), make_question("s", "c"),
    ]  # fmt: skip
    pairs, aside = pair_questions(questions, entries, {"x"})
    assert [(p.query_id, p.passage_id) for p in pairs] == [("q", "a#0"), ("r", "b#0")]
    assert {(p.origin, p.weight, p.kind) for p in pairs} == {(CLICKS, 2.5, CLICKS)}
    reason = "answered by near-copies of evaluation passages alone"
    assert [tuple(each) for each in aside] == [("s", "log", reason)]


@pytest.mark.parametrize(
    ("trained", "evaluated", "what"),
    [
        (make_pair("one", "a"), make_pair("two", "a", "dev"), "document 'a'"),
        (make_pair("one", "a"), make_pair("One.", "b", "test"), "query 'one'"),
        (
            make_pair("one", "a", cluster="x"),
            make_pair("two", "b", "test", cluster="x"),
            "near-duplicates of the passage 'x'",
        ),
    ],
)
def test_leaks_are_found(trained: Pair, evaluated: Pair, what: str) -> None:
    with pytest.raises(ValueError, match=what):
        check_apart([trained, evaluated])
    check_apart([trained])
    check_apart([evaluated])


def test_nothing_leaks_whatever_is_near_to_what() -> None:
    chance = random.Random(0)
    seen: set[str] = set()
    straddled = 0
    for _ in range(60):
        entries = [
            make_entry(f"d{n:02}", place, cluster=f"c{chance.randrange(60)}")
            for n in range(25)
            for place in range(chance.randint(1, 3))
        ]
        documents = [entry.document_id for entry in entries]
        clusters = [entry.cluster for entry in entries]
        asked = [
            Question(
                f"q{n}", f"what {n}", dict.fromkeys(chance.sample(documents, 2), 1),
                chance.choice(["train", "train", "dev", "test"]), frozenset(), "here",
            )
            for n in range(6)
        ]  # fmt: skip
        questions, splits, _ = place_questions(
            asked, list(dict.fromkeys(documents)), dev_fraction=0.1, test_fraction=0.1,
            families=find_families(documents, clusters),
        )  # fmt: skip
        straddling = find_straddling(clusters, documents, splits)
        pairs, _ = pair_questions(questions, entries, straddling)
        alone = list({e.cluster: e for e in entries if e.cluster not in straddling}.values())
        queries = [[Query("span", f"about {entry.passage_id}")] for entry in alone]
        made, _ = pair_queries("structure", alone, queries, splits, {})
        check_apart(pairs + made)
        seen |= {pair.split for pair in made}
        straddled += len(straddling)
    assert seen == {"train", "dev", "test"}
    assert straddled > 60
