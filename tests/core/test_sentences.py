"""Sentences: prose is found in place, code and lists of references are not."""

import pytest

from tasks.core.sentences import is_whole, sentences


def found(text: str) -> list[str]:
    return [text[slice(*span)] for span in sentences(text)]


def test_sentences_are_found_where_they_stand_over_line_ends() -> None:
    text = "Opens a file, e.g. one\nthat is locked.  It waits for\nas long as it takes!"
    assert found(text) == [
        "Opens a file, e.g. one\nthat is locked.",
        "It waits for\nas long as it takes!",
    ]


def test_items_of_a_list_are_sentences_of_their_own() -> None:
    text = "Before you start:\n\n- read the whole of the manual\n- switch the machine off first\n"
    assert found(text) == ["- read the whole of the manual", "- switch the machine off first"]


@pytest.mark.parametrize(
    "text",
    [
        ">>> value = open('file') and then read it all at once",
        "def lock(file, timeout=None): return file.lock(timeout).acquire()",
        "See https://example.org/a/very/long/address for all of the details",
        "Boily-Larouche, Geneviève; Iscache, Anne-Laure; Zijenah, Lynn S.; Humphrey, Jean H.",
        "| 1 | 2.5 | 3.7 | 4.9 | 5.0 |",
        "Too short this.",
        "",
    ],
)
def test_what_is_no_prose_is_left_out(text: str) -> None:
    assert found(text) == []


@pytest.mark.parametrize(
    ("stretch", "expected"),
    [
        ("stays open (see below) until closed", True),
        ("stays open (see below", False),
        ("in mice] were treated", False),
        ("Su et al., 2002; He, 2006; Yu et al., 2007", False),
    ],
)
def test_broken_stretches_are_known(stretch: str, expected: bool) -> None:
    assert is_whole(stretch) is expected
