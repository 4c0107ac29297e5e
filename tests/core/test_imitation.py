"""Imitation: what is compared, against loops, and that it mends layers put side by side."""

from collections.abc import Callable
from dataclasses import replace

import pytest
import torch

from tasks.core.encoder import Encoder
from tasks.core.imitation import hand_on, imitate
from tasks.core.layers import keep_layers, read_layers

Make = Callable[..., Encoder]
TEXTS = ["the ship sails on the dark sea", "gold", "which bird flies at night over the forest"]
KEPT = (0, 2, 3)


def halve(encoder: Encoder) -> Encoder:
    return replace(encoder, model=keep_layers(encoder.model, KEPT))


@pytest.mark.parametrize("tokens_per_pass", [1, 20, 1000])
def test_equals_a_loop_over_texts_tokens_and_layers(
    make_encoder: Make, architecture: str, tokens_per_pass: int
) -> None:
    teacher = make_encoder(architecture, layers=4, pools_prompt=False)
    student = halve(teacher)
    ids = student.tokenize(TEXTS, "query")
    wanted = hand_on(KEPT, 4)
    assert wanted == (2, 3, 4)
    found = imitate(student, teacher, ids, wanted, tokens_per_pass=tokens_per_pass)
    distances = []
    for tokens in ids:
        own: dict[int, torch.Tensor] = {}
        after: dict[int, torch.Tensor] = {}
        inputs = {
            name: value for name, value in student.pad([tokens]).items() if "pooled" not in name
        }
        read_layers(student.model, inputs, [1, 2, 3], own.__setitem__)
        read_layers(teacher.model, inputs, [2, 3, 4], after.__setitem__)
        for layer, handed in enumerate(wanted, 1):
            for place in range(len(tokens)):
                cosine = torch.cosine_similarity(
                    own[layer][0, place], after[handed][0, place], dim=0
                )
                distances.append(1 - float(cosine.detach()))
    assert float(found.distance.detach()) == pytest.approx(
        sum(distances) / len(distances), abs=1e-5
    )
    expected = torch.from_numpy(student.encode(TEXTS, "query", [3])[:, 0])
    torch.testing.assert_close(found.embeddings.detach(), expected, rtol=0, atol=5e-6)


def test_a_model_imitates_itself_perfectly(make_encoder: Make) -> None:
    whole = make_encoder(layers=4)
    ids = whole.tokenize(TEXTS, "document")
    found = imitate(whole, whole, ids, hand_on((0, 1, 2, 3), 4), tokens_per_pass=100)
    assert float(found.distance.detach()) == pytest.approx(0, abs=1e-6)


def test_it_mends_what_was_put_side_by_side(make_encoder: Make) -> None:
    teacher = make_encoder(layers=4)
    student = halve(teacher)
    ids, before = student.tokenize(TEXTS, "document"), {}
    for name, value in teacher.model.named_parameters():
        before[name] = value.detach().clone()
    optimizer = torch.optim.AdamW(student.model.parameters(), lr=2e-3)
    distances = []
    for _ in range(40):
        loss = imitate(student, teacher, ids, hand_on(KEPT, 4), tokens_per_pass=100).distance
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        distances.append(float(loss.detach()))
    assert distances[-1] < 0.7 * distances[0]
    for name, value in teacher.model.named_parameters():
        assert value.grad is None
        assert torch.equal(value, before[name])
