"""Likeness: equal to a slow reference, blind to a common turn, no gradient to the teacher."""

import torch

from tasks.core.distillation import cosine_distance
from tasks.core.likeness import similarity_distance, teaching_loss


def draw(*shape: int, seed: int) -> torch.Tensor:
    return torch.randn(*shape, dtype=torch.float64, generator=torch.Generator().manual_seed(seed))


def test_equals_a_slow_reference() -> None:
    students, teachers = draw(5, 3, seed=0), draw(5, 4, seed=1)
    errors = []
    for i in range(5):
        for j in range(5):
            found = torch.cosine_similarity(students[i], students[j], dim=0)
            wanted = torch.cosine_similarity(teachers[i], teachers[j], dim=0)
            errors.append(float((found - wanted) ** 2))
    assert torch.isclose(
        similarity_distance(students, teachers), torch.tensor(errors).mean().double()
    )


def test_turning_all_embeddings_alike_costs_nothing() -> None:
    teachers = draw(6, 4, seed=0)
    turn, _ = torch.linalg.qr(draw(4, 4, seed=1))
    assert similarity_distance(teachers @ turn, teachers) < 1e-12
    assert cosine_distance(teachers @ turn, teachers) > 0.1


def test_every_dimension_and_both_parts_count() -> None:
    students, teachers = draw(6, 8, seed=2), draw(6, 8, seed=3)
    expected = [
        cosine_distance(students[:, :length], teachers[:, :length])
        + 2 * similarity_distance(students[:, :length], teachers[:, :length])
        for length in (4, 8)
    ]
    found = teaching_loss(students, teachers, similarity_weight=2, dimensions=(4, 8))
    assert torch.isclose(found, torch.stack(expected).mean())
    whole = teaching_loss(students, teachers, similarity_weight=2)
    assert torch.isclose(whole, expected[1])
    assert not torch.isclose(whole, found)


def test_gradients_reach_the_student_alone() -> None:
    students = draw(4, 3, seed=4).requires_grad_()
    teachers = draw(4, 3, seed=5).requires_grad_()
    teaching_loss(students, teachers, similarity_weight=1.0).backward()
    assert teachers.grad is None
    assert students.grad is not None
    assert torch.autograd.gradcheck(
        lambda x: teaching_loss(x, teachers, similarity_weight=1.0, dimensions=(2, 3)), students
    )


def test_where_inner_products_rank_norms_are_learnt_too() -> None:
    teachers = draw(4, 3, seed=6)
    cosines, products = (
        teaching_loss(3 * teachers, teachers, similarity_weight=1.0, is_normalized=known)
        for known in (True, False)
    )
    assert cosines < 1e-12
    assert torch.isclose(products, torch.tensor(3.0, dtype=torch.float64).log() ** 2)
