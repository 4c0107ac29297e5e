"""Exits and Matryoshka dimensions: what follows what, and that each length learns."""

from functools import partial

import pytest
import torch
from torch import Tensor
from torch.nn import functional

from tasks.core.distillation import cosine_distance
from tasks.core.exit_losses import exit_loss, mean_distance
from tasks.core.losses import infonce, triplet
from tests.core.batch import make_batch

SOFTMAX = partial(infonce, temperature=0.1)


def make_exits(seed: int) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """Make two exits of a batch of (queries, documents, relations, weights)."""
    queries, documents, relations, weights, _ = make_batch(seed)
    return (
        torch.stack([-queries, queries]).requires_grad_(),
        torch.stack([documents.roll(1, 0), documents]).requires_grad_(),
        relations,
        weights,
    )


def test_exits_follow_the_last_layer_and_do_not_lead_it() -> None:
    queries, documents, relations, _ = make_exits(5)
    settings = {"loss": SOFTMAX, "exit_weight": 0.0, "distillation_weight": 1.0}
    loss = exit_loss(queries, documents, relations, **settings)
    students = torch.cat([queries[0], documents[0]])
    teachers = torch.cat([queries[1], documents[1]])
    last = SOFTMAX(queries[1], documents[1], relations)
    expected = last + cosine_distance(students, teachers)
    assert float(loss.detach()) == pytest.approx(float(expected.detach()))
    (gradient,) = torch.autograd.grad(loss - last, documents)
    assert float(gradient[1].abs().max()) < 1e-12  # distillation moves the student alone
    assert float(gradient[0].abs().max()) > 0


def test_an_exits_own_loss_counts_by_its_weight() -> None:
    queries, documents, relations, weights, _ = make_batch(6)
    asked, found = torch.stack([queries, queries]), torch.stack([documents, documents])
    own = float(SOFTMAX(queries, documents, relations, weights=weights))
    settings = {"loss": SOFTMAX, "exit_weight": 0.5, "distillation_weight": 1.0}
    both = exit_loss(asked, found, relations, weights=weights, **settings)
    assert float(both) == pytest.approx(1.5 * own)
    alone = exit_loss(asked[:1], found[:1], relations, weights=weights, **settings)
    assert float(alone) == pytest.approx(own)


@pytest.mark.parametrize("loss", [SOFTMAX, partial(triplet, margin=0.5)])
def test_dimensions_are_the_mean_over_embeddings_cut_and_normalised(loss: partial[Tensor]) -> None:
    queries, documents, relations, weights = make_exits(7)
    settings = {"exit_weight": 0.3, "distillation_weight": 0.2, "weights": weights}
    found = exit_loss(queries, documents, relations, loss=loss, dimensions=(2, 5, 8), **settings)
    each = []
    for length in (2, 5, 8):
        asked = functional.normalize(queries[..., :length], dim=-1)
        seen = functional.normalize(documents[..., :length], dim=-1)
        each.append(float(exit_loss(asked, seen, relations, loss=loss, **settings).detach()))
    assert float(found.detach()) == pytest.approx(sum(each) / 3, rel=1e-9)
    assert float(found.detach()) != pytest.approx(each[-1], rel=1e-3)


def test_the_full_dimension_alone_changes_nothing_at_all() -> None:
    queries, documents, relations, weights = make_exits(8)
    settings = {"loss": SOFTMAX, "exit_weight": 0.3, "distillation_weight": 0.2}
    plain = exit_loss(queries, documents, relations, weights=weights, **settings)
    full = exit_loss(queries, documents, relations, weights=weights, dimensions=(8,), **settings)
    assert float(plain.detach()) == float(full.detach())


def test_embeddings_without_a_norm_are_cut_and_left_as_they_are() -> None:
    queries, documents, relations, _ = make_exits(9)
    settings = {"loss": SOFTMAX, "exit_weight": 0.0, "distillation_weight": 0.0}
    found = exit_loss(
        queries, documents, relations, dimensions=(3,), is_normalized=False, **settings
    )
    expected = SOFTMAX(queries[1, :, :3], documents[1, :, :3], relations)
    assert float(found.detach()) == pytest.approx(float(expected.detach()))


def test_an_exit_follows_its_teacher_at_every_dimension() -> None:
    teachers = torch.randn(6, 8)
    students = torch.cat([-teachers[:, :2], 10 * teachers[:, 2:]], dim=1)
    assert float(mean_distance(students, teachers)) < 0.5
    assert float(mean_distance(students, teachers, (2,))) == pytest.approx(2.0)
    expected = (float(mean_distance(students, teachers)) + 2) / 2
    assert float(mean_distance(students, teachers, (2, 8))) == pytest.approx(expected)


@pytest.mark.parametrize("dimension", [0, 9])
def test_a_dimension_that_embeddings_do_not_have_is_an_error(dimension: int) -> None:
    queries, documents, relations, _ = make_exits(5)
    settings = {"loss": SOFTMAX, "exit_weight": 1.0, "distillation_weight": 1.0}
    with pytest.raises(ValueError, match=f"Dimension {dimension} is not one of 1 to 8"):
        exit_loss(queries, documents, relations, dimensions=(dimension, 8), **settings)
