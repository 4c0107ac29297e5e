"""Lines written by a model of encoder and decoder, such as doc2query's T5 (arXiv:1904.08375)."""

from collections.abc import Iterator, Sequence

import torch
from torch import Tensor
from transformers import DynamicCache, EncoderDecoderCache, PreTrainedModel
from transformers.modeling_outputs import BaseModelOutput

from .generation import Line, Prompt, Row, begin_rows, take
from .sampling import Sampling


def write_answers(
    model: PreTrainedModel, prompts: Sequence[Prompt], sampling: Sampling, rows: int
) -> Iterator[tuple[int, list[Line]]]:
    """Write lines for every prompt; prompts of like length go through the model together.

    All begin at the decoder's first place, so the lines of a batch keep step: architectures of this
    kind count places from there, the same in every row.

    Args:
        model: A sequence-to-sequence model, in evaluation mode.
        prompts: What the encoder reads.
        sampling: How lines are begun and tokens chosen.
        rows: Most lines written at once.

    Yields:
        The number of a prompt and its lines, the longest prompts first.
    """
    order = sorted(range(len(prompts)), key=lambda number: -len(prompts[number].tokens))
    most = max(rows // sampling.lines, 1)
    with torch.inference_mode():
        for start in range(0, len(order), most):
            numbers = order[start : start + most]
            written = _write(model, [prompts[number] for number in numbers], sampling)
            yield from zip(numbers, written, strict=True)


def _write(
    model: PreTrainedModel, prompts: Sequence[Prompt], sampling: Sampling
) -> list[list[Line]]:
    decoder = _Decoder(model, [prompt.tokens for prompt in prompts])
    first = decoder.step(_opening(model, len(prompts)))
    begun = [
        begin_rows(number, prompt, sampling, logits)
        for number, (prompt, logits) in enumerate(zip(prompts, first, strict=True))
    ]
    rows: list[Row] = [row for each in begun for row in each]
    decoder.select([row.number for row in rows])
    while rows:
        logits = decoder.step(torch.tensor([[row.tokens[-1]] for row in rows]))
        take(rows, sampling, logits)
        going = [place for place, row in enumerate(rows) if row.line is None]
        if len(going) < len(rows):
            decoder.select(going)
            rows = [rows[place] for place in going]
    return [[row.line for row in each if row.line] for each in begun]


def _opening(model: PreTrainedModel, count: int) -> Tensor:
    """Return what a decoder is begun with, (count, tokens)."""
    settings = model.generation_config
    assert settings is not None
    tokens = [settings.decoder_start_token_id, settings.forced_bos_token_id]
    opening = [token for token in tokens if token is not None]
    return torch.tensor([opening or [model.config.decoder_start_token_id]] * count)


class _Decoder:
    """The decoder of a model, over texts its encoder has read."""

    def __init__(self, model: PreTrainedModel, texts: Sequence[Sequence[int]]) -> None:
        self._model = model
        shape = len(texts), max(map(len, texts))
        inputs = torch.zeros(shape, dtype=torch.long)
        mask = torch.zeros(shape, dtype=torch.long)
        for row, tokens in enumerate(texts):
            inputs[row, : len(tokens)] = torch.tensor(tokens)
            mask[row, : len(tokens)] = 1
        self._mask = mask.to(model.device)
        encoder = model.get_encoder()
        output = encoder(input_ids=inputs.to(model.device), attention_mask=self._mask)
        self._states: Tensor = output.last_hidden_state
        self._cache = EncoderDecoderCache(DynamicCache(), DynamicCache())

    def step(self, tokens: Tensor) -> Tensor:
        """Add tokens, (rows, tokens); return what may follow, (rows, vocabulary)."""
        output = self._model(
            encoder_outputs=BaseModelOutput(last_hidden_state=self._states),
            attention_mask=self._mask,
            decoder_input_ids=tokens.to(self._mask.device),
            past_key_values=self._cache,
            use_cache=True,
        )
        logits: Tensor = output.logits[:, -1]
        return logits

    def select(self, rows: Sequence[int]) -> None:
        """Keep these rows, in this order; a row may be kept more than once."""
        places = torch.tensor(list(rows), dtype=torch.long, device=self._mask.device)
        self._mask, self._states = self._mask[places], self._states[places]
        self._cache.batch_select_indices(places)
