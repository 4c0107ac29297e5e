"""Two ranks, each a process, have the gradient of one with the joint batch."""

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file

from tasks.core import ranks
from tasks.core.encoder import Encoder
from tasks.core.ranks import embed_shared, share_out, sum_gradients
from tasks.model_files import save_encoder
from tests.core import rank as rank_program

RANKS = 2


def start(rank: int, folder: Path, texts: list[str]) -> subprocess.Popen[bytes]:
    source = Path(ranks.__file__).parents[2]
    interface = {"GLOO_SOCKET_IFNAME": "lo"} if sys.platform == "linux" else {}
    numbers = {"RANK": str(rank), "WORLD_SIZE": str(RANKS), "PYTHONPATH": str(source)}
    return subprocess.Popen(
        [sys.executable, rank_program.__file__, folder, *texts],
        env={**os.environ, **interface, **numbers},
    )


def test_two_ranks_have_the_gradients_of_one_with_the_joint_batch(
    make_encoder: Callable[..., Encoder], words: tuple[str, ...], tmp_path: Path
) -> None:
    texts = [" ".join(words[n : n + 1 + n * 5 % 8]) for n in range(16)]
    encoder = make_encoder()
    save_encoder(encoder, tmp_path / "model")
    processes = [start(rank, tmp_path, texts) for rank in range(RANKS)]
    assert [process.wait(timeout=120) for process in processes] == [0] * RANKS
    encoder.model.double()
    expected = rank_program.gradients(encoder, texts)
    found = [load_file(tmp_path / f"{rank}.safetensors") for rank in range(RANKS)]
    assert found[0].keys() == expected.keys()
    for name, gradient in expected.items():
        assert torch.equal(found[0][name], found[1][name]), name  # so weights stay the same
        assert float(gradient.abs().max()) > 0, name
        error = float((found[0][name] - gradient).abs().max())
        assert error < 1e-12 * max(1.0, float(gradient.abs().max())), name


@pytest.mark.parametrize("ranks", [1, 2, 3, 8])
def test_shares_hold_every_row_once_and_weigh_about_the_same(ranks: int) -> None:
    lengths = [n * 7 % 13 for n in range(20)]
    shares = share_out(lengths, ranks)
    assert sorted(row for share in shares for row in share) == list(range(20))
    weights = [sum(lengths[row] for row in share) for share in shares]
    assert max(map(len, shares)) - min(map(len, shares)) <= 1
    assert max(weights) - min(weights) <= max(lengths)


def test_a_single_rank_embeds_all_in_their_order() -> None:
    table = torch.randn(2, 4, 3, requires_grad=True)
    found = embed_shared(lambda rows: table[:, rows], [1, 4, 2, 3])
    assert torch.equal(found, table)
    found.sum().backward()
    before = table.grad.clone()  # type: ignore[union-attr]
    sum_gradients(torch.nn.ParameterList([table]))
    assert torch.equal(table.grad, before)  # type: ignore[arg-type]
