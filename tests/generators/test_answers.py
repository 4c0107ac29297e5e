"""What of an answer is a query, and why the rest is not."""

import json

import pytest

from tasks.generators.answers import read_answer

PASSAGE = "In this study the authors measured how fast a lock is given to the next process."


@pytest.mark.parametrize(
    ("query", "reason"),
    [
        ("how fast is a lock given to the next process", ""),
        ("what was the study about", "speaks of the passage"),
        ("limitations of this study", "speaks of the passage"),
        ("what did the authors measure", "speaks of the passage"),
        ("the study of locks in operating systems", ""),
        ("case study of slow locks", ""),
        ("what does this passage say about locks", "speaks of the passage"),
    ],
)
def test_a_query_is_asked_by_one_who_has_not_seen_the_passage(query: str, reason: str) -> None:
    made = read_answer(json.dumps([query]), PASSAGE, count=1)
    assert [kept.text for kept in made.queries] == ([] if reason else [query])
    assert [told.partition(":")[0] for told in made.reasons] == ([reason] if reason else [])
