"""What holds for every loss over relations: gradients, unknowns, weights, order, memory, errors."""

from collections.abc import Callable
from functools import partial

import pytest
import torch
from torch import Tensor

from tasks.core import relations as relations_module
from tasks.core.distillation import kl_divergence, margin_mse
from tasks.core.losses import infonce, triplet
from tasks.core.pair_losses import contrastive, cosine
from tests.core.batch import Batch, make_batch

Loss = Callable[..., Tensor]
LOSSES: dict[str, Loss] = {
    "infonce": partial(infonce, temperature=0.5),
    "infonce symmetric": partial(infonce, temperature=0.5, symmetric=True),
    "triplet hardest": partial(triplet, margin=0.5, negatives="hardest"),
    "triplet all": partial(triplet, margin=0.5, negatives="all"),
    "contrastive": partial(contrastive, margin=1.2),
    "cosine": cosine,
    "margin_mse": margin_mse,
    "kl_divergence": partial(kl_divergence, temperature=0.5, teacher_temperature=0.5),
}
TAUGHT = ("margin_mse", "kl_divergence")
NEEDS_A_POSITIVE = ("infonce", "infonce symmetric", "triplet hardest", "triplet all", "margin_mse")


@pytest.fixture(params=LOSSES)
def name(request: pytest.FixtureRequest) -> str:
    return str(request.param)


def compute(name: str, batch: Batch, **changes: object) -> Tensor:
    """Compute a loss of a batch, with the teacher's scores where it has a teacher."""
    queries, documents, relations, weights, scores = batch
    settings: dict[str, object] = {"weights": weights}
    if name in TAUGHT:
        settings["teacher_scores"] = scores
    return LOSSES[name](queries, documents, relations, **settings | changes)


def gradients(name: str, batch: Batch, **changes: object) -> tuple[Tensor, Tensor]:
    queries, documents = (side.clone().requires_grad_() for side in batch[:2])
    compute(name, batch._replace(queries=queries, documents=documents), **changes).backward()
    assert queries.grad is not None and documents.grad is not None
    return queries.grad, documents.grad


def test_the_gradient_is_right(name: str) -> None:
    batch = make_batch(2)
    queries, documents = (side.clone().requires_grad_() for side in batch[:2])
    assert torch.autograd.gradcheck(
        lambda q, d: compute(name, batch._replace(queries=q, documents=d)), (queries, documents)
    )


@pytest.mark.parametrize("seed", range(5))
def test_what_is_unknown_is_neither_pulled_nor_pushed(name: str, seed: int) -> None:
    batch = make_batch(seed)
    # With unit vectors for queries, a document's gradient is that of its products with them.
    of_products = gradients(name, batch._replace(queries=torch.eye(5, 8, dtype=torch.float64)))[1]
    by_pair = of_products[:, :5].T
    assert bool(by_pair.isfinite().all())
    assert float(by_pair[batch.relations == 0].abs().max()) == 0.0
    assert float(by_pair[batch.relations > 0].abs().max()) > 0.0
    assert float(by_pair[batch.relations < 0].abs().max()) > 0.0


def test_a_document_nobody_knows_changes_nothing(name: str) -> None:
    batch = make_batch(6)
    batch.relations[:, 7] = 0
    other = batch.documents.clone()
    other[7] = -other[7]
    before, after = (compute(name, batch._replace(documents=d)) for d in (batch.documents, other))
    assert float(before) == float(after)
    assert float(gradients(name, batch)[1][7].abs().max()) == 0.0


# In the other direction a query that is asked twice is a negative twice.
@pytest.mark.parametrize("name", [name for name in LOSSES if name != "infonce symmetric"])
def test_a_query_of_weight_two_counts_as_two_of_weight_one(name: str) -> None:
    batch = make_batch(7)
    twice = Batch(*(torch.cat([side, side[:1]]) for side in batch))._replace(
        documents=batch.documents, weights=torch.ones(6)
    )
    weighed = batch._replace(weights=torch.tensor([2.0, 1, 1, 1, 1]))
    assert float(compute(name, weighed)) == pytest.approx(float(compute(name, twice)), rel=1e-12)
    assert float(compute(name, weighed)) != pytest.approx(float(compute(name, batch)), rel=1e-4)


def test_a_query_of_weight_zero_pulls_and_pushes_nothing(name: str) -> None:
    batch = make_batch(8)
    batch.weights[1] = 0.0
    moved = gradients(name, batch)[0][1]
    if name == "infonce symmetric":  # it is still what documents are told from
        assert float(moved.abs().max()) < float(gradients(name, make_batch(8))[0][1].abs().max())
    else:
        assert float(moved.abs().max()) == 0.0


def test_without_weights_all_count_the_same(name: str) -> None:
    batch = make_batch(9)
    equal = compute(name, batch, weights=torch.full((5,), 0.25))
    assert float(compute(name, batch, weights=None)) == pytest.approx(float(equal), rel=1e-12)


def test_order_changes_nothing(name: str) -> None:
    batch = make_batch(3)
    rows, columns = torch.randperm(5), torch.randperm(9)
    shuffled = Batch(
        batch.queries[rows], batch.documents[columns], batch.relations[rows][:, columns],
        batch.weights[rows], batch.teacher_scores[rows][:, columns],
    )  # fmt: skip
    assert float(compute(name, shuffled)) == pytest.approx(float(compute(name, batch)), rel=1e-12)


@pytest.mark.parametrize("pairs", [1, 20])
def test_in_blocks_it_is_the_same(name: str, pairs: int, monkeypatch: pytest.MonkeyPatch) -> None:
    batch = make_batch(4)
    whole, moved = compute(name, batch), gradients(name, batch)
    monkeypatch.setattr(relations_module, "PAIRS_AT_ONCE", pairs)
    assert float(compute(name, batch)) == pytest.approx(float(whole), rel=1e-12)
    for found, expected in zip(gradients(name, batch), moved, strict=True):
        torch.testing.assert_close(found, expected, rtol=1e-10, atol=1e-14)


def test_a_large_batch_keeps_nothing_of_the_size_of_all_pairs(name: str) -> None:
    torch.manual_seed(0)
    queries, documents = (torch.randn(n, 4, requires_grad=True) for n in (1500, 2000))
    relations = torch.full((1500, 2000), -1, dtype=torch.int8)
    relations[:, :1500].fill_diagonal_(1)
    scores = torch.rand(1500, 2000)
    batch = Batch(queries, documents, relations, torch.ones(1500), scores)
    kept: list[Tensor] = []

    def keep(tensor: Tensor) -> Tensor:
        kept.append(tensor)
        return tensor

    with torch.autograd.graph.saved_tensors_hooks(keep, lambda tensor: tensor):
        compute(name, batch)
    given = {tensor.untyped_storage().data_ptr() for tensor in batch}
    own = {t.untyped_storage().data_ptr(): t.untyped_storage().nbytes() for t in kept}
    assert sum(size for place, size in own.items() if place not in given) < 1_000_000


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"relations": torch.ones(9, 5)}, r"relations must be .* = \(5, 9\), not \(9, 5\)"),
        ({"weights": torch.ones(9)}, r"weights must be .* = \(5,\), not \(9,\)"),
        ({"documents": torch.ones(9, 7)}, r"with the same h, not \(5, 8\) and \(9, 7\)"),
        ({"queries": torch.ones(2, 5, 8)}, r"must be \(q, h\) and \(d, h\)"),
        ({"documents": torch.ones(0, 8), "relations": torch.ones(5, 0)}, "at least one query and"),
        ({"relations": torch.zeros(5, 9)}, "The batch needs at least one query with a"),
        ({"weights": torch.zeros(5)}, "and a weight above 0"),
    ],
)
def test_what_does_not_fit_is_told(name: str, changes: dict[str, Tensor], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        compute(name, make_batch(4)._replace(**changes))


def test_where_no_query_has_a_positive_there_is_nothing_to_rank() -> None:
    batch = make_batch(4)._replace(relations=torch.full((5, 9), -1))
    for name in NEEDS_A_POSITIVE:
        with pytest.raises(ValueError, match="at least one query with a positive"):
            compute(name, batch)
    for name in LOSSES.keys() - NEEDS_A_POSITIVE:
        assert float(compute(name, batch)) > 0


@pytest.mark.parametrize(
    "setting", [("infonce", "temperature"), ("triplet all", "margin"), ("contrastive", "margin"),
                ("margin_mse", "scale"), ("kl_divergence", "teacher_temperature")],
)  # fmt: skip
def test_a_setting_of_zero_is_an_error(setting: tuple[str, str]) -> None:
    name, changed = setting
    with pytest.raises(ValueError, match=f"{changed} must be above 0, not 0"):
        compute(name, make_batch(4), **{changed: 0})
