"""Splits: decided by each document alone, in the shares asked for, empty only if too few."""

import random
from collections import Counter

import pytest

from tasks.core.splits import Split, assign_splits, draw, find_straddling


def split(
    ids: list[str],
    evaluation: dict[str, Split] | None = None,
    dev: float = 0.05,
    test: float = 0.05,
) -> dict[str, Split]:
    return assign_splits(ids, evaluation or {}, dev_fraction=dev, test_fraction=test)


def test_draws_are_even() -> None:
    tenths = Counter(int(10 * draw("x", number)) for number in range(20_000))
    assert set(tenths) == set(range(10))
    assert max(tenths.values()) < 1.1 * min(tenths.values())


@pytest.mark.parametrize(("dev", "test"), [(0.05, 0.05), (0.2, 0.1), (0.0, 0.3)])
def test_shares_are_those_asked_for(dev: float, test: float) -> None:
    found = Counter(split([f"d{n}" for n in range(10_000)], dev=dev, test=test).values())
    assert found["dev"] / 10_000 == pytest.approx(dev, abs=0.01)
    assert found["test"] / 10_000 == pytest.approx(test, abs=0.01)


def test_no_document_moves_when_others_come_go_or_change_places() -> None:
    ids = [f"folder/page-{n}.md" for n in range(400)]
    before = split(ids)
    chance = random.Random(0)
    for _ in range(20):
        some = chance.sample(ids, 300) + [f"new-{chance.random()}" for _ in range(50)]
        after = split(some)
        assert all(after[name] == before[name] for name in some if name in before)


def test_larger_evaluation_sends_none_back_to_training() -> None:
    ids = [f"d{n}" for n in range(2000)]
    less, more = split(ids, test=0.05), split(ids, test=0.1)
    assert all(more[name] == "test" for name in ids if less[name] == "test")


@pytest.mark.parametrize("number", [40, 41, 57, 80, 150])
def test_small_corpora_have_dev_and_test_too(number: int) -> None:
    for name in "abcdefgh":
        found = Counter(split([f"{name}{n}" for n in range(number)]).values())
        assert found["dev"] >= 3
        assert found["test"] >= 3
        assert found["train"] > number / 2


def test_tiny_corpora_keep_most_for_training() -> None:
    assert Counter(split([f"d{n}" for n in range(5)], dev=0.01, test=0.01).values()) == {"train": 5}


def test_no_fraction_means_none() -> None:
    assert set(split([f"d{n}" for n in range(100)], dev=0, test=0).values()) == {"train"}


def test_what_people_asked_about_goes_where_they_asked() -> None:
    ids = [f"d{n}" for n in range(500)]
    claimed: dict[str, Split] = {"d1": "test", "d2": "dev", "d3": "test"}
    found = split(ids, claimed)
    assert {name: found[name] for name in claimed} == claimed
    others = split(ids)
    assert all(found[name] == others[name] for name in ids if name not in claimed)


def test_nothing_to_train_on_is_refused() -> None:
    with pytest.raises(ValueError, match="leave nothing to train on"):
        split(["a"], dev=0.5, test=0.5)


def test_a_family_is_in_the_split_of_the_id_that_stands_for_it() -> None:
    ids = [f"d{n}" for n in range(900)]
    families = {f"d{n}": f"d{n - n % 3}" for n in range(900)}
    alone = assign_splits(ids, {}, dev_fraction=0.2, test_fraction=0.2)
    found = assign_splits(ids, {}, dev_fraction=0.2, test_fraction=0.2, families=families)
    assert all(found[name] == alone[families[name]] for name in ids)
    assert any(found[name] != alone[name] for name in ids)


def test_no_family_moves_when_documents_come_and_go() -> None:
    ids = [f"d{n:03}" for n in range(900)]
    families = {name: f"d{n - n % 3:03}" for n, name in enumerate(ids)}
    before = assign_splits(ids, {}, dev_fraction=0.1, test_fraction=0.1, families=families)
    chance = random.Random(1)
    for _ in range(10):
        some = [*chance.sample(ids, 700), "e1", "e2"]
        grown = {**families, "e1": "d003", "e2": "e2"}
        after = assign_splits(some, {}, dev_fraction=0.1, test_fraction=0.1, families=grown)
        assert all(after[name] == before[name] for name in some if name in before)
        assert after["e1"] == before["d003"]


def test_a_claimed_document_takes_its_family_along() -> None:
    families = {"a": "a", "b": "a", "c": "c"}
    claimed: dict[str, Split] = {"b": "test", "a": "dev"}
    found = assign_splits(list("abc"), claimed, dev_fraction=0, test_fraction=0, families=families)
    assert found == {"a": "test", "b": "test", "c": "train"}


def test_straddling_clusters_agree_with_a_slow_reference() -> None:
    chance = random.Random(2)
    for _ in range(100):
        documents = [f"d{chance.randrange(8)}" for _ in range(30)]
        clusters = [f"c{chance.randrange(15)}" for _ in range(30)]
        splits: dict[str, Split] = {
            f"d{n}": chance.choice(["train", "dev", "test"]) for n in range(6)
        }
        told = list(zip(clusters, documents, strict=True))
        expected = {
            cluster
            for cluster in clusters
            if len({splits[d] for c, d in told if c == cluster and d in splits}) > 1
        }
        assert find_straddling(clusters, documents, splits) == expected
