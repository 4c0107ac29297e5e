"""Pairs: what is hidden where, ambiguous and repeated queries, and the check against leaks."""

import pytest

from tasks.core.pairs import (
    Entry,
    Pair,
    check_apart,
    limit_made,
    pair_queries,
    part_ambiguous,
    part_evaluated,
    wording,
)
from tasks.core.queries import Query
from tasks.core.reading import Passage


def pair(query: str, document: str, split: str = "train", origin: str = "structure") -> Pair:
    return Pair(
        query_id=f"{origin}:{document}:{wording(query)}",
        query=query,
        passage_id=f"{document}#0",
        relevance=1,
        origin=origin,
        split=split,  # type: ignore[arg-type]
        masked="",
        document_id=document,
        source="here",
        kind="span",
    )


def entry(document: str, number: int = 0) -> Entry:
    return Entry(f"{document}#{number}", document, "here", Passage(document, "", "A text."))


def test_evaluation_always_hides_and_asks_no_keywords() -> None:
    made = [
        Query("span", "shown in training", "shown", is_hidden=False),
        Query("span", "hidden in training", "hidden", is_hidden=True),
        Query("keywords", "three key words"),
    ]
    pairs = pair_queries(
        "structure", [entry("a"), entry("b")], [made, made], {"a": "train", "b": "dev"}
    )
    assert [(p.document_id, p.query, p.masked) for p in pairs] == [
        ("a", "shown in training", ""),
        ("a", "hidden in training", "hidden"),
        ("a", "three key words", ""),
        ("b", "shown in training", "shown"),
        ("b", "hidden in training", "hidden"),
    ]


def test_one_query_of_several_passages_is_one_query() -> None:
    made = [[Query("name", "os path", "os.path")], [Query("span", "OS Path", "OS Path")]]
    pairs = pair_queries("structure", [entry("a", 0), entry("a", 1)], made, {"a": "dev"})
    assert len({p.query_id for p in pairs}) == len({p.query for p in pairs}) == 1
    assert [(p.passage_id, p.masked) for p in pairs] == [("a#0", "os.path"), ("a#1", "OS Path")]


def test_a_query_for_two_documents_is_ambiguous_unless_a_person_asked() -> None:
    asked = pair("os path get size", "c", origin="human")
    kept, aside = part_ambiguous(
        [pair("Parental leave", "a"), pair("parental leave!", "b"), asked, pair("clear", "a")]
    )
    assert [p.query for p in kept] == ["os path get size", "clear"]
    assert [each.reason for each in aside] == [
        "ambiguous: asks for b too",
        "ambiguous: asks for a too",
    ]
    kept, _ = part_ambiguous([asked, pair("os.path.getSize", "d")])
    assert kept == [asked]


def test_training_drops_what_evaluation_asks() -> None:
    kept, aside = part_evaluated(
        [pair("Same words", "a", origin="human"), pair("same words?", "b", "test", "human")]
    )
    assert [p.document_id for p in kept] == ["b"]
    assert aside[0].reason == "asked in evaluation too"


def test_limits_count_queries_and_spare_people() -> None:
    pairs = [pair(f"query {n}", f"d{n}", "dev") for n in range(20)]
    pairs += [pair(f"query {n}", f"d{n}", "dev", "human") for n in range(9)]
    pairs += [pair("trained on", "t")]
    kept = limit_made(pairs, {"dev": 5, "test": 0}, seed=0)
    assert sum(p.origin != "human" and p.split == "dev" for p in kept) == 5
    assert sum(p.origin == "human" for p in kept) == 9
    assert sum(p.split == "train" for p in kept) == 1
    fewer = limit_made([p for p in pairs if p.document_id != "d3"], {"dev": 5}, seed=0)
    made = {p.query_id for p in kept if p.origin != "human"}
    assert len(made & {p.query_id for p in fewer}) >= len(made) - 1


@pytest.mark.parametrize(
    ("trained", "evaluated", "what"),
    [
        (pair("one", "a"), pair("two", "a", "dev"), "document 'a'"),
        (pair("one", "a"), pair("One.", "b", "test"), "query 'one'"),
    ],
)
def test_leaks_are_found(trained: Pair, evaluated: Pair, what: str) -> None:
    with pytest.raises(ValueError, match=what):
        check_apart([trained, evaluated])
    check_apart([trained])
    check_apart([evaluated])
