"""Answers as models write them: whole, wrapped, cut off, and hostile."""

import json
import random
from collections import Counter

import pytest

from tasks.generators.answers import read_answer
from tasks.generators.examples import EXAMPLES
from tasks.generators.kinds import KINDS, tell_kind, wanted_kinds
from tasks.generators.parse_answer import parse_answer
from tasks.generators.prompts import show

WANTED = [("keywords", "pump hum"), ("question", "why is it loud"), ("situation", "it hums a lot")]
OBJECTS = [{"kind": kind, "query": query} for kind, query in WANTED]


@pytest.mark.parametrize(
    "answer",
    [
        json.dumps(OBJECTS),
        f"Sure [as asked]:\n```json\n{json.dumps(OBJECTS, indent=2)}\n```\nAnything else?",
        "\n".join(json.dumps(each) for each in OBJECTS),
        ",".join(json.dumps(each) for each in OBJECTS),
        json.dumps({"queries": OBJECTS}),
        json.dumps({kind: query for kind, query in WANTED}),
        json.dumps({f"{kind}s".replace("ss", "s"): [query] for kind, query in WANTED}),
        json.dumps([{kind: query} for kind, query in WANTED]),
        json.dumps([{"type": kind.upper(), "text": query} for kind, query in WANTED]),
        json.dumps(OBJECTS)[:-1] + ', {"kind": "question", "que',
        json.dumps(OBJECTS)[:-1] + ",]",
        "\n".join(f"{n}. **{kind.title()}**: {query}" for n, (kind, query) in enumerate(WANTED, 1)),
        "\n".join(f"{kind}: {query}" for kind, query in WANTED),
        "Here:\n\n" + "\n".join(f"- ({kind}) - {query}" for kind, query in WANTED),
    ],
)
def test_kinds_are_read_however_wrapped(answer: str) -> None:
    assert parse_answer(answer) == WANTED


def test_a_kind_that_is_not_told_is_told_by_form() -> None:
    answer = '["how long does it run", "run time pump", "my pump stops"]'
    assert [kind for kind, _ in parse_answer(answer)] == ["question", "keywords", "situation"]
    assert parse_answer('[{"kind": "poem", "query": "pump hum"}]') == [("keywords", "pump hum")]


def test_of_a_cut_answer_only_what_was_finished_counts() -> None:
    whole = json.dumps(OBJECTS, indent=1)
    for size in range(len(whole)):
        found = parse_answer(whole[:size])
        assert found == WANTED[: len(found)]


def test_what_no_file_can_hold_is_left_out() -> None:
    assert parse_answer('["pump\\ud800 hum\\u0000s\\n now", "a\\u0085b c"]') == [
        ("keywords", "pump hum s now"),
        ("keywords", "a b c"),
    ]


@pytest.mark.parametrize(
    "answer",
    ["[" * 90_000, "{" * 90_000, "[" * 400 + '"a b"' + "]" * 400, '{"a":' * 90_000, "[" * 5 + "]",
     "<think>" * 20_000, '["' * 40_000, "1. " * 30_000, "* " * 40_000 + "(" * 40_000],
)  # fmt: skip
def test_hostile_answers_end_soon(answer: str) -> None:
    parse_answer(answer)


def test_mutated_answers_never_fail() -> None:
    rng = random.Random(0)
    seeds = [json.dumps(OBJECTS), json.dumps({"queries": OBJECTS}), "1. a b\n2. question: c d"]
    pieces = [
        '"',
        "{",
        "}",
        "[",
        "]",
        ",",
        ":",
        "\\",
        "\\ud800",
        "\x00",
        "\n",
        "1e999",
        "null",
        "- ",
    ]
    for _ in range(2000):
        text = list(rng.choice(seeds))
        for _ in range(rng.randrange(1, 8)):
            place = rng.randrange(len(text) + 1)
            text[place : place + rng.randrange(3)] = rng.choice(pieces)
        made = read_answer("".join(text), "Pump 1\nIt hums when loose.", 3)
        assert made.queries or made.reasons
        for query in made.queries:
            assert query.text.encode() and query.kind in KINDS


def test_kinds_come_in_the_proportions_of_the_pool() -> None:
    pool = ["question"] * 6 + ["keywords"] * 3 + ["situation"]
    counts = Counter(kind for label in range(400) for kind in wanted_kinds(str(label), pool, 2))
    assert counts["question"] == pytest.approx(480, abs=40)
    assert counts["keywords"] == pytest.approx(240, abs=40)
    assert counts["situation"] == pytest.approx(80, abs=30)
    assert wanted_kinds("a", pool, 5) == wanted_kinds("a", pool[::-1], 5)


@pytest.mark.parametrize(
    ("query", "kind"),
    [
        ("heat pump defrost", "keywords"),
        ("Wie lange läuft die Pumpe", "question"),
        ("comment arrêter la pompe", "question"),
        ("泵为什么响", "question"),
        ("is it safe to touch", "question"),
        ("the pump is loud?", "question"),
        ("my pump is loud", "situation"),
        ("water comes out under the door after a storm", "situation"),
        ("Howard pump manual", "keywords"),
    ],
)
def test_people_do_not_say_the_kind(query: str, kind: str) -> None:
    assert tell_kind(query) == kind


def test_built_in_examples_show_two_of_each_kind() -> None:
    for _, queries in EXAMPLES:
        assert Counter(map(tell_kind, queries)) == {kind: 2 for kind in KINDS}
        assert {kind for kind, _ in show(queries, KINDS, 3)} == set(KINDS)
        assert {kind for kind, _ in show(queries, ["question"], 5)} == {"question"}
    assert show(["pump hum"], ["question"], 3) == [("keywords", "pump hum")]
