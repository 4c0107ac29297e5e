"""Batches: every passage once, hard negatives together, relations true, spans hidden."""

from collections.abc import Sequence

import numpy as np
import pytest

from tasks.core.batches import (
    Packing,
    Query,
    build_batch,
    group_queries,
    plan_epoch,
    relate,
)
from tasks.core.groups import gather_hardest

# Corpus rows 0-9; rows 0 and 1 are two passages of one document.
DOCUMENTS = np.array([0, 0, 1, 2, 3, 4, 5, 6, 7, 8])
TEXTS = [f"title {row}\nthe text of passage {row}" for row in range(10)]
QUERIES = [
    Query("q0", {0: "title 0"}, negatives=(2, 5, 6), unknown=frozenset({4})),
    Query("q1", {0: "passage 0"}, negatives=(3,)),
    Query("q2", {2: ""}, negatives=(0,)),
    Query("q3", {3: "", 4: ""}),
]
GROUPED = group_queries(QUERIES)


def slow_relations(
    queries: Sequence[Query], columns: Sequence[int], documents_of: np.ndarray
) -> list[list[int]]:
    """Decide for each query and each document, one after the other."""
    relations = []
    for query in queries:
        own = {int(documents_of[row]) for row in query.positives}
        relations.append(
            [
                1 if row in query.positives
                else 0 if row in query.unknown or int(documents_of[row]) in own
                else -1
                for row in columns
            ]
        )  # fmt: skip
    return relations


def build(rows: list[int], **changed: int):  # noqa: ANN201
    limits = {"queries_per_passage": 9, "negatives_per_passage": 1} | changed
    return build_batch(rows, GROUPED, TEXTS, DOCUMENTS, seed=(0,), **limits)


def test_every_passage_is_in_one_batch_and_the_seed_decides() -> None:
    grouped = {row: [Query(str(row), {row: ""})] for row in range(101)}
    plan = plan_epoch(grouped, passages_per_batch=10, neighbours=3, seed=(1, 2))
    assert sorted(row for rows in plan for row in rows) == list(range(101))
    assert all(len(rows) > 1 for rows in plan)
    assert plan == plan_epoch(grouped, passages_per_batch=10, neighbours=3, seed=(1, 2))
    assert plan != plan_epoch(grouped, passages_per_batch=10, neighbours=3, seed=(1, 3))


def test_hard_negatives_share_a_batch() -> None:
    partners = {row: row ^ 1 for row in range(100)}
    grouped = {row: [Query("", {row: ""}, negatives=(partners[row],))] for row in range(100)}

    def together(neighbours: int) -> int:
        plan = plan_epoch(grouped, passages_per_batch=10, neighbours=neighbours, seed=(0,))
        return sum(partners[row] in rows for rows in plan for row in rows)

    assert together(2) == 100
    assert together(1) < 40


def test_the_hardest_to_tell_apart_are_gathered_first() -> None:
    # Along a ring every passage is a weak negative of the next; its partner is a hard one.
    grouped = {
        row: [Query("", {row: ""}, negatives=(row ^ 1, (row + 1) % 100, 1000))] for row in range(99)
    }

    def count(packing: Packing) -> int:
        plan = plan_epoch(grouped, passages_per_batch=10, neighbours=2, seed=(0,), packing=packing)
        assert sorted(row for rows in plan for row in rows) == list(range(99))
        return sum(row ^ 1 in rows for rows in plan for row in rows)

    assert count("hardest") > 90  # a batch may end between two
    ring = {row: [Query("", {row: ""}, negatives=((row + 1) % 99,))] for row in range(99)}
    grouped = {row: [*ring[row], *queries] for row, queries in grouped.items()}
    assert count("drawn") < count("hardest") - 10


@pytest.mark.parametrize("size", [1, 2, 3, 7, 200])
def test_gathered_groups_are_those_of_a_slow_search(size: int) -> None:
    random = np.random.default_rng(size)
    grouped = {
        row: [Query("", {row: ""}, negatives=tuple(random.permutation(60)[:4].tolist()))]
        for row in range(50)
    }
    groups = gather_hardest(grouped, size, np.random.default_rng(0))
    assert sorted(row for group in groups for row in group) == list(range(50))
    assert max(map(len, groups)) <= size
    firmness: dict[frozenset[int], float] = {}
    for row, (query,) in grouped.items():
        for rank, negative in enumerate(query.negatives, 1):
            pair = frozenset({row, negative})
            if len(pair) == 2 and negative in grouped:
                firmness[pair] = firmness.get(pair, 0) + 1 / rank
    place_of = {row: number for number, group in enumerate(groups) for row in group}
    strongest = sorted(firmness.values())[-1]
    for pair, firm in firmness.items():
        one, other = (place_of[row] for row in pair)
        if size >= 2 and firm == strongest:
            assert one == other
        if one != other:  # nothing that still fits together is left apart
            assert len(groups[one]) + len(groups[other]) > size


def test_a_document_is_there_once_with_all_its_queries_cut_out() -> None:
    batch = build([0, 2])
    assert len(batch.documents) == len(set(batch.documents))
    assert "title 0" not in batch.documents[0] and "passage 0" not in batch.documents[0]
    assert sorted(batch.queries) == ["q0", "q1", "q2"]


def test_negatives_are_added_only_if_they_are_not_there() -> None:
    assert len(build([0, 2], negatives_per_passage=0).documents) == 2
    added = build([0, 2], negatives_per_passage=1).documents[2:]
    assert len(added) == 1 and added[0] in {TEXTS[3], TEXTS[5]}


def test_queries_of_a_passage_are_bounded() -> None:
    assert len(build([0, 2], queries_per_passage=1).queries) == 2


def test_relations_tell_positive_negative_and_unknown() -> None:
    found = relate(QUERIES[:1] + QUERIES[3:], [0, 1, 2, 3, 4], DOCUMENTS)
    #               own  same document  mined  random  likely false negative
    assert found[0].tolist() == [1, 0, -1, -1, 0]
    assert found[1].tolist() == [-1, -1, -1, 1, 1]


@pytest.mark.parametrize("seed", range(20))
def test_relations_are_those_found_one_by_one(seed: int) -> None:
    random = np.random.default_rng(seed)
    rows = int(random.integers(1, 60))
    documents_of = random.integers(0, 1 + rows // 3, rows)

    def some(most: int) -> list[int]:
        return random.integers(0, rows, random.integers(0, most + 1)).tolist()

    queries = [
        Query("", dict.fromkeys(some(3), ""), unknown=frozenset(some(9))) for _ in range(seed)
    ]
    columns = random.permutation(rows)[: random.integers(0, rows + 1)].tolist()
    columns += columns[: seed % 3]
    found = relate(queries, columns, documents_of)
    assert found.dtype == np.int8 and found.shape == (len(queries), len(columns))
    assert found.tolist() == slow_relations(queries, columns, documents_of)


def test_a_query_of_two_passages_is_asked_once() -> None:
    batch = build([3, 4])
    assert batch.queries == ["q3"]
    assert batch.relations[0, :2].tolist() == [1, 1]
