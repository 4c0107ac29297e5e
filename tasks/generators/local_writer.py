"""A language model at work: passages in, lines out, by the fastest way its kind allows."""

import logging
from collections.abc import Callable, Iterator, Sequence
from functools import cache
from typing import TYPE_CHECKING

from ..contracts import BurnishError
from ..core.alone import Alone
from ..core.contrast import Contrast
from ..core.generation import Line, Prompt, Reader, write_lines
from ..core.row_attention import ROW_BY_ROW
from ..core.sampling import Sampling
from ..core.sequence_to_sequence import write_answers
from ..core.slots import Slots, agrees
from .local_prompts import Frame

if TYPE_CHECKING:
    from transformers import PreTrainedModel, PreTrainedTokenizerFast

logger = logging.getLogger(__name__)

SAMPLE = "The quick brown fox jumps over the lazy dog and runs into the forest to hide there."


class Writer:
    """Writes lines after passages that stand in a frame."""

    def __init__(
        self,
        model: "PreTrainedModel",
        tokenizer: "PreTrainedTokenizerFast",
        frame: Frame,
        *,
        lines: int,
        max_tokens: int,
        temperature: float,
        top_p: float,
        contrast: float,
    ) -> None:
        """Prepare a model; see `Sampling` and `Contrast` for the settings."""
        self._model = model
        self._tokenizer = tokenizer
        self._before, self._after = frame.tokens(tokenizer)
        self._contrast = contrast
        self._sampling = Sampling(lines, max_tokens, temperature, top_p, self._speller())

    def write(
        self, passages: Sequence[Sequence[int]], seeds: Sequence[int], rows: int
    ) -> Iterator[tuple[int, list[str], list[str]]]:
        """Write for passages of tokens.

        Args:
            passages: Tokens of each passage.
            seeds: One per passage.
            rows: Most lines being written at the same time.

        Yields:
            The number of a passage, its lines, and those that had no end.

        Raises:
            BurnishError: the model cannot write.
        """
        rows = max(rows, self._sampling.lines)
        for number, lines in self._lines(passages, seeds, rows):
            spelt = [str(self._tokenizer.decode(list(line.tokens))).strip() for line in lines]
            told = list(zip(lines, spelt, strict=True))
            finished = [text for line, text in told if line.is_finished]
            yield number, finished, [text for line, text in told if not line.is_finished]

    def _lines(
        self, passages: Sequence[Sequence[int]], seeds: Sequence[int], rows: int
    ) -> Iterator[tuple[int, list[Line]]]:
        pairs = list(zip(passages, seeds, strict=True))
        if self._model.config.is_encoder_decoder:
            end = self._tokenizer("").input_ids
            whole = [[*self._before, *tokens, *self._after, *end] for tokens, _ in pairs]
            prompts = [Prompt(tokens, seed) for tokens, (_, seed) in zip(whole, pairs, strict=True)]
            yield from write_answers(self._model, prompts, self._sampling, rows)
            return
        prompts = [Prompt([*tokens, *self._after], seed) for tokens, seed in pairs]
        longest = max(len(prompt.tokens) for prompt in prompts) + self._sampling.max_tokens
        reader = self._reader(rows, len(self._before) + longest)
        yield from write_lines(reader, prompts, self._sampling)

    def _reader(self, rows: int, capacity: int) -> Reader:
        """Choose how the model is read, the fastest way that is true to it."""
        doubled = 2 * rows + 1 if self._contrast else rows
        reader: Reader
        if self._fits_slots():
            reader = Slots(self._model, self._before, doubled, capacity)
        else:
            logger.info("the model %s is read a text at a time", self._model.config.model_type)
            try:
                reader = Alone(self._model, self._before, doubled)
            except (AttributeError, TypeError, ValueError) as error:
                kind = self._model.config.model_type
                raise BurnishError(
                    f"A model of the kind {kind} cannot be read ahead ({error}). Give a language "
                    "model that keeps keys and values, such as Llama, Qwen, or SmolLM."
                ) from error
        return Contrast(reader, self._after, self._contrast) if self._contrast else reader

    def _fits_slots(self) -> bool:
        sample = self._tokenizer(SAMPLE, add_special_tokens=False).input_ids
        if self._model.device.type == "cpu" and self._model.config._attn_implementation == "sdpa":
            self._model.set_attn_implementation(ROW_BY_ROW)
            if agrees(self._model, sample):
                return True
            self._model.set_attn_implementation("sdpa")
        return agrees(self._model, sample)

    def _speller(self) -> Callable[[int], str]:
        # A GGUF file names but two or three of its marks as special tokens; this tells them all.
        added = self._tokenizer.added_tokens_decoder.items()
        special = {*self._tokenizer.all_special_ids, *(mark for mark, it in added if it.special)}

        @cache
        def spell(token: int) -> str:
            return "" if token in special else str(self._tokenizer.decode([token]))

        return spell
