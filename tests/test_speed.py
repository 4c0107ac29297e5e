"""What is timed is the cut model, on passages from the whole corpus, at a bounded cost."""

from collections.abc import Callable

import numpy as np
import pytest

from tasks import speed
from tasks.core.encoder import Encoder
from tasks.speed import measure_layers

TEXTS = [f"the ship {number} sails on the dark sea" for number in range(100)]


def test_every_layer_is_measured_by_the_model_cut_there(
    make_encoder: Callable[..., Encoder], monkeypatch: pytest.MonkeyPatch
) -> None:
    encoder = make_encoder()
    seen: list[tuple[int, int, np.ndarray]] = []
    original = Encoder.encode

    def encode(self: Encoder, texts: list[str], *args: object) -> np.ndarray:
        found = original(self, texts, *args)
        seen.append((self.layers, len(texts), found))
        return found

    monkeypatch.setattr(Encoder, "encode", encode)
    monkeypatch.setattr(speed, "MOST_TURNS", 4)
    found = measure_layers(encoder, [1, 3], TEXTS)
    assert found.keys() == {1, 3}
    assert min(found.values()) > 0
    turns = [layers for layers, _, _ in seen[1:]]
    assert turns == [1, 3] * (len(turns) // 2)
    assert len(turns) // 2 in range(speed.LEAST_TURNS, speed.MOST_TURNS + 1)
    assert {count for _, count, _ in seen} == {speed.TIMED_PASSAGES}
    sample = TEXTS[:: len(TEXTS) // speed.TIMED_PASSAGES][: speed.TIMED_PASSAGES]
    expected = original(encoder, sample, "document", [1])
    np.testing.assert_allclose(seen[1][2], expected, atol=1e-5)


def test_without_passages_nothing_is_measured(make_encoder: Callable[..., Encoder]) -> None:
    assert measure_layers(make_encoder(), [1, 2], []) == {}
