"""One of several ranks: writes its gradients of a joint batch. Run by `test_ranks.py`."""

import os
import sys
from datetime import timedelta
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import save_file
from torch import Tensor, distributed

from tasks.core.encoder import Encoder
from tasks.core.exit_losses import exit_loss
from tasks.core.losses import infonce
from tasks.core.ranks import sum_gradients
from tasks.core.training import embed_batch, embed_tokens
from tasks.model_files import load_encoder

ALL = 10**6
LAYERS = (1, 2, 3)
# Texts of even and uneven shares, and fewer queries than ranks.
CASES: dict[str, dict[str, Any]] = {
    "plain": {"queries": 6, "documents": 10},
    "uneven": {"queries": 5, "documents": 9, "tokens_per_pass": 30},
    "cached": {"queries": 5, "documents": 9, "texts_per_pass": 2},
    "one query": {"queries": 1, "documents": 3, "texts_per_pass": 1},
}


def compute(encoder: Encoder, texts: list[str], case: dict[str, Any]) -> Tensor:
    """Compute the loss of the joint batch: exits, Matryoshka, weights, and both directions."""
    options = {"tokens_per_pass": ALL, "texts_per_pass": None} | case
    count, found = options.pop("queries"), options.pop("documents")
    queries = embed_batch(encoder, texts[:count], "query", LAYERS, **options)
    ids = encoder.tokenize(texts[-found:], "document")
    documents = embed_tokens(encoder, ids, LAYERS, **options)
    relations = torch.full((count, found), -1, dtype=torch.int8)
    relations.fill_diagonal_(1)
    relations[0, 1] = 0
    return exit_loss(
        queries, documents, relations, loss=lambda *a, **k: infonce(*a, symmetric=True, **k),
        exit_weight=0.3, distillation_weight=0.2, dimensions=(8, 32),
        weights=torch.linspace(0.5, 2.0, count, dtype=queries.dtype),
    )  # fmt: skip


def gradients(encoder: Encoder, texts: list[str]) -> dict[str, Tensor]:
    """Return the gradients of every case, and its loss."""
    found = {}
    for case, options in CASES.items():
        encoder.model.zero_grad()
        loss = compute(encoder, texts, options)
        loss.backward()
        sum_gradients(encoder.model)
        found[f"{case}/loss"] = loss.detach().clone()
        for name, parameter in encoder.model.named_parameters():
            if parameter.grad is not None:
                found[f"{case}/{name}"] = parameter.grad.clone()
    return found


def main(folder: Path, texts: list[str]) -> None:
    """Join the other ranks, and leave the gradients that this one has."""
    torch.set_num_threads(1)
    distributed.init_process_group(
        "gloo",
        init_method=f"file://{folder}/meeting",
        rank=int(os.environ["RANK"]),
        world_size=int(os.environ["WORLD_SIZE"]),
        timeout=timedelta(seconds=120),
    )
    encoder = load_encoder(folder / "model", device="cpu")
    encoder.model.double()
    save_file(gradients(encoder, texts), folder / f"{os.environ['RANK']}.safetensors")
    distributed.destroy_process_group()


if __name__ == "__main__":
    main(Path(sys.argv[1]), sys.argv[2:])
