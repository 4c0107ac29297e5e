"""FAISS is found, or it is said what to do; the GPU is used where there is one."""

import logging
import sys
from types import SimpleNamespace

import numpy as np
import pytest

from tasks.core import knn as knn_module
from tasks.core.index import build_index
from tasks.core.knn import Searcher, import_faiss


def test_two_builds_are_an_error_that_says_what_to_do(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(knn_module, "installed_builds", lambda: ["faiss-cpu", "faiss-gpu"])
    with pytest.raises(ValueError, match="pip uninstall -y faiss-cpu faiss-gpu"):
        build_index(np.zeros((3, 4), dtype=np.float32))


def test_a_missing_faiss_is_an_error_that_says_what_to_do(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setitem(sys.modules, "faiss", None)
    with pytest.raises(ValueError, match="pip install faiss-cpu"):
        build_index(np.zeros((3, 4), dtype=np.float32))


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
        assert knn_module._finds_gpu.__wrapped__(build) is has_gpu
    assert ("GPU" if has_gpu else "CPU") in caplog.text


def test_a_gpu_that_is_full_leaves_the_work_to_the_cpu(caplog: pytest.LogCaptureFixture) -> None:
    faiss = import_faiss()

    def knn_gpu(*_: object, **__: object) -> None:
        raise RuntimeError("out of memory")

    full = SimpleNamespace(
        METRIC_INNER_PRODUCT=faiss.METRIC_INNER_PRODUCT, knn=faiss.knn, knn_gpu=knn_gpu
    )
    searcher, ones = Searcher(full, object()), np.eye(3, dtype=np.float32)
    assert searcher.device == "GPU"
    rows, _ = searcher.best(ones, ones, 1)
    assert rows[:, 0].tolist() == [0, 1, 2]
    assert searcher.device == "CPU"
    assert "out of memory" in caplog.text
