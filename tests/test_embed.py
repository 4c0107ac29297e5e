"""An embedding is what the encoder gives, and it is computed once."""

import contextlib
from collections.abc import Callable, Iterator

import numpy as np
import pytest

from tasks import embed as embed_module
from tasks.contracts import Checkpoint
from tasks.core.encoder import Encoder
from tasks.embed import embed, embed_poolings, hand_down
from tasks.model_files import load_encoder


@pytest.fixture
def encoded(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[str]]:
    """Give the list of texts that really went through a model."""
    seen: list[str] = []
    original = Encoder.encode_poolings

    def encode(self: Encoder, texts: list[str], *args: object, **kwargs: object) -> np.ndarray:
        seen.extend(texts)
        return original(self, texts, *args, **kwargs)

    monkeypatch.setattr(Encoder, "encode_poolings", encode)
    yield seen


def test_equals_the_encoder_in_the_order_asked(checkpoint: Checkpoint, texts: list[str]) -> None:
    found = embed(checkpoint.root, checkpoint, texts, "query", [3, 1])
    expected = load_encoder(checkpoint.path).encode(texts, "query", [3, 1])
    np.testing.assert_allclose(found, expected, atol=1e-5)
    assert found.dtype == np.float32


def test_nothing_is_embedded_twice(
    checkpoint: Checkpoint, texts: list[str], encoded: list[str]
) -> None:
    first = embed(checkpoint.root, checkpoint, texts[:4], "document", [3])
    assert sorted(encoded) == sorted(texts[:4])
    again = embed(checkpoint.root, checkpoint, [*texts[::-1], texts[0]], "document", [3])
    assert sorted(encoded) == sorted(texts)
    assert np.array_equal(again[::-1][1:5], first)
    assert np.array_equal(again[-1], first[0])


@pytest.mark.parametrize("change", ["kind", "layers", "checkpoint"])
def test_whatever_decides_a_result_is_in_its_key(
    change: str,
    checkpoint: Checkpoint,
    make_checkpoint: Callable[..., Checkpoint],
    make_encoder: Callable[..., Encoder],
    encoded: list[str],
) -> None:
    first = embed(checkpoint.root, checkpoint, ["gold"], "document", [3])
    other = make_checkpoint(make_encoder(seed=1)) if change == "checkpoint" else checkpoint
    kind, layers = "query" if change == "kind" else "document", [2 if change == "layers" else 3]
    second = embed(checkpoint.root, other, ["gold"], kind, layers)
    assert encoded == ["gold", "gold"]
    assert not np.allclose(first, second, atol=1e-3)


def test_a_kill_loses_one_part(
    checkpoint: Checkpoint, encoded: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(embed_module, "PART_TEXTS", 2)
    texts = [f"the {animal}" for animal in ("bear", "bird", "cat", "dog", "wolf")]
    whole, counting = Encoder.encode_poolings, iter(range(99))

    def encode(self: Encoder, *args: object, **kwargs: object) -> np.ndarray:
        if next(counting) == 1:
            raise KeyboardInterrupt
        return whole(self, *args, **kwargs)

    with monkeypatch.context() as patch:
        patch.setattr(Encoder, "encode_poolings", encode)
        with pytest.raises(KeyboardInterrupt):
            embed(checkpoint.root, checkpoint, texts, "document", [3])
    assert encoded == texts[:2]
    embed(checkpoint.root, checkpoint, texts, "document", [3])
    assert encoded == texts


def test_progress_counts_every_text_once(
    checkpoint: Checkpoint, texts: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    told: list[int] = []

    @contextlib.contextmanager
    def progress(what: str, total: int, unit: str) -> Iterator[Callable[[int], None]]:
        told.append(-total)
        yield told.append

    monkeypatch.setattr(embed_module, "progress", progress)
    monkeypatch.setattr(embed_module, "PART_TEXTS", 2)
    for some in (texts[:3], texts, texts):  # nothing, a part, and all of it is known
        embed(checkpoint.root, checkpoint, some, "document", [3], batch_tokens=30)
        assert sum(told) == 0


def test_no_texts(checkpoint: Checkpoint) -> None:
    assert embed(checkpoint.root, checkpoint, [], "document", [1, 2]).shape == (0, 2, 32)


def test_wanted_layers_alone_are_returned_and_all_are_kept(
    checkpoint: Checkpoint, texts: list[str], encoded: list[str]
) -> None:
    last = embed(checkpoint.root, checkpoint, texts, "document", [1, 2, 3], wanted=[3, 1])
    assert last.shape == (len(texts), 2, 32)
    whole = embed(checkpoint.root, checkpoint, texts, "document", [1, 2, 3])
    assert np.array_equal(last, whole[:, [2, 0]])
    assert len(encoded) == len(texts)


def test_vectors_are_mapped_and_a_layer_is_one_piece(
    checkpoint: Checkpoint, texts: list[str]
) -> None:
    found = embed(checkpoint.root, checkpoint, texts, "document", [1, 3])[:, 1]
    assert isinstance(found, np.memmap)
    assert found.flags.c_contiguous


def test_several_poolings_come_from_one_pass_and_each_is_found_alone(
    checkpoint: Checkpoint, texts: list[str], encoded: list[str]
) -> None:
    encoder = load_encoder(checkpoint.path)
    embed(checkpoint.root, checkpoint, texts[:2], "document", [1, 3])
    many = embed_poolings(
        checkpoint.root, checkpoint, texts, "document", [1, 3], ["mean", "max"], encoder=encoder
    )
    assert sorted(encoded) == sorted([*texts[:2], *texts])
    for pooling, found in many.items():
        alone = encoder.cut(3, pooling=pooling).encode(texts, "document", [1, 3])
        np.testing.assert_allclose(found, alone, atol=1e-5)
    encoded.clear()
    own = embed(checkpoint.root, checkpoint, texts, "document", [1, 3])
    again = embed_poolings(
        checkpoint.root, checkpoint, texts, "document", [1, 3], ["max"], encoder=encoder
    )
    assert encoded == []
    assert np.array_equal(own, many["mean"])
    assert np.array_equal(again["max"], many["max"])


def test_a_cut_model_is_handed_its_own_pooling_and_length(
    checkpoint: Checkpoint,
    texts: list[str],
    make_checkpoint: Callable[..., Checkpoint],
    encoded: list[str],
) -> None:
    whole = load_encoder(checkpoint.path)
    embed_poolings(
        checkpoint.root, checkpoint, texts, "document", [1, 2, 3], ["mean", "cls"], encoder=whole
    )
    cut = make_checkpoint(whole.cut(2, pooling="cls", dimension=8))
    encoded.clear()
    hand_down(checkpoint.root, checkpoint, 2, cut, texts, "document")
    found = embed(checkpoint.root, cut, texts, "document", [2])
    assert encoded == []
    expected = load_encoder(cut.path).encode(texts, "document", [2])
    np.testing.assert_allclose(found, expected, atol=1e-5)
