"""An embedding model whose every layer can be read in one pass, and cut off."""

import copy
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from typing import Any, Literal

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional
from transformers import PreTrainedModel, PreTrainedTokenizerFast

from .backbones import Backbone, backbone_of
from .pooling import Pooling, pool

Kind = Literal["query", "document"]

# Tokens at once on a CPU, as its caches hold (1.6 times as fast as 16,384), and on a GPU.
BATCH_TOKENS = (1024, 65536)


@dataclass(frozen=True, eq=False)
class Encoder:
    """A transformer, its tokenizer, and how tokens become one vector per text.

    "Layer k" is the model cut to its first k layers, 0 to `layers`: what leaves the k-th layer,
    passed through the norm that the architecture applies last, pooled, and normalised.

    Attributes:
        model: A transformers encoder of a type in `backbones.BACKBONES`.
        tokenizer: The tokenizer of the model.
        pooling: How the vectors of a text's tokens become one.
        normalize: Whether embeddings have length 1.
        max_tokens: Longer texts are cut there; special tokens and the prompt count.
        prompts: What is put before a text, by kind; a kind that is missing has none.

    Raises:
        ValueError: the architecture cannot be cut.
    """

    model: PreTrainedModel
    tokenizer: PreTrainedTokenizerFast
    pooling: Pooling
    normalize: bool
    max_tokens: int
    prompts: Mapping[str, str]

    def __post_init__(self) -> None:
        if self.backbone.has_pooler:
            setattr(self.model, "pooler", None)  # noqa: B010 - typed as a module

    @property
    def layers(self) -> int:
        """Number of transformer layers."""
        return len(self._layers)

    @property
    def dimension(self) -> int:
        """Length of an embedding."""
        return int(self.model.config.hidden_size)

    @property
    def device(self) -> torch.device:
        """Where the model is."""
        return self.model.device

    @property
    def backbone(self) -> Backbone:
        """How the architecture is built."""
        return backbone_of(self.model.config.model_type)

    @property
    def _layers(self) -> nn.ModuleList:
        layers = self.model.get_submodule(self.backbone.layers)
        assert isinstance(layers, nn.ModuleList)
        return layers

    def tokenize(self, texts: Sequence[str], kind: Kind) -> list[list[int]]:
        """Return the token ids of each text, prompt and special tokens included."""
        if not texts:
            return []
        prompt = self.prompts.get(kind, "")
        prompted = [prompt + text for text in texts]
        tokens = self.tokenizer(prompted, truncation=True, max_length=self.max_tokens)
        ids: list[list[int]] = tokens["input_ids"]
        return ids

    def pad(self, ids: Sequence[Sequence[int]]) -> dict[str, Tensor]:
        """Return the model's input for texts of any lengths, padded on the right.

        Returns:
            `input_ids` and `attention_mask`, (texts, longest), on the model's device.
        """
        shape = len(ids), max(map(len, ids))
        input_ids = torch.full(shape, self.tokenizer.pad_token_id, dtype=torch.long)
        attention_mask = torch.zeros(shape, dtype=torch.long)
        for row, tokens in enumerate(ids):
            input_ids[row, : len(tokens)] = torch.tensor(tokens, dtype=torch.long)
            attention_mask[row, : len(tokens)] = 1
        batch = {"input_ids": input_ids, "attention_mask": attention_mask}
        return {name: tensor.to(self.device) for name, tensor in batch.items()}

    def forward(self, batch: Mapping[str, Tensor], layers: Sequence[int]) -> Tensor:
        """Embed a padded batch at several layers in one pass; gradients flow to the weights.

        A layer is pooled as soon as it is reached, so its token vectors are not kept for it.

        Args:
            batch: What `pad` returns.
            layers: Layers wanted, each 0 to `self.layers`, in any order.

        Returns:
            (layers, texts, dimension) float32, in the order of `layers`.

        Raises:
            ValueError: the model has no such layer.
        """
        for layer in layers:
            self._require(layer)
        mask = batch["attention_mask"]
        embeddings: dict[int, Tensor] = {}

        def embed(layer: int, hidden: Tensor) -> None:
            embeddings[layer] = self._embed(self._finish(hidden), mask)

        with self._watched(set(layers) - {self.layers}, embed):
            output = self.model(**batch)
        if self.layers in layers:  # the model has applied its final norm to this one itself
            embeddings[self.layers] = self._embed(output.last_hidden_state, mask)
        return torch.stack([embeddings[layer] for layer in layers])

    def encode(
        self,
        texts: Sequence[str],
        kind: Kind,
        layers: Sequence[int],
        *,
        batch_tokens: int | None = None,
        advance: Callable[[int], object] = lambda count: None,
    ) -> np.ndarray:
        """Embed texts at several layers; a result does not depend on the other texts.

        Args:
            texts: Any number of texts.
            kind: Which prompt they get.
            layers: Layers wanted, each 0 to `self.layers`, in any order.
            batch_tokens: Tokens that go through the model at once, padding included. A single text
                may exceed it. By default what suits the device (`BATCH_TOKENS`).
            advance: Told the number of texts done.

        Returns:
            (texts, layers, dimension) float32, in the order of `texts` and `layers`.
        """
        ids = self.tokenize(texts, kind)
        most = batch_tokens or BATCH_TOKENS[self.device.type == "cuda"]
        embeddings = np.empty((len(texts), len(layers), self.dimension), dtype=np.float32)
        with _evaluating(self.model), torch.inference_mode():
            for rows in batches_by_length([len(tokens) for tokens in ids], most):
                found = self.forward(self.pad([ids[row] for row in rows]), layers)
                embeddings[rows] = found.transpose(0, 1).cpu().numpy()
                advance(len(rows))
        return embeddings

    def cut(self, layer: int) -> "Encoder":
        """Return a copy that has the first `layer` layers only, in weights and in configuration.

        Raises:
            ValueError: the model has no such layer, or none would be left: of some architectures
                transformers cannot read a model without layers back.
        """
        self._require(layer, least=1)
        shortened = replace(self, model=copy.deepcopy(self.model))
        del shortened._layers[layer:]
        config = shortened.model.config
        config.num_hidden_layers = layer
        for name in self.backbone.per_layer:
            setattr(config, name, getattr(config, name)[:layer])
        return shortened

    def gflops(self, tokens: int, layer: int | None = None) -> float:
        """Return the cost of encoding a text of `tokens` tokens, in 10⁹ floating-point operations.

        Matrix products alone are counted, a multiplication and an addition each as one. Attention
        counts in full: a sliding window is masked, not skipped, by the attention used here.

        Args:
            tokens: Tokens of the text.
            layer: Cost of the model cut to this layer; the whole model if left out.
        """
        layers = self._layers[:layer]
        weights = sum(
            module.weight.numel() for module in layers.modules() if isinstance(module, nn.Linear)
        )
        attention = 2 * len(layers) * tokens * self.dimension  # queries · keys, weights · values
        return 2 * tokens * (weights + attention) / 1e9

    def _require(self, layer: int, least: int = 0) -> None:
        if not least <= layer <= self.layers:
            raise ValueError(f"Layer {layer} is not one of the layers {least} to {self.layers}.")

    @contextmanager
    def _watched(self, layers: set[int], reached: Callable[[int, Tensor], None]) -> Iterator[None]:
        """Call `reached` with what enters the layer after k, for each k of `layers`."""
        with ExitStack() as stack:
            for layer in layers:

                def hook(_: nn.Module, inputs: tuple[Any, ...], layer: int = layer) -> None:
                    reached(layer, inputs[0])

                stack.callback(self._layers[layer].register_forward_pre_hook(hook).remove)
            yield

    def _finish(self, hidden: Tensor) -> Tensor:
        norm = self.backbone.final_norm
        return hidden if norm is None else self.model.get_submodule(norm)(hidden)

    def _embed(self, hidden: Tensor, mask: Tensor) -> Tensor:
        pooled = pool(hidden, mask, self.pooling)
        return functional.normalize(pooled, dim=-1) if self.normalize else pooled


def batches_by_length(lengths: Sequence[int], batch_tokens: int) -> Iterator[list[int]]:
    """Group texts of like length so that a batch holds at most `batch_tokens`, padding included.

    The longest come first: what does not fit into memory fails at once, not after an hour.

    >>> list(batches_by_length([1, 5, 2, 4], batch_tokens=10))
    [[1, 3], [2, 0]]
    """
    rows: list[int] = []
    for row in sorted(range(len(lengths)), key=lambda row: -lengths[row]):
        if rows and (len(rows) + 1) * lengths[rows[0]] > batch_tokens:
            yield rows
            rows = []
        rows.append(row)
    if rows:
        yield rows


@contextmanager
def _evaluating(model: nn.Module) -> Iterator[None]:
    was_training = model.training
    model.eval()
    try:
        yield
    finally:
        model.train(was_training)
