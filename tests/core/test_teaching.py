"""Labels and a teacher together: both count, and what the teacher has not scored is left alone."""

from functools import partial

import pytest
import torch
from torch import Tensor

from tasks.core.batches import Query, build_batch, group_queries
from tasks.core.distillation import kl_divergence, margin_mse
from tasks.core.losses import infonce
from tasks.core.teaching import TeacherLoss, add_teacher
from tests.core.batch import make_batch

TEACHINGS = [partial(margin_mse, scale=3.0, teacher_scale=3.0), kl_divergence]


@pytest.mark.parametrize("teach", TEACHINGS)
@pytest.mark.parametrize("seed", range(3))
def test_both_terms_count_by_their_weight(teach: TeacherLoss, seed: int) -> None:
    batch = make_batch(seed)
    scored = ~batch.teacher_scores.isnan()
    rows = [
        i
        for i in range(5)
        if (scored[i] & (batch.relations[i] > 0)).any()
        and (scored[i] & (batch.relations[i] < 0)).any()
    ]
    taught = add_teacher(infonce, teach, batch.teacher_scores, weight=0.3)
    expected = infonce(*batch[:3], weights=batch.weights)
    expected = expected + 0.3 * teach(
        batch.queries[rows],
        batch.documents,
        batch.relations[rows],
        teacher_scores=batch.teacher_scores[rows],
        weights=batch.weights[rows],
    )
    found = taught(*batch[:3], weights=batch.weights)
    assert float(found) == pytest.approx(float(expected), rel=1e-12)


@pytest.mark.parametrize("teach", TEACHINGS)
def test_a_batch_of_which_the_teacher_says_nothing_is_left_as_it_is(teach: TeacherLoss) -> None:
    batch = make_batch(1)
    plain = infonce(*batch[:3])
    scores = torch.full_like(batch.teacher_scores, torch.nan)
    assert add_teacher(infonce, teach, scores, weight=1.0)(*batch[:3]) == plain
    scores[batch.relations > 0] = 0.9  # of positives alone there is nothing to compare with
    assert add_teacher(infonce, teach, scores, weight=1.0)(*batch[:3]) == plain


@pytest.mark.parametrize("teach", TEACHINGS)
def test_its_gradient_is_that_of_differences_and_none_reaches_what_is_not_scored(
    teach: TeacherLoss,
) -> None:
    batch = make_batch(2)
    batch.teacher_scores[:, 6] = torch.nan

    def silent(queries: Tensor, documents: Tensor, *_: object, **__: object) -> Tensor:
        return (queries.sum() + documents.sum()) * 0

    taught = add_teacher(silent, teach, batch.teacher_scores, weight=2.0)
    queries, documents = batch.queries.requires_grad_(), batch.documents.requires_grad_()

    def loss(asked: Tensor, found: Tensor) -> Tensor:
        return taught(asked, found, batch.relations, weights=batch.weights.double())

    assert torch.autograd.gradcheck(loss, (queries, documents))
    loss(queries, documents).backward()
    assert documents.grad is not None and bool(documents.grad.isfinite().all())
    assert float(documents.grad[6].abs().max()) == 0.0
    assert float(documents.grad[3].abs().max()) > 0.0


def test_a_batch_holds_the_teachers_scores_where_its_documents_are() -> None:
    queries = [
        Query("q0", {0: ""}, negatives=(2, 1), teacher_scores={0: 0.75, 1: 0.25, 2: 0.5}),
        Query("q1", {1: ""}, teacher_scores={1: 0.5, 0: float("nan")}),
    ]
    batch = build_batch(
        [0, 1], group_queries(queries), ["a", "b", "c"], torch.arange(3).numpy(),
        queries_per_passage=1, negatives_per_passage=1, seed=(0,),
    )  # fmt: skip
    assert batch.documents == ["a", "b", "c"]
    nan = float("nan")
    expected = {"q0": [0.75, 0.25, 0.5], "q1": [nan, 0.5, nan]}
    for text, scores in zip(batch.queries, batch.teacher_scores.tolist(), strict=True):
        assert scores == pytest.approx(expected[text], nan_ok=True)
