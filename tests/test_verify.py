"""What a stranger gets from a folder, without this process's secrets."""

import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from tasks.contracts import BurnishError
from tasks.core.encoder import Encoder
from tasks.model_files import save_encoder
from tasks.stranger import Loaded, load_in_new_process
from tasks.verify import (
    MIN_COSINE,
    PROBES,
    compare,
    describe_layout,
    encode_in_new_process,
    lowest_cosine,
)


def test_new_process_gives_the_same_vectors(
    make_encoder: Callable[..., Encoder], tmp_path: Path
) -> None:
    encoder = make_encoder(prompts={"query": "find: ", "document": "text: "})
    save_encoder(encoder, tmp_path)
    vectors = encode_in_new_process(tmp_path, PROBES, "query")
    assert vectors.dtype == np.float32
    expected = encoder.encode(PROBES, "query", [3])[:, 0]
    assert lowest_cosine(vectors, expected) >= MIN_COSINE
    # The probes tell prompts, layers, and texts apart, else agreement on them would prove little.
    assert lowest_cosine(vectors, encoder.encode(PROBES, "document", [3])[:, 0]) < MIN_COSINE
    assert lowest_cosine(vectors, encoder.encode(PROBES, "query", [2])[:, 0]) < MIN_COSINE
    assert len(set(PROBES)) == len(PROBES) == 32


@pytest.mark.parametrize("architecture", ["mpnet", "qwen3"])
def test_layers_pooling_prompts_and_lengths_are_found_in_the_folder(
    make_encoder: Callable[..., Encoder], architecture: str, tmp_path: Path
) -> None:
    encoder = make_encoder(
        architecture, pooling="max", normalize=False, max_tokens=40, prompts={"query": "find: "}
    )
    save_encoder(encoder, tmp_path)
    loaded = load_in_new_process(tmp_path, PROBES[:4], ["query", "document"])
    assert loaded.layout == describe_layout(encoder)
    assert compare(loaded, encoder, PROBES[:4]).differences == []


def test_every_difference_is_told(make_encoder: Callable[..., Encoder]) -> None:
    encoder = make_encoder(prompts={"query": "find: ", "document": ""})
    texts = PROBES[:4]
    same = Loaded({"query": encoder.encode(texts, "query", [3])[:, 0]}, describe_layout(encoder))
    assert compare(same, encoder, texts).differences == []
    for change, told in (
        ({"layers": 2}, "layers: 2, not 3"),
        ({"layers by its configuration": 2}, "layers by its configuration: 2, not 3"),
        ({"pooling": "cls"}, "pooling: 'cls', not 'mean'"),
        ({"normalised": False}, "normalised: False, not True"),
        ({"prompt of a query": ""}, "prompt of a query: '', not 'find: '"),
        ({"tokens read": 512}, "tokens read: 512, not 96"),
    ):
        other = same._replace(layout=same.layout | change)
        assert compare(other, encoder, texts).differences == [told]
    swapped = same._replace(vectors={"document": same.vectors["query"]})
    (told,) = compare(swapped, encoder, texts).differences
    assert told.startswith("vectors: the lowest cosine is ")
    served = same._replace(served={"query": same.vectors["query"]})
    assert compare(served, encoder, texts).differences == []
    (told,) = compare(served._replace(served=swapped.vectors | {"query": -same.vectors["query"]}),
                      encoder, texts).differences  # fmt: skip
    assert told.startswith("vectors of the python function: the lowest cosine is -")


def pretend(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, script: str) -> None:
    """Put a shell script in the place of the Python that would load the model."""
    python = tmp_path / "python"
    python.write_text(f"#!/bin/sh\n{script}\n")
    python.chmod(0o755)
    monkeypatch.setattr(sys, "executable", str(python))


def test_process_gets_no_secrets_and_no_network(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("HF_TOKEN", "secret")
    monkeypatch.setenv("MLFLOW_TRACKING_PASSWORD", "secret")
    pretend(monkeypatch, tmp_path, f"env > {tmp_path}/environment; cat > /dev/null; exit 1")
    with pytest.raises(BurnishError):
        encode_in_new_process(tmp_path, ["gold"], "query")
    environment = (tmp_path / "environment").read_text()
    assert "secret" not in environment
    assert "HF_HUB_OFFLINE=1" in environment


@pytest.mark.parametrize(
    ("script", "message"),
    [
        ("cat > /dev/null; echo first >&2; echo boom >&2; exit 1", "does not load .*: boom"),
        ("exec sleep 60", "took over 0 s"),
    ],
)
def test_says_what_went_wrong(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, script: str, message: str
) -> None:
    pretend(monkeypatch, tmp_path, script)
    with pytest.raises(BurnishError, match=message):
        encode_in_new_process(tmp_path, ["gold"], "query", timeout_seconds=0.3)


def test_lowest_cosine() -> None:
    a = np.array([[3.0, 0.0], [0.0, 2.0]])
    assert lowest_cosine(a, a * 7) == 1
    assert lowest_cosine(a, np.array([[1.0, 0.0], [1.0, 1.0]])) == pytest.approx(0.5**0.5)
    assert lowest_cosine(a, np.ones((2, 3))) == 0
    assert lowest_cosine(a, np.array([[1.0, 0.0], [np.nan, 1.0]])) == 0
    dead = a * [[1], [0]]  # its second vector is all zeros
    assert lowest_cosine(a, dead) == lowest_cosine(dead, a) == 0
    assert lowest_cosine(dead, dead) == 1
