"""Questions and documents split together: nothing evaluated is trained on."""

import random
from collections.abc import Mapping

from tasks.core.questions import Question, place_questions
from tasks.core.splits import Split, assign_splits

IDS = [f"d{number}" for number in range(300)]
BY_HASH = assign_splits(IDS, {}, dev_fraction=0.1, test_fraction=0.1)
TRAIN = [name for name in IDS if BY_HASH[name] == "train"]
DEV = [name for name in IDS if BY_HASH[name] == "dev"]
TEST = [name for name in IDS if BY_HASH[name] == "test"]


def ask(
    number: int, documents: list[str], split: Split = "train", open_splits: str = ""
) -> Question:
    relevances = dict.fromkeys(documents, 1)
    return Question(
        f"q{number}", f"?{number}", relevances, split, frozenset(open_splits.split()), ""
    )


def place(*questions: Question) -> tuple[dict[str, Split], Mapping[str, Split], set[str]]:
    kept, splits, aside = place_questions(questions, IDS, dev_fraction=0.1, test_fraction=0.1)
    return {q.query_id: q.split for q in kept}, splits, {item for item, _, _ in aside}


def test_published_questions_stay_and_claim_their_documents() -> None:
    placed, splits, aside = place(ask(1, TRAIN[:2], "test"), ask(2, [DEV[0]], "dev"))
    assert placed == {"q1": "test", "q2": "dev"}
    assert splits[TRAIN[0]] == splits[TRAIN[1]] == "test"
    assert not aside


def test_test_wins_over_dev() -> None:
    placed, splits, _ = place(ask(1, [TRAIN[0]], "dev"), ask(2, [TRAIN[0]], "test"))
    assert placed == {"q1": "dev", "q2": "test"}
    assert splits[TRAIN[0]] == "test"


def test_a_train_question_becomes_dev_where_there_is_none_and_the_hash_says_so() -> None:
    placed, _, aside = place(
        ask(1, [TRAIN[0]], open_splits="dev"), ask(2, [DEV[0]], open_splits="dev")
    )
    assert placed == {"q1": "train", "q2": "dev"}
    assert not aside


def test_published_splits_are_not_added_to() -> None:
    placed, _, aside = place(ask(1, [DEV[0]]), ask(2, [TEST[0]], open_splits="dev"))
    assert placed == {}
    assert aside == {"q1", "q2"}


def test_the_evaluation_side_wins_and_takes_the_other_document_along() -> None:
    placed, splits, _ = place(
        ask(1, [TRAIN[0], DEV[0]], open_splits="dev"),
        ask(2, [TRAIN[0], TRAIN[1]], open_splits="dev"),
        ask(3, [TRAIN[2]], open_splits="dev"),
    )
    assert placed == {"q1": "dev", "q2": "dev", "q3": "train"}
    assert splits[TRAIN[0]] == splits[TRAIN[1]] == "dev"


def test_no_train_question_ever_meets_an_evaluation_document() -> None:
    chance = random.Random(0)
    for _ in range(50):
        questions = [
            ask(
                number,
                chance.sample(IDS, chance.randint(1, 4)),
                chance.choice(["train", "train", "dev", "test"]),
                chance.choice(["", "dev", "dev test"]),
            )
            for number in range(chance.randint(1, 60))
        ]
        kept, splits, aside = place_questions(questions, IDS, dev_fraction=0.1, test_fraction=0.1)
        assert len(kept) + len(aside) == len(questions)
        for question in kept:
            found = {splits[name] for name in question.relevances}
            assert (question.split == "train") == (found == {"train"})
        given = {question.query_id: question.split for question in questions}
        assert all(q.split == given[q.query_id] for q in kept if given[q.query_id] != "train")


def test_near_copies_of_evaluated_documents_are_not_asked_about_in_training() -> None:
    families = {name: TRAIN[0] for name in TRAIN[:3]}
    kept, splits, aside = place_questions(
        [ask(1, [TRAIN[1]], "test"), ask(2, [TRAIN[2]]), ask(3, [TRAIN[3]])],
        IDS,
        dev_fraction=0.1,
        test_fraction=0.1,
        families=families,
    )
    assert {splits[name] for name in TRAIN[:3]} == {"test"}
    assert [question.query_id for question in kept] == ["q1", "q3"]
    assert [each.item for each in aside] == ["q2"]


def test_a_question_that_moves_takes_families_along() -> None:
    families = {TRAIN[0]: TRAIN[0], TRAIN[1]: TRAIN[0], TRAIN[2]: TRAIN[2], TRAIN[3]: TRAIN[2]}
    kept, splits, _ = place_questions(
        [
            ask(1, [DEV[0], TRAIN[1]], open_splits="dev"),
            ask(2, [TRAIN[0], TRAIN[3]], "train", "dev"),
        ],
        IDS,
        dev_fraction=0.1,
        test_fraction=0.1,
        families=families,
    )
    assert {question.split for question in kept} == {"dev"}
    assert {splits[name] for name in TRAIN[:4]} == {"dev"}
