"""Filters: what each takes away and leaves, and that its yield adds up."""

from functools import partial

import pytest

from tasks.core.filters import (
    find_ambiguous,
    find_copies,
    find_evaluated,
    find_general,
    limit_made,
    sift,
    sift_all,
)
from tasks.core.pairs import Pair, wording
from tasks.core.vocabulary import Vocabulary


def make_pair(
    query: str, document: str, split: str = "train", origin: str = "local", masked: str = ""
) -> Pair:
    return Pair(
        f"{origin}:{document}:{wording(query)}", query, f"{document}#0", 1, origin,
        split,  # type: ignore[arg-type]
        masked, 1.0, document, f"{document}#0", "here", "span",
    )  # fmt: skip


def test_a_query_for_two_documents_is_ambiguous_unless_a_person_asked() -> None:
    asked = make_pair("os path get size", "c", origin="human")
    clicked = make_pair("os path get size", "e", origin="clicks")
    made = [make_pair("Parental leave", "a"), make_pair("parental leave!", "b")]
    reasons = find_ambiguous([*made, asked, clicked, make_pair("clear", "a")])
    assert reasons == {
        made[0].query_id: "ambiguous: asks for b too",
        made[1].query_id: "ambiguous: asks for a too",
    }
    made = [make_pair("os.path.getSize", "d")]
    assert set(find_ambiguous([asked, *made])) == {made[0].query_id}


def test_one_query_that_near_copies_answer_is_not_ambiguous() -> None:
    pair = make_pair("wait for the lock", "a")
    assert not find_ambiguous([pair, pair._replace(document_id="b", passage_id="b#0")])


def test_training_drops_what_evaluation_asks() -> None:
    same = make_pair("Same words", "a", origin="human")
    assert set(find_evaluated([same, make_pair("same words?", "b", "test", "human")])) == {
        same.query_id
    }


PASSAGE = "The lock is held until the process ends. Others wait for it in the order they came."


@pytest.mark.parametrize(
    ("query", "masked", "is_copy"),
    [
        ("the lock is held until the process ends", "", True),
        ("Why is the lock held until the process ends?", "", False),  # the verb moved
        ("so the lock is held until the process ends", "", True),  # 8 of 9 words in a row
        ("the lock is held until the process ends", "The lock is held until the process ends.",
         False),  # hidden from the model
        ("lock is held until", "", False),  # too short to say
        ("who has to wait when another process holds the lock", "", False),
    ],
)  # fmt: skip
def test_copies_are_judged_by_what_training_sees(query: str, masked: str, is_copy: bool) -> None:
    pairs = [make_pair(query, "a", masked=masked)]
    assert bool(find_copies(pairs, {"a#0": PASSAGE}, 0.8)) == is_copy
    assert not find_copies(pairs, {"a#0": PASSAGE}, 1.0)
    asked = [pair._replace(origin="human") for pair in pairs]
    assert not find_copies(asked, {"a#0": PASSAGE}, 0.8)


def test_copies_agree_with_a_slow_reference() -> None:
    words = PASSAGE.lower().replace(".", "").split()
    queries = [
        words[start:stop] + extra
        for start in range(len(words))
        for stop in range(start, len(words))
        for extra in ([], ["apart"], ["apart", "altogether"])
    ]
    for query in queries:
        run = max(
            (n for n in range(len(query) + 1) for i in range(len(query) - n + 1)
             if any(words[j : j + n] == query[i : i + n] for j in range(len(words)))),
            default=0,
        )  # fmt: skip
        found = find_copies([make_pair(" ".join(query), "a")], {"a#0": PASSAGE}, 0.75)
        assert bool(found) == (len(query) >= 6 and run > 0.75 * len(query))


def test_general_queries_lack_rare_words() -> None:
    vocabulary = Vocabulary(1024, {"the": 1000, "system": 256, "lock": 256, "flock": 4})
    pairs = [
        make_pair("the system", "a"),
        make_pair("the system lock", "a"),
        make_pair("system flock", "a"),
        make_pair("the system", "b", origin="human"),
    ]
    found = find_general(pairs, vocabulary, 5)
    assert found == {
        pairs[0].query_id: "too general: may suit one document in 4",
        pairs[1].query_id: "too general: may suit one document in 16",
    }
    assert not find_general(pairs, vocabulary, 0)


def test_yields_add_up_and_nothing_vanishes() -> None:
    pairs = [make_pair(f"query {n}", f"d{n % 7}") for n in range(40)]
    pairs += [pair._replace(passage_id="other#1") for pair in pairs[:5]]
    odd = {pair.query_id: "odd: it is" for pair in pairs if int(pair.query.split()[1]) % 2}
    kept, aside, told = sift(pairs, "odd", odd)
    assert (told.before, told.removed, len(aside)) == (40, 20, 20)
    assert len(told.examples) == 5
    assert {pair.query_id for pair in kept}.isdisjoint(odd)
    assert len({pair.query_id for pair in kept}) == told.before - told.removed
    left, gone, both = sift_all(
        pairs, [("odd", lambda some: odd), ("ambiguous", partial(find_ambiguous))]
    )
    assert [each.name for each in both] == ["odd", "ambiguous"]
    assert both[1].before == both[0].before - both[0].removed
    assert len(gone) == sum(each.removed for each in both)
    assert len({pair.query_id for pair in left}) == 40 - len(gone)


def test_limits_count_queries_and_spare_people() -> None:
    pairs = [make_pair(f"query {n}", f"d{n}", "dev") for n in range(20)]
    pairs += [make_pair(f"query {n}", f"d{n}", "dev", "human") for n in range(9)]
    pairs += [make_pair("trained on", "t")]
    kept = limit_made(pairs, {"dev": 5, "test": 0}, seed=0)
    assert sum(p.origin != "human" and p.split == "dev" for p in kept) == 5
    assert sum(p.origin == "human" for p in kept) == 9
    assert sum(p.split == "train" for p in kept) == 1
    fewer = limit_made([p for p in pairs if p.document_id != "d3"], {"dev": 5}, seed=0)
    made = {p.query_id for p in kept if p.origin != "human"}
    assert len(made & {p.query_id for p in fewer}) >= len(made) - 1
