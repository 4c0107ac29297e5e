"""draw: one page per dataset, the same for the same dataset."""

from collections.abc import Callable
from pathlib import Path

import pytest
from bs4 import BeautifulSoup

from tasks.draw import draw
from tests.page.conftest import HOSTILE, Nouns, build_dataset


@pytest.fixture
def make_dataset(tmp_path: Path) -> Callable[..., Nouns]:
    return lambda *arguments, **options: build_dataset(tmp_path / "root", *arguments, **options)


def test_the_page_has_every_part(make_dataset: Callable[..., Nouns]) -> None:
    page = draw.fn(*make_dataset())
    soup = BeautifulSoup(page.html.read_text(), "html.parser")
    titles = [heading.get_text() for heading in soup.find_all("h2")]
    assert titles == [
        "At a glance", "Passage lengths", "Sources", "Near-duplicates", "Set aside while reading",
        "Queries", "Filters", "Queries set aside", "Hard negatives", "Scores",
        "Training rows to read", "Work done and numbers as recorded",
    ]  # fmt: skip
    assert all(f"## {title}".replace("-", "\\-") in page.markdown for title in titles)
    assert len(soup.find_all("details")) == len(HOSTILE) + 4
    assert len(soup.find_all("img")) == page.markdown.count("](data:image/svg+xml;base64,") == 5
    assert "Only 0 dev queries" in page.facts["warnings"][0]


def test_a_hostile_dataset_gets_the_markup_of_a_harmless_one(
    make_dataset: Callable[..., Nouns],
) -> None:
    found = draw.fn(
        *make_dataset(tuple(f"text {number} {text}" for number, text in enumerate(HOSTILE)))
    )
    harmless = draw.fn(*make_dataset(tuple(f"text {number}" for number in range(len(HOSTILE)))))
    markup = [
        sorted({tag.name for tag in BeautifulSoup(page.html.read_text(), "html.parser").find_all()})
        for page in (found, harmless)
    ]
    assert markup[0] == markup[1]


def test_the_same_dataset_gets_the_same_page(make_dataset: Callable[..., Nouns]) -> None:
    nouns = make_dataset()
    assert draw.fn(*nouns).fingerprint == draw.fn(*nouns).fingerprint


def test_facts_that_are_missing_are_no_obstacle(make_dataset: Callable[..., Nouns]) -> None:
    bare = [noun.model_copy(update={"facts": {}}) for noun in make_dataset()]
    assert draw.fn(*bare).html.exists()


def test_one_text_more_is_another_page(make_dataset: Callable[..., Nouns]) -> None:
    first = draw.fn(*make_dataset(HOSTILE[:5]))
    assert draw.fn(*make_dataset(HOSTILE[:6])).fingerprint != first.fingerprint
