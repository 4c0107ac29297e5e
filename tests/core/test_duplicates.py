"""Families: documents that share much, in whatever order they come."""

import random

import pytest

from tasks.core.duplicates import MANY, find_families


def slowly(contents: dict[str, set[str]]) -> dict[str, str]:
    """Compare every document with every other, and follow the links."""
    families = {name: name for name in contents}
    for _ in contents:
        for one, here in contents.items():
            for two, there in contents.items():
                if 2 * len(here & there) >= min(len(here), len(there)):
                    least = min(families[one], families[two])
                    families[one] = families[two] = least
    return families


def find(contents: dict[str, set[str]]) -> dict[str, str]:
    told = [(name, cluster) for name, content in contents.items() for cluster in sorted(content)]
    return find_families(*zip(*told, strict=True))


@pytest.mark.parametrize("seed", range(20))
def test_families_are_those_of_comparing_all_with_all(seed: int) -> None:
    rng = random.Random(seed)
    contents = {
        f"d{number:02}": {f"c{rng.randrange(60)}" for _ in range(rng.randrange(1, 7))}
        for number in range(40)
    }
    assert find(contents) == slowly(contents)
    assert 1 < len(set(find(contents).values())) < 40


def test_half_of_the_smaller_document_is_enough_and_less_is_not() -> None:
    large = {f"c{number}" for number in range(10)}
    assert find({"a": large, "b": {"c0", "c1", "x", "y"}}) == {"a": "a", "b": "a"}
    assert find({"a": large, "b": {"c0", "x", "y"}}) == {"a": "a", "b": "b"}


def test_the_order_of_passages_changes_nothing() -> None:
    documents, clusters = list("aabbbccd"), list("12231145")
    order = random.Random(0).sample(range(8), 8)
    shuffled = find_families([documents[i] for i in order], [clusters[i] for i in order])
    assert shuffled == find_families(documents, clusters)


def test_a_footer_makes_no_family() -> None:
    pages = {f"p{number:02}": {f"own {number}", "footer"} for number in range(MANY + 1)}
    assert find(pages) == {name: name for name in pages}
    few = dict(list(pages.items())[:MANY])
    assert set(find(few).values()) == {"p00"}


def test_many_versions_of_a_document_are_a_family() -> None:
    same = {f"c{number}" for number in range(6)}
    versions = {f"v{number:02}": {*same, f"own {number}"} for number in range(2 * MANY)}
    assert set(find(versions).values()) == {"v00"}


def test_a_document_that_is_nothing_but_common_is_of_their_family() -> None:
    copies = {f"d{number:02}": {"all of it"} for number in range(2 * MANY)}
    assert set(find(copies).values()) == {"d00"}
    assert find_families([], []) == {}
