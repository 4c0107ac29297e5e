"""Few-shot examples: only of training, the passage that answers, and stable."""

from tasks.core.few_shot import choose_examples
from tasks.core.pairs import Pair
from tasks.core.vocabulary import Vocabulary

TEXTS = {
    f"d{n}#{place}": f"Document {n} says {what} about topic{n} and part{place}x{n}."
    for n in range(40)
    for place, what in enumerate(["little", "something", "everything"])
}
VOCABULARY = Vocabulary.count([text] for text in TEXTS.values())


def make_pairs(
    number: int, place: int, *, split: str = "train", origin: str = "human", copy: int = 0
) -> list[Pair]:
    """Pair a question about one passage with all passages of its document, as judgments are."""
    query = f"what is part{place}x{number} {copy}"
    return [
        Pair(
            f"{origin}:{number}:{copy}", query, f"d{number}#{each}", 1, origin,
            split,  # type: ignore[arg-type]
            "", 1.0, f"d{number}", f"d{number}#{each}", "here", origin,
        )
        for each in range(3)
    ]  # fmt: skip


def choose(
    pairs: list[Pair], passages: int = 3, **changes: int
) -> list[tuple[str, tuple[str, ...]]]:
    return choose_examples(pairs, TEXTS, VOCABULARY, passages=passages, queries=2, **changes)


def test_the_passage_shown_is_the_one_that_answers() -> None:
    pairs = [pair for n in range(9) for pair in make_pairs(n, n % 3)]
    chosen = choose(pairs, 9)
    assert len(chosen) == 9
    for text, queries in chosen:
        assert all(query.split()[2] in text for query in queries)


def test_nothing_of_evaluation_is_shown() -> None:
    pairs = make_pairs(0, 0, split="dev") + make_pairs(1, 0, split="test") + make_pairs(2, 1)
    made = [pair._replace(origin="structure") for pair in make_pairs(3, 1)]
    assert [text for text, _ in choose(pairs + made)] == [TEXTS["d2#1"]]


def test_judged_before_clicked_and_passages_with_more_questions_first() -> None:
    pairs = make_pairs(0, 0, origin="clicks") + make_pairs(1, 1)
    pairs += make_pairs(2, 2) + make_pairs(2, 2, copy=1) + make_pairs(2, 2, copy=2)
    chosen = choose(pairs)
    assert [text for text, _ in chosen] == [TEXTS["d2#2"], TEXTS["d1#1"], TEXTS["d0#0"]]
    assert [len(queries) for _, queries in chosen] == [2, 1, 1]


def test_one_passage_of_a_document() -> None:
    assert len(choose(make_pairs(5, 0) + make_pairs(5, 1, copy=1))) == 1


def test_a_further_question_seldom_changes_the_choice() -> None:
    pairs = [pair for n in range(39) for pair in make_pairs(n, n % 3)]
    before = choose(pairs)
    assert before == choose(pairs[::-1])
    after = choose(pairs + make_pairs(39, 0))
    assert len(set(before) & set(after)) >= 2
    assert choose(pairs, seed=1) != before


def test_none_without_people() -> None:
    assert choose([pair._replace(origin="local") for pair in make_pairs(1, 1)]) == []
    assert choose(make_pairs(1, 1), passages=0) == []


def test_long_passages_are_not_shown() -> None:
    texts = dict.fromkeys(TEXTS, "part1x1 " * 300)
    vocabulary = Vocabulary.count([text] for text in texts.values())
    assert not choose_examples(make_pairs(1, 1), texts, vocabulary, passages=3, queries=2)
