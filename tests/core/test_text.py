"""What a model sees of a passage: title, heading, and text, each once; and what is hidden."""

import pytest

from tasks.core.text import compose, mask


@pytest.mark.parametrize(
    ("title", "section", "text", "expected"),
    [
        ("T", "A > B", "text", "T\nA > B\ntext"),
        ("T", "", "text", "T\ntext"),
        ("", "A", "text", "A\ntext"),
        ("", "", "text", "text"),
        ("T", "T", "text", "T\ntext"),  # a section that is the title
        ("T", "A", "T begins the text", "A\nT begins the text"),
        ("T", "", "T", "T"),
        ("json.dump", "", "json.dumps is another", "json.dump\njson.dumps is another"),
        ("a(b", "", "a(b) is no pattern", "a(b) is no pattern"),
    ],
)
def test_compose(title: str, section: str, text: str, expected: str) -> None:
    assert compose(title, section, text) == expected


@pytest.mark.parametrize(
    ("composed", "masked", "expected"),
    [
        ("One. Two. Three.", "Two.", "One. Three."),
        ("T\nOne. Two.", "One.", "T\nTwo."),
        ("T\nOne. Two.", "Two.", "T\nOne."),
        ("Two\nOne Two and Two", "Two", "One and"),
        ("One. Two.", " Two. ", "One."),
        ("a.b and axb", "a.b", "and axb"),  # no pattern
        ("One  two", "", "One  two"),
        ("One  two", "  ", "One  two"),
        ("One  two", "absent", "One  two"),
    ],
)
def test_mask_hides_every_occurrence_and_closes_the_gap(
    composed: str, masked: str, expected: str
) -> None:
    assert mask(composed, masked) == expected
