"""Search equals a full sort, however queries are grouped and however many scores tie."""

import logging
from pathlib import Path

import numpy as np
import pytest

from tasks.core import flat as flat_module
from tasks.core import hits as hits_module
from tasks.core.flat import SPARE
from tasks.core.index import Hits, build_index, inner_products


def slow_search(queries: np.ndarray, vectors: np.ndarray, k: int) -> tuple[list, list]:
    rows, scores = [], []
    for query in queries.astype(np.float64):
        products = np.array([np.dot(query, v) for v in vectors.astype(np.float64)], np.float32)
        order = sorted(range(len(vectors)), key=lambda row: (-products[row], row))[:k]
        rows.append(order)
        scores.append(products[order].tolist())
    return rows, scores


def vectors(count: int, dimension: int = 48, seed: int = 0) -> np.ndarray:
    found = np.random.default_rng(seed).normal(size=(count, dimension)).astype(np.float32)
    return found / np.linalg.norm(found, axis=1, keepdims=True)


@pytest.mark.parametrize("k", [1, 10, 120, 300])  # FAISS takes another way from 100 on
def test_equals_a_full_sort(k: int) -> None:
    passages, queries = vectors(300), vectors(30, seed=1)
    rows, scores = build_index(passages).search(queries, k)
    expected_rows, expected_scores = slow_search(queries, passages, k)
    assert rows.tolist() == expected_rows
    np.testing.assert_allclose(scores, expected_scores, rtol=1e-6, atol=1e-7)


@pytest.mark.parametrize("block", [1, 7, 19, 20, 64])  # FAISS takes another way from 20 on
def test_grouping_of_queries_changes_no_bit(block: int) -> None:
    passages, queries = vectors(500), vectors(64, seed=1)
    index = build_index(passages)
    rows, scores = index.search(queries, 20)
    parts = [index.search(queries[i : i + block], 20) for i in range(0, 64, block)]
    assert np.array_equal(np.concatenate([part[0] for part in parts]), rows)
    assert np.array_equal(np.concatenate([part[1] for part in parts]), scores)


@pytest.mark.parametrize("block", [1, 30, 100])
def test_size_of_blocks_changes_no_bit(block: int, monkeypatch: pytest.MonkeyPatch) -> None:
    passages, queries = vectors(200), vectors(30, seed=1)
    whole = build_index(passages).search(queries, 20)
    monkeypatch.setattr(flat_module, "BLOCK_CELLS", {"CPU": block * 48, "GPU": block * 48})
    monkeypatch.setattr(flat_module, "QUERIES", {"CPU": 7, "GPU": 7})
    monkeypatch.setattr(hits_module, "PAIR_CELLS", 5 * 48)
    blocks = build_index(passages).search(queries, 20)
    assert np.array_equal(whole[0], blocks[0])
    assert np.array_equal(whole[1], blocks[1])


def test_number_of_threads_changes_no_bit() -> None:
    faiss = pytest.importorskip("faiss")
    passages, queries = vectors(3000), vectors(50, seed=1)
    threads, found = faiss.omp_get_max_threads(), []
    try:
        for count in (1, 2):
            faiss.omp_set_num_threads(count)
            found.append(build_index(passages).search(queries, 20))
    finally:
        faiss.omp_set_num_threads(threads)
    assert np.array_equal(found[0][0], found[1][0])
    assert np.array_equal(found[0][1], found[1][1])


def test_a_memory_map_is_searched_where_it_is(tmp_path: Path) -> None:
    passages, queries = vectors(300), vectors(9, seed=1)
    layers = np.memmap(tmp_path / "layers", np.float32, "w+", shape=(2, 300, 48))
    layers[1] = passages
    mapped = layers.swapaxes(0, 1)[:, 1]
    index = build_index(mapped)
    assert np.shares_memory(index.vectors, layers)
    assert np.array_equal(index.search(queries, 5)[1], build_index(passages).search(queries, 5)[1])


@pytest.mark.parametrize("k", [3, 110])
def test_equal_scores_come_in_order_of_rows(k: int) -> None:
    # two vectors, 1,500 times each: more than is ever fetched
    passages = np.tile(vectors(2), (1500, 1))
    rows, _ = build_index(passages).search(vectors(25, seed=1), k)
    products = vectors(25, seed=1) @ vectors(2).T
    for row, best in zip(rows, products.argmax(axis=1), strict=True):
        assert row.tolist() == [best + 2 * number for number in range(k)]


def test_shorter_index_than_k_is_padded() -> None:
    rows, scores = build_index(vectors(3)).search(vectors(2, seed=1), 5)
    assert (rows[:, :3] >= 0).all()
    assert (rows[:, 3:] == -1).all()
    assert np.isneginf(scores[:, 3:]).all()


def test_empty_index_and_no_queries() -> None:
    assert build_index(vectors(0)).search(vectors(2), 4)[0].tolist() == [[-1] * 4] * 2
    assert build_index(vectors(4)).search(vectors(0), 2)[0].shape == (0, 2)


def test_scores_are_those_of_the_search() -> None:
    index, queries = build_index(vectors(100)), vectors(9, seed=1)
    rows, scores = index.search(queries, 10)
    assert np.array_equal(index.score(queries, rows), scores)
    assert np.array_equal(inner_products(queries[:1], vectors(100)[rows[:1]]), scores[:1])


def test_advance_is_told_every_query(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(flat_module, "QUERIES", {"CPU": 4, "GPU": 4})
    told: list[int] = []
    build_index(vectors(100)).search(vectors(11), 5, advance=told.append)
    assert told == [4, 4, 3]


def change(
    passages: np.ndarray, gone: list[int], new: np.ndarray
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Remove vectors and put new ones in front: what is there, new rows of the old, added rows."""
    kept = np.setdiff1d(np.arange(len(passages)), gone)
    rows = np.full(len(passages), -1)
    rows[kept] = np.arange(len(kept)) + len(new)
    return np.concatenate([new, passages[kept]]), rows, np.arange(len(new))


@pytest.mark.parametrize("gone", [0, 1, SPARE // 2, SPARE + 10])
def test_an_update_is_a_fresh_search(gone: int) -> None:
    passages, queries = vectors(300), vectors(20, seed=1)
    passages[200:260] = passages[:60]  # equal scores
    index = build_index(passages)
    index.prepare(queries, np.arange(20), 10)
    known = index.find(queries, 10)
    hit = known.rows[0, known.rows[0] >= 0][:gone].tolist()  # the first query loses its best
    now, renumbered, added = change(passages, hit, vectors(7, seed=2))
    after = build_index(now)
    after.prepare(queries, np.arange(20), 10)
    found, afresh = after.update(queries, 10, known.renumber(renumbered), added)
    rows, scores = build_index(now).search(queries, 10)
    assert np.array_equal(found.rows[:, :10], rows)
    assert np.array_equal(found.scores[:, :10], scores)
    assert (afresh > 0) == (gone > SPARE)


def test_an_update_looks_at_what_was_added_alone() -> None:
    passages, queries = vectors(300), vectors(20, seed=1)
    index = build_index(passages)
    index.prepare(queries, np.arange(20), 10)
    known = index.find(queries, 10)
    wrong = Hits(known.rows, known.scores, known.floors)
    wrong.rows[:, 0] = 299  # whoever looked at all vectors would not believe this
    rows = index.update(queries, 10, wrong, np.array([], dtype=np.int64))[0].rows
    assert (rows[:, 0] == 299).all()


def clustered(count: int, seed: int) -> np.ndarray:
    noise = vectors(count, seed=seed)
    return np.ascontiguousarray(vectors(40, seed=9)[np.arange(count) % 40] + 0.3 * noise)


def test_cells_find_nearly_all_and_tell_how_much(caplog: pytest.LogCaptureFixture) -> None:
    passages, queries = clustered(20_000, 0), clustered(400, 1)
    index = build_index(passages, kind="ivf")
    with caplog.at_level(logging.INFO):
        rows, scores = index.search(queries, 10)
    exact, exact_scores = build_index(passages, kind="flat").search(queries, 10)
    recall = np.mean([len(set(a) & set(b)) / 10 for a, b in zip(rows, exact, strict=True)])
    assert index.facts["kind"] == "ivf"
    assert recall >= 0.97
    assert float(str(index.facts["recall"])) >= 0.99
    assert int(str(index.facts["probed"])) < int(str(index.facts["cells"])) / 2
    assert f"{index.facts['recall']:.4f}" in caplog.text
    same = rows == exact
    assert np.array_equal(scores[same], exact_scores[same])


@pytest.mark.parametrize(
    ("settings", "queries", "kind"),
    [
        ({}, 900, "flat"),  # few vectors
        ({"exact_vectors": 999}, 900, "ivf"),
        ({"exact_vectors": 999}, 300, "flat"),  # to make cells would cost more
        ({"exact_vectors": 999, "kind": "flat"}, 900, "flat"),
        ({"kind": "ivf"}, 300, "ivf"),
        ({"kind": "ivf"}, 200, "flat"),  # no more than the sample, which is searched exactly
    ],
)
def test_kind_is_chosen_by_size(settings: dict, queries: int, kind: str) -> None:
    index = build_index(clustered(1000, 0), **settings)
    index.search(clustered(queries, 1), 5)
    assert index.facts["kind"] == kind


def test_k_must_be_positive() -> None:
    with pytest.raises(ValueError, match="k must be"):
        build_index(vectors(3)).search(vectors(1), 0)
