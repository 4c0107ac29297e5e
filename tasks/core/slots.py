"""Slots: the keys and values of many texts in one block of memory, each at its own length."""

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor
from transformers import Cache, PreTrainedModel
from transformers.cache_utils import CacheLayerMixin

AGREEMENT = 0.99  # least cosine of two ways to the same logits; bfloat16 alone costs 0.0005


class Slots:
    """A causal model that reads a shared prefix once and goes on from it in every row.

    A row's keys and values stand at the place of their token: no padding comes between, so what a
    row holds is what it would hold alone. The prefix is computed once, copied into every row, and
    left there for the prompts to come.
    """

    def __init__(
        self, model: PreTrainedModel, prefix: Sequence[int], rows: int, capacity: int
    ) -> None:
        """Read the prefix.

        Args:
            model: A causal language model, in evaluation mode.
            prefix: Tokens every text begins with; may be empty.
            rows: Most texts held at once.
            capacity: Most tokens of a text, prefix included.

        Raises:
            ValueError: the model's attention cannot be told what each row may see.
        """
        self.model = model
        self.rows = rows
        self._place = _Place(rows, capacity)
        config = model.config.get_text_config(decoder=True)
        self._cache = Cache(layers=[_Layer(self._place) for _ in range(config.num_hidden_layers)])
        self._lengths: list[int] = [0] * rows
        kinds = set(getattr(config, "layer_types", None) or [])
        window = getattr(config, "sliding_window", None)
        self._window: int | None = window if not kinds or "sliding_attention" in kinds else None
        self._has_kinds = "sliding_attention" in kinds
        self._prefix = 0
        with torch.inference_mode():
            if prefix:
                self.read(0, prefix)
                for row in range(1, rows):
                    self.move(0, row)
            self._prefix = len(prefix)

    def read(self, row: int, tokens: Sequence[int]) -> Tensor:
        """Begin row `row`, alone and at its exact length; return what may follow, (vocabulary,).

        Args:
            row: Any row.
            tokens: Read after the prefix; one at the least.
        """
        start, end = self._prefix, self._prefix + len(tokens)
        self._lengths[row] = end
        self._place.at(row, row + 1, [start], end)
        return self._run([tokens], torch.arange(start, end)[None])[0]

    def step(self, tokens: Sequence[int]) -> Tensor:
        """Add a token to each of the first rows; return what may follow, (rows, vocabulary)."""
        count = len(tokens)
        starts = self._lengths[:count]
        self._place.at(0, count, starts, max(starts) + 1)
        self._lengths[:count] = [start + 1 for start in starts]
        return self._run([[token] for token in tokens], torch.tensor(starts)[:, None])

    def move(self, source: int, target: int) -> None:
        """Copy row `source` to row `target`."""
        self._lengths[target] = self._lengths[source]
        for layer in self._cache.layers:
            assert isinstance(layer, _Layer)
            layer.move(source, target, self._lengths[source])

    def _run(self, tokens: Sequence[Sequence[int]], positions: Tensor) -> Tensor:
        device = self.model.device
        places = torch.arange(self._place.end)
        distances = positions[:, None, :, None] - places
        full = distances >= 0
        near = full if self._window is None else full & (distances < self._window)
        masks: Any = self._mask(near)
        if self._has_kinds:
            masks = {"full_attention": self._mask(full), "sliding_attention": masks}
        output = self.model(
            input_ids=torch.tensor(tokens, device=device),
            attention_mask=masks,
            position_ids=positions.to(device),
            past_key_values=self._cache,
            use_cache=True,
            logits_to_keep=1,
        )
        logits: Tensor = output.logits[:, -1]
        return logits

    def _mask(self, seen: Tensor) -> Tensor:
        """Return what is seen as the attention at work takes it: `eager` adds its mask."""
        mask = seen.to(self.model.device)
        if self.model.config._attn_implementation != "eager":
            return mask
        lowest = torch.finfo(self.model.dtype).min
        return torch.zeros_like(mask, dtype=self.model.dtype).masked_fill(~mask, lowest)


def agrees(model: PreTrainedModel, tokens: Sequence[int]) -> bool:
    """Tell whether rows of a model see what they would see alone.

    An architecture that takes no mask per row, or no places, would write nonsense without an error.

    Args:
        model: A causal language model.
        tokens: Any text of 8 tokens or more.
    """
    third = len(tokens) // 3
    texts = [tokens[:third], tokens[:-1]]
    try:
        slots = Slots(model, tokens[: third - 1], 2, len(tokens))
        with torch.inference_mode():
            for row, text in enumerate(texts):
                slots.read(row, text[third - 1 :])
            found = slots.step([tokens[-1]] * 2).float()
            for row, text in enumerate(texts):
                whole = torch.tensor([[*text, tokens[-1]]], device=model.device)
                wanted = model(input_ids=whole, use_cache=False).logits[0, -1].float()
                if torch.cosine_similarity(found[row], wanted, dim=0) < AGREEMENT:
                    return False
    except (AttributeError, IndexError, KeyError, RuntimeError, TypeError, ValueError):
        return False
    return True


class _Place:
    """Where the next keys and values go, told to all layers at once."""

    def __init__(self, rows: int, capacity: int) -> None:
        self.shape = rows, capacity
        self.at(0, 1, [0], 0)

    def at(self, first: int, last: int, starts: Sequence[int], end: int) -> None:
        """Set rows `first` to `last`, their first free places, and the end of the longest."""
        self.first, self.last, self.starts, self.end = first, last, list(starts), end


class _Layer(CacheLayerMixin):  # type: ignore[no-untyped-call]
    """The keys and values of one layer, (rows, heads, places, dimension)."""

    is_sliding = False

    def __init__(self, place: _Place) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self._place = place

    def lazy_initialization(self, key_states: Tensor, value_states: Tensor) -> None:
        rows, capacity = self._place.shape
        for name, states in (("keys", key_states), ("values", value_states)):
            shape = rows, states.shape[1], capacity, states.shape[3]
            setattr(self, name, states.new_zeros(shape))
        self.is_initialized = True

    def update(
        self, key_states: Tensor, value_states: Tensor, *args: object, **kwargs: object
    ) -> tuple[Tensor, Tensor]:
        if not self.is_initialized:
            self.lazy_initialization(key_states, value_states)
        place = self._place
        for held, states in ((self.keys, key_states), (self.values, value_states)):
            assert held is not None
            if states.shape[2] == 1:
                rows = torch.arange(place.first, place.last)
                held[rows, :, torch.tensor(place.starts)] = states[:, :, 0]
            else:
                held[place.first, :, place.starts[0] : place.end] = states[0]
        assert self.keys is not None and self.values is not None
        seen = slice(place.first, place.last), slice(None), slice(0, place.end)
        return self.keys[seen], self.values[seen]

    def move(self, source: int, target: int, length: int) -> None:
        for held in (self.keys, self.values):
            assert held is not None
            held[target, :, :length] = held[source, :, :length]

    def get_mask_sizes(self, query_length: int) -> tuple[int, int]:
        return self._place.end, 0

    def get_seq_length(self) -> int:
        return self._place.starts[0]

    def get_max_length(self) -> int:
        return self._place.shape[1]
