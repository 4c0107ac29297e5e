"""Distributions: every value is in a bar, and the same values are the same bytes."""

import numpy as np
import pytest

from tasks.page import pictures
from tasks.page.pictures import draw_distributions


@pytest.mark.parametrize(
    "values",
    [
        np.array([3]), np.array([0, 0, 7]), np.arange(1000), np.array([5, 100_000]),
        np.array([0.5], np.float32), np.array([-0.1, 0.97], np.float32), np.zeros(9),
    ],
)  # fmt: skip
def test_every_value_falls_into_a_bin(values: np.ndarray) -> None:
    is_whole = bool(np.issubdtype(values.dtype, np.integer))
    edges = pictures._find_edges(float(values.min()), float(values.max()), is_whole=is_whole)
    assert np.histogram(values, edges)[0].sum() == len(values)
    assert len(edges) <= pictures.BINS + 2
    assert len(draw_distributions("c", "u", {"x": values})) == 1


def test_few_whole_numbers_have_a_bin_each() -> None:
    edges = pictures._find_edges(0, 7, is_whole=True)
    assert np.histogram(np.array([0, 1, 1, 7]), edges)[0].tolist()[:8] == [1, 2, 0, 0, 0, 0, 0, 1]


def test_nothing_is_drawn_of_nothing() -> None:
    assert draw_distributions("c", "u", {"x": np.zeros(0)}) == []


def test_the_same_values_are_the_same_bytes_whatever_they_are_called() -> None:
    first, again = (
        draw_distributions("c", "u", {"$\\frac{": np.arange(5), "b": np.arange(3)}, shares=True)
        for _ in range(2)
    )
    assert first[0].svg == again[0].svg
    assert b"<svg" in first[0].svg
    assert b"<script" not in first[0].svg
