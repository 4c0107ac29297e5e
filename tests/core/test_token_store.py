"""The token store: the tokenizer's own ids, asked for once."""

import random
from collections.abc import Callable, Sequence

import pytest

from tasks.core import token_store
from tasks.core.encoder import Encoder, Kind
from tasks.core.token_store import TokenStore


class Counted:
    """An encoder's tokenizer that writes down what it is asked."""

    def __init__(self, encoder: Encoder) -> None:
        self._encoder = encoder
        self.asked: list[tuple[Kind, str]] = []

    def tokenize(self, texts: Sequence[str], kind: Kind) -> list[list[int]]:
        self.asked += [(kind, text) for text in texts]
        return self._encoder.tokenize(texts, kind)


@pytest.mark.parametrize("pools_prompt", [True, False])
def test_ids_are_those_of_the_tokenizer(
    make_encoder: Callable[..., Encoder],
    architecture: str,
    texts: list[str],
    pools_prompt: bool,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(token_store, "TEXTS_AT_ONCE", 3)
    encoder = make_encoder(architecture, pools_prompt=pools_prompt)
    store = TokenStore(encoder.tokenize)
    store.add(iter(texts), "query")
    draw = random.Random(0)
    for kind in ("query", "document", "query"):
        wanted = draw.choices([*texts, "met for the first time"], k=20)
        assert store.tokenize(wanted, kind) == [
            encoder.tokenize([text], kind)[0] for text in wanted
        ]


def test_a_text_is_tokenized_once_for_each_kind(
    make_encoder: Callable[..., Encoder], texts: list[str]
) -> None:
    counted = Counted(make_encoder())
    store = TokenStore(counted.tokenize)
    store.add([*texts, *texts], "document")
    for kind in ("document", "query", "query"):
        store.tokenize(texts[::-1] + texts, kind)
    assert len(store) == len(counted.asked) == 2 * len(texts)
    assert set(counted.asked) == {(kind, text) for kind in ("query", "document") for text in texts}


def test_no_texts_are_no_tokens(make_encoder: Callable[..., Encoder]) -> None:
    store = TokenStore(make_encoder().tokenize)
    store.add([], "query")
    assert store.tokenize([], "query") == [] and len(store) == 0
