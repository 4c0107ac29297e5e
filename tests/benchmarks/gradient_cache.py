"""Gradient caching: the peak memory of a large batch beside that of a small one without it.

    python -m tests.benchmarks.gradient_cache [--batch 4096] [--small 64] [--texts-per-pass 64]

A small random BERT takes one training step, exits and Matryoshka dimensions on, each in a process
of its own: the small batch plain, the same batch cached, and the large batch cached. Told are the
peak resident memory, what of it the step added to the model and its optimizer, and seconds; and by
how much the cached gradients of the small batch differ from the plain ones.
"""

import argparse
import json
import math
import random
import resource
import subprocess
import sys
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path

PLAIN, CACHED = "plain", "cached"
LAYERS, HIDDEN, TOKENS, WORDS = 4, 128, 64, 1000
MEGABYTE = 1 << 20


def main() -> None:
    """Run the three and tell how they compare."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--batch", type=int, default=4096)
    parser.add_argument("--small", type=int, default=64)
    parser.add_argument("--texts-per-pass", type=int, default=64)
    parser.add_argument("--run", choices=(PLAIN, CACHED), default=None)
    options = parser.parse_args()
    if options.run:
        passes = options.texts_per_pass if options.run == CACHED else None
        return take_step(options.batch, passes)
    small = measure(PLAIN, options.small, options)
    measure(CACHED, options.small, options)
    large = measure(CACHED, options.batch, options)
    share = large["added"] / small["added"]
    tell(f"batch {options.batch} cached adds {share:.2f} of what {options.small} plain adds")
    for precision, difference in compare(options.small, options.texts_per_pass).items():
        tell(f"gradients of {options.small}, {precision}: {difference:.1e} of their norm")


def measure(mode: str, batch: int, options: argparse.Namespace) -> dict[str, float]:
    """Take one step in a process of its own and tell what it took."""
    command = [sys.executable, str(Path(__file__)), "--run", mode, "--batch", str(batch)]
    command += ["--texts-per-pass", str(options.texts_per_pass)]
    answer = subprocess.run(command, check=True, capture_output=True, text=True).stdout
    found: dict[str, float] = json.loads(answer.splitlines()[-1])
    tell(
        f"batch {batch:5} {mode:6}: peak {found['peak']:.0f} MiB, of them {found['added']:.0f} "
        f"for the step, {found['seconds']:.1f} s"
    )
    return found


def take_step(batch: int, texts_per_pass: int | None) -> None:
    """Take one step; write peak memory and seconds as JSON."""
    compute_gradients = build()
    compute_gradients(4, None)  # what is loaded or allocated once is not the step's
    before = peak()
    started = time.monotonic()
    compute_gradients(batch, texts_per_pass)
    seconds = time.monotonic() - started
    tell(json.dumps({"peak": peak(), "added": peak() - before, "seconds": seconds}))


def compare(batch: int, texts_per_pass: int) -> dict[str, float]:
    """Return how far cached gradients are from plain ones, and these from exact ones."""
    plain, cached = (build()(batch, passes) for passes in (None, texts_per_pass))
    exact, again = (build("float64")(batch, passes) for passes in (None, texts_per_pass))
    return {
        "cached and plain in float32": math.dist(cached, plain) / math.hypot(*plain),
        "plain in float32 and in float64": math.dist(plain, exact) / math.hypot(*exact),
        "cached and plain in float64": math.dist(again, exact) / math.hypot(*exact),
    }


def build(precision: str = "float32") -> Callable[[int, int | None], list[float]]:
    """Make a small BERT and the function that gives its gradients for (batch, texts per pass)."""
    import torch
    from transformers import BertConfig, BertModel, BertTokenizerFast

    from tasks.core.encoder import Encoder
    from tasks.core.exit_losses import exit_loss
    from tasks.core.kernels import fast_attention
    from tasks.core.losses import infonce
    from tasks.core.training import embed_batch

    torch.manual_seed(0)
    words = [f"w{number}" for number in range(WORDS)]
    names = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", *words]
    tokenizer = BertTokenizerFast(vocab={name: number for number, name in enumerate(names)})
    sizes = {"hidden_size": HIDDEN, "intermediate_size": 4 * HIDDEN, "num_attention_heads": 4}
    sizes |= {"initializer_range": 0.1}  # at .02 all texts are nearly one, and rounding is large
    model = BertModel(BertConfig(vocab_size=len(names), num_hidden_layers=LAYERS, **sizes)).eval()
    model.to(getattr(torch, precision))
    encoder = Encoder(model, tokenizer, "mean", True, TOKENS, {})
    exits = list(range(LAYERS // 2, LAYERS + 1))

    def compute_gradients(batch: int, texts_per_pass: int | None) -> list[float]:
        draw = random.Random(batch)
        texts = [" ".join(draw.choices(words, k=TOKENS)) for _ in range(2 * batch)]
        relations = torch.full((batch, batch), -1, dtype=torch.int8).fill_diagonal_(1)
        embed = partial(
            embed_batch, encoder, layers=exits, tokens_per_pass=10**9, texts_per_pass=texts_per_pass
        )
        model.zero_grad()
        with fast_attention(encoder):
            exit_loss(
                embed(texts=texts[:batch], kind="query"),
                embed(texts=texts[batch:], kind="document"),
                relations,
                loss=infonce,
                exit_weight=0.05,
                distillation_weight=0.2,
                dimensions=(HIDDEN // 4, HIDDEN // 2, HIDDEN),
            ).backward()
        found = [p.grad.flatten() for p in model.parameters() if p.grad is not None]
        values: list[float] = torch.cat(found)[::97].tolist()
        return values

    return compute_gradients


def peak() -> float:
    """Return the most memory this process has had so far, in MiB."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024 / MEGABYTE


def tell(line: str) -> None:
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()


if __name__ == "__main__":
    main()
