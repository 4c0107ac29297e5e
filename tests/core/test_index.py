"""Search equals a full sort, however queries are grouped and however many scores tie."""

import logging
import sys
from types import SimpleNamespace

import numpy as np
import pytest

from tasks.core import index as index_module
from tasks.core.index import build_index, inner_products


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


def test_memory_of_a_block_changes_no_bit(monkeypatch: pytest.MonkeyPatch) -> None:
    passages, queries = vectors(200), vectors(30, seed=1)
    whole = build_index(passages).search(queries, 20)
    monkeypatch.setattr(index_module, "BLOCK_CELLS", 1)
    blocks = build_index(passages).search(queries, 20)
    assert np.array_equal(whole[0], blocks[0])
    assert np.array_equal(whole[1], blocks[1])


@pytest.mark.parametrize("k", [3, 110])
def test_equal_scores_come_in_order_of_rows(k: int) -> None:
    passages = np.tile(vectors(2), (400, 1))  # two vectors, 400 times each: more than is fetched
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
    monkeypatch.setattr(index_module, "BLOCK_CELLS", 48 * 100 * 4)
    told: list[int] = []
    build_index(vectors(100)).search(vectors(11), 5, advance=told.append)
    assert sum(told) == 11
    assert len(told) > 1


def test_two_builds_are_an_error_that_says_what_to_do(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(index_module, "installed_builds", lambda: ["faiss-cpu", "faiss-gpu"])
    with pytest.raises(ValueError, match="pip uninstall -y faiss-cpu faiss-gpu"):
        build_index(vectors(3))


def test_a_missing_faiss_is_an_error_that_says_what_to_do(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setitem(sys.modules, "faiss", None)
    with pytest.raises(ValueError, match="pip install faiss-cpu"):
        build_index(vectors(3))


@pytest.mark.parametrize(
    ("names", "has_gpu"),
    [
        ({}, False),  # faiss-cpu: get_num_gpus is there and may lie
        ({"StandardGpuResources": object}, True),
        ({"StandardGpuResources": object, "get_num_gpus": lambda: 0}, False),  # no driver
    ],
)
def test_gpu_is_told_by_the_build_and_the_driver(
    names: dict, has_gpu: bool, caplog: pytest.LogCaptureFixture
) -> None:
    build = SimpleNamespace(**({"__version__": "1", "get_num_gpus": lambda: 1} | names))
    with caplog.at_level(logging.INFO):
        assert index_module._finds_gpu.__wrapped__(build) is has_gpu
    assert ("GPU" if has_gpu else "CPU") in caplog.text


def test_k_must_be_positive() -> None:
    with pytest.raises(ValueError, match="k must be"):
        build_index(vectors(3)).search(vectors(1), 0)
