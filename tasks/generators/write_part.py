"""A part of the passages to write for, on whatever process it landed: the model is loaded once."""

import contextlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, NamedTuple

from ..contracts import BurnishError
from ..held import hold_model
from ..packed import unpack
from .local_model import LocalModel
from .local_prompts import Frame

if TYPE_CHECKING:
    import numpy as np
    from transformers import PreTrainedModel, PreTrainedTokenizerFast

    from .local_writer import Writer


@dataclass(frozen=True)
class Manner:
    """How lines are written, whatever they are written for; see `Writer`."""

    frame: Frame
    lines: int
    max_tokens: int
    temperature: float
    top_p: float
    contrast: float

    def prepare(self, model: "PreTrainedModel", tokenizer: "PreTrainedTokenizerFast") -> "Writer":
        """Make a model a writer in this manner."""
        from .local_writer import Writer

        return Writer(
            model, tokenizer, self.frame, lines=self.lines, max_tokens=self.max_tokens,
            temperature=self.temperature, top_p=self.top_p, contrast=self.contrast,
        )  # fmt: skip


class Written(NamedTuple):
    """What was written for a passage: lines, and those that had no end."""

    finished: list[str]
    cut: list[str]


def write_part(
    model: LocalModel,
    fingerprint: str,
    manner: Manner,
    rows: int,
    passages: "Sequence[np.ndarray]",
    seeds: Sequence[int],
    packed: "np.ndarray | None",
) -> list[Written]:
    """Write for passages, as `Writer.write` does.

    Args:
        model: Where it is where the flow runs, and how it is read there: so it is read here.
        fingerprint: Of the model.
        manner: How lines are written.
        rows: Most lines being written at the same time.
        passages: (tokens,) of each passage.
        seeds: One per passage.
        packed: The model's files, for a process that does not see them.

    Returns:
        What was written for each passage, in order.

    Raises:
        BurnishError: the model did not arrive whole, or cannot be read or write here.
    """

    def load() -> "Writer":
        with at_hand(model, fingerprint, packed) as seen:
            return manner.prepare(_load(seen), seen.load_tokenizer())

    with hold_model((fingerprint, model.number_format, model.place, manner), load) as writer:
        tokens = [passage.tolist() for passage in passages]
        found = {
            number: Written(finished, cut)
            for number, finished, cut in writer.write(tokens, seeds, rows)
        }
        return [found[number] for number in range(len(passages))]


@contextlib.contextmanager
def at_hand(
    model: LocalModel, fingerprint: str, packed: "np.ndarray | None"
) -> Iterator[LocalModel]:
    """Give a model: where it is, if this node sees it there, else unpacked for this while.

    A path proves nothing, since a package of another version may be there: the files are hashed.

    Raises:
        BurnishError: it is neither there nor packed, or did not arrive whole.
    """
    if _is_there(model, fingerprint):
        yield model
        return
    if packed is None:
        raise BurnishError(f"The model in {model.folder} changed or is gone. Run once more.")
    with unpack(packed) as folder:
        arrived = replace(model, folder=folder)
        if not _is_there(arrived, fingerprint):
            raise BurnishError(
                f"The model in {model.folder} did not arrive whole on a node. Run once more."
            )
        yield arrived


def _is_there(model: LocalModel, fingerprint: str) -> bool:
    fresh = replace(model)  # which knows no fingerprint yet, whatever the given one was asked
    try:
        return fresh.fingerprint == fingerprint
    except OSError:
        return False


def _load(model: LocalModel) -> "PreTrainedModel":
    import torch

    if model.place.startswith("cuda") and not torch.cuda.is_available():
        raise BurnishError(
            "The process that runs the flow has a GPU and would write on one, but a node has none. "
            "Give all nodes GPUs, or set --synthesize.local.device cpu."
        )
    return model.load()
