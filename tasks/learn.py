"""learn: what the stage `train` does, in its own process or in each of several ranks."""

from pathlib import Path
from typing import TYPE_CHECKING, Any

from .contracts import BurnishError, Checkpoint, Corpus, Pairs, Triplets
from .tables import read_passages

if TYPE_CHECKING:
    from .core.encoder import Encoder
    from .train import TrainConfig


def learn(
    corpus: Corpus,
    pairs: Pairs,
    triplets: Triplets,
    base: Checkpoint,
    config: "TrainConfig",
    state: Path,
    device: str | None = None,
) -> "tuple[Encoder, dict[str, Any]]":
    """Train in this process, alone or as one of several ranks; see `train`.

    Args:
        corpus: Passages.
        pairs: Queries; those of the dev split are watched if the config asks for it.
        triplets: What is learnt.
        base: The model that learns.
        config: How.
        state: Folder where the training state is kept.
        device: Where; if left out, on the GPU where there is one.

    Returns:
        The encoder and the numbers worth telling.

    Raises:
        BurnishError: there is nothing to train on, or the model cannot be trained so.
    """
    from .core.batches import group_queries
    from .dev_score import read_dev_set
    from .examples import read_examples
    from .model_files import load_encoder
    from .phases import run_phases

    encoder = load_encoder(base.path, device)
    exits = resolve_exits(config.exits, encoder.layers)
    dimensions = resolve_dimensions(config.dimensions, encoder.dimension)
    if config.loss != "infonce" and not encoder.normalize:
        raise BurnishError(
            f"train.loss {config.loss} is made for cosines, but the base's embeddings are compared "
            "by inner products of any size. Leave train.loss at infonce."
        )
    _check_room(encoder, config.max_tokens)
    passages = read_passages(corpus)
    queries = read_examples(pairs, triplets, passages)
    by_passage = group_queries(queries)
    if len(by_passage) < 2:
        raise BurnishError(
            f"Only {len(by_passage)} passages of the train split have a query; at least 2 are "
            "needed. Give more documents, lower --synthesize.dev-fraction and "
            "--synthesize.test-fraction, or leave out --mine.round-trip."
        )
    dev = read_dev_set(pairs, passages, seed=config.seed) if config.patience else None
    facts = run_phases(
        encoder, exits, dimensions, by_passage, passages.texts, passages.documents, config, state,
        dev,
    )  # fmt: skip
    facts |= {"exits": list(exits), "layers": encoder.layers, "queries": len(queries)}
    facts |= {"passages": len(by_passage)}
    if "kept" in base.facts:  # layers were left out, and the rest was healed
        facts |= {"kept": base.facts["kept"], "healed": base.facts}
    return encoder, facts | {"dimensions": list(dimensions), "loss": config.loss}


def _check_room(encoder: "Encoder", max_tokens: int) -> None:
    for kind, prompt in encoder.prompts.items():
        taken = len(encoder.tokenizer(prompt, truncation=False)["input_ids"])
        if taken >= max_tokens:
            raise BurnishError(
                f"The base's {kind} prompt takes {taken} tokens, but train.max_tokens is "
                f"{max_tokens}: nothing of a text would be learnt. Raise it."
            )


def resolve_exits(exits: tuple[int, ...], layers: int) -> tuple[int, ...]:
    """Return the exit layers, ascending, the last layer always among them.

    >>> resolve_exits((), 6), resolve_exits((2, 4), 6)
    ((6,), (2, 4, 6))
    """
    chosen = {*exits, layers}
    wrong = sorted(layer for layer in chosen if not 1 <= layer <= layers)
    if wrong:
        raise BurnishError(
            f"train.exits names the layers {wrong}, but the base has layers 1 to {layers}."
        )
    return tuple(sorted(chosen))


def resolve_dimensions(dimensions: tuple[int, ...], full: int) -> tuple[int, ...]:
    """Return the lengths that embeddings can be cut to, ascending, the full one among them.

    >>> resolve_dimensions((), 384), resolve_dimensions((128, 64), 384)
    ((384,), (64, 128, 384))
    """
    wrong = sorted(dimension for dimension in dimensions if not 1 <= dimension <= full)
    if wrong:
        raise BurnishError(
            f"train.dimensions names {wrong}, but the base's embeddings have {full} dimensions: "
            f"name lengths of 1 to {full}."
        )
    return tuple(sorted({*dimensions, full}))
