"""Poolings against a loop over tokens, whatever is hidden and wherever padding is."""

from collections.abc import Callable

import numpy as np
import pytest
import torch

from tasks.core.pooling import POOLINGS, pool, shorten

RANDOM = np.random.default_rng(0)
SLOW: dict[str, Callable[[list[np.ndarray]], np.ndarray]] = {
    "mean": lambda tokens: sum(tokens) / len(tokens),
    "cls": lambda tokens: tokens[0],
    "max": lambda tokens: np.array([max(values) for values in zip(*tokens, strict=True)]),
    "lasttoken": lambda tokens: tokens[-1],
}
# Padding on the right, on the left, on both sides, and a prompt hidden after padding on the left.
MASKS = ([1, 1, 1, 0, 0], [0, 0, 1, 1, 1], [0, 1, 1, 0, 0], [0, 0, 0, 0, 1], [1, 1, 1, 1, 1])


@pytest.mark.parametrize("pooling", POOLINGS)
def test_matches_a_loop_over_the_tokens_that_count(pooling: str) -> None:
    hidden = RANDOM.normal(-3, 1, size=(len(MASKS), 5, 4)).astype(np.float32)
    found = pool(torch.from_numpy(hidden), torch.tensor(MASKS), pooling)
    assert found.dtype == torch.float32
    for row, mask in enumerate(MASKS):
        tokens = [vector for vector, counts in zip(hidden[row], mask, strict=True) if counts]
        np.testing.assert_allclose(found[row], SLOW[pooling](tokens), rtol=1e-6)


@pytest.mark.parametrize("junk", [0.0, 1e9, -1e9, float("nan")])
@pytest.mark.parametrize("pooling", POOLINGS)
def test_what_does_not_count_has_no_say_and_gets_no_gradient(pooling: str, junk: float) -> None:
    mask = torch.tensor(MASKS)
    hidden = torch.from_numpy(RANDOM.normal(size=(len(MASKS), 5, 4)))
    expected = pool(hidden, mask, pooling)
    spoiled = hidden.masked_fill(mask.unsqueeze(-1) == 0, junk).requires_grad_()
    found = pool(spoiled, mask, pooling)
    torch.testing.assert_close(found, expected)
    (found * torch.randn_like(found)).sum().backward()
    assert spoiled.grad is not None
    assert not spoiled.grad[mask == 0].any()
    assert spoiled.grad[mask == 1].any()


@pytest.mark.parametrize("pooling", POOLINGS)
def test_padding_can_be_on_either_side(pooling: str) -> None:
    tokens = torch.from_numpy(RANDOM.normal(size=(1, 3, 4)))
    junk = torch.full((1, 2, 4), 7.0, dtype=torch.float64)
    right = pool(torch.cat([tokens, junk], dim=1), torch.tensor([[1, 1, 1, 0, 0]]), pooling)
    left = pool(torch.cat([junk, tokens], dim=1), torch.tensor([[0, 0, 1, 1, 1]]), pooling)
    assert torch.equal(left, right)
    assert torch.equal(left, pool(tokens, torch.ones(1, 3), pooling))


@pytest.mark.parametrize("pooling", POOLINGS)
def test_a_text_of_which_no_token_counts_is_zero(pooling: str) -> None:
    hidden = torch.randn(2, 3, 4, requires_grad=True)
    found = pool(hidden, torch.tensor([[0, 0, 0], [1, 1, 0]]), pooling)
    assert not found[0].any() and found[1].all()
    found.sum().backward()
    assert hidden.grad is not None and hidden.grad.isfinite().all() and not hidden.grad[0].any()


def test_shortened_embeddings_have_length_one_again() -> None:
    embeddings = torch.nn.functional.normalize(torch.randn(5, 2, 8), dim=-1)
    short = shorten(embeddings, 3, normalize=True)
    slow = embeddings[..., :3] / embeddings[..., :3].square().sum(dim=-1, keepdim=True).sqrt()
    torch.testing.assert_close(short, slow)
    assert torch.equal(shorten(embeddings, 3, normalize=False), embeddings[..., :3])
