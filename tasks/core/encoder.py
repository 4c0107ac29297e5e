"""An embedding model whose every layer can be read in one pass, and cut off."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Literal

import numpy as np
import torch
from torch import Tensor
from transformers import PreTrainedModel, PreTrainedTokenizerFast

from .backbones import Backbone, backbone_of
from .layers import count_gflops, cut_layers, evaluating, find_layers, read_layers
from .pooling import Pooling, pool, shorten
from .tokens import pad_tokens, split_tokens

Kind = Literal["query", "document"]

# Tokens at once on a CPU, as its caches hold (1.6 times as fast as 16,384), and on a GPU.
BATCH_TOKENS = (1024, 65536)


@dataclass(frozen=True, eq=False)
class Encoder:
    """A transformer, its tokenizer, and how tokens become one vector per text.

    "Layer k" is the model cut to its first k layers, 0 to `layers`: what leaves the k-th layer,
    passed through the norm that the architecture applies last, pooled, and normalised.

    Attributes:
        model: A transformers model of a type in `backbones.BACKBONES`.
        tokenizer: The tokenizer of the model.
        pooling: How the vectors of a text's tokens become one.
        normalize: Whether embeddings have length 1.
        max_tokens: Longer texts are cut there; special tokens and the prompt count.
        prompts: What is put before a text, by kind; a kind that is missing has none.
        pools_prompt: Whether the prompt's tokens are pooled with the text's; they are read in any
            case.
        shortened_to: Numbers kept of an embedding, the first ones; all if left out.

    Raises:
        ValueError: the architecture cannot be cut, or embeddings are not that long.
    """

    model: PreTrainedModel
    tokenizer: PreTrainedTokenizerFast
    pooling: Pooling
    normalize: bool
    max_tokens: int
    prompts: Mapping[str, str]
    pools_prompt: bool = True
    shortened_to: int | None = None

    def __post_init__(self) -> None:
        whole = int(self.model.config.hidden_size)
        if self.shortened_to is not None and not 1 <= self.shortened_to <= whole:
            raise ValueError(f"Embeddings of {whole} numbers have no first {self.shortened_to}.")
        if self.backbone.has_pooler:
            setattr(self.model, "pooler", None)  # noqa: B010 - typed as a module

    @property
    def layers(self) -> int:
        """Number of transformer layers."""
        return len(find_layers(self.model))

    @property
    def dimension(self) -> int:
        """Length of an embedding."""
        return self.shortened_to or int(self.model.config.hidden_size)

    @property
    def device(self) -> torch.device:
        """Where the model is."""
        return self.model.device

    @property
    def backbone(self) -> Backbone:
        """How the architecture is built."""
        return backbone_of(self.model.config.model_type)

    def tokenize(self, texts: Sequence[str], kind: Kind) -> list[list[int]]:
        """Return the token ids of each text, prompt and special tokens included; see `tokens`."""
        prompt = self.prompts.get(kind, "")
        return split_tokens(
            self.tokenizer, texts, prompt,
            max_tokens=self.max_tokens, pools_prompt=self.pools_prompt,
        )  # fmt: skip

    def pad(self, ids: Sequence[Sequence[int]]) -> dict[str, Tensor]:
        """Return what `forward` takes for texts of any lengths: (texts, longest), on its device."""
        batch = pad_tokens(ids, self.tokenizer.pad_token_id)
        return {name: tensor.to(self.device) for name, tensor in batch.items()}

    def forward(self, batch: Mapping[str, Tensor], layers: Sequence[int]) -> Tensor:
        """Embed a padded batch at several layers in one pass; gradients flow to the weights.

        Args:
            batch: What `pad` returns.
            layers: Layers wanted, each 0 to `self.layers`, in any order.

        Returns:
            (layers, texts, dimension) float32, in the order of `layers`.

        Raises:
            ValueError: the model has no such layer.
        """
        return self.forward_poolings(batch, layers, [self.pooling])[0]

    def forward_poolings(
        self, batch: Mapping[str, Tensor], layers: Sequence[int], poolings: Sequence[Pooling]
    ) -> Tensor:
        """Embed a padded batch at several layers, pooled in several ways, in one pass.

        Args:
            batch: What `pad` returns.
            layers: Layers wanted, each 0 to `self.layers`, in any order.
            poolings: Poolings wanted, whatever the encoder's own is, in any order.

        Returns:
            (poolings, layers, texts, dimension) float32, in the order of `poolings` and `layers`.

        Raises:
            ValueError: the model has no such layer.
        """
        for layer in layers:
            self._require(layer)
        mask = batch.get("pooled_mask", batch["attention_mask"])
        inputs = {name: tensor for name, tensor in batch.items() if name != "pooled_mask"}
        embeddings: dict[int, Tensor] = {}

        def reached(layer: int, hidden: Tensor) -> None:
            found = [self._embed(hidden, mask, pooling) for pooling in poolings]
            embeddings[layer] = torch.stack(found)

        read_layers(self.model, inputs, layers, reached)
        return torch.stack([embeddings[layer] for layer in layers], dim=1)

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
        poolings = [self.pooling]
        return self.encode_poolings(
            texts, kind, layers, poolings, batch_tokens=batch_tokens, advance=advance
        )[:, 0]

    def encode_poolings(
        self,
        texts: Sequence[str],
        kind: Kind,
        layers: Sequence[int],
        poolings: Sequence[Pooling],
        *,
        batch_tokens: int | None = None,
        advance: Callable[[int], object] = lambda count: None,
    ) -> np.ndarray:
        """Embed texts at several layers, pooled in several ways, in one pass.

        Row i of pooling p is what `encode` gives with `pooling=p`; the other arguments are its.

        Returns:
            (texts, poolings, layers, dimension) float32, in the order of the arguments.
        """
        ids = self.tokenize(texts, kind)
        most = batch_tokens or BATCH_TOKENS[self.device.type == "cuda"]
        shape = len(texts), len(poolings), len(layers), self.dimension
        embeddings = np.empty(shape, dtype=np.float32)
        with evaluating(self.model), torch.inference_mode():
            for rows in batches_by_length([len(tokens) for tokens in ids], most):
                batch = self.pad([ids[row] for row in rows])
                found = self.forward_poolings(batch, layers, poolings)
                embeddings[rows] = found.permute(2, 0, 1, 3).cpu().numpy()
                advance(len(rows))
        return embeddings

    def cut(
        self,
        layer: int,
        *,
        pooling: Pooling | None = None,
        dimension: int | None = None,
        copies_weights: bool = True,
    ) -> "Encoder":
        """Return a copy that has the first `layer` layers only, in weights and in configuration.

        Args:
            layer: Layers kept.
            pooling: How the copy pools; as this encoder does if left out.
            dimension: Numbers the copy keeps of an embedding; all if left out.
            copies_weights: Whether the copy has weights of its own.

        Raises:
            ValueError: the model has no such layer, or none would be left: of some architectures
                transformers cannot read a model without layers back; or an embedding is shorter.
        """
        self._require(layer, least=1)
        return replace(
            self,
            model=cut_layers(self.model, layer, copies_weights=copies_weights),
            pooling=self.pooling if pooling is None else pooling,
            shortened_to=self.shortened_to if dimension is None else dimension,
        )

    def gflops(self, tokens: int, layer: int | None = None) -> float:
        """Return the cost of encoding a text of `tokens` tokens, in 10⁹ floating-point operations.

        Matrix products alone are counted, a multiplication and an addition each as one. Attention
        counts in full: a sliding window is masked, not skipped, by the attention used here.

        Args:
            tokens: Tokens of the text.
            layer: Cost of the model cut to this layer; the whole model if left out.
        """
        return count_gflops(self.model, tokens, self.layers if layer is None else layer)

    def _require(self, layer: int, least: int = 0) -> None:
        if not least <= layer <= self.layers:
            raise ValueError(f"Layer {layer} is not one of the layers {least} to {self.layers}.")

    def _embed(self, hidden: Tensor, mask: Tensor, pooling: Pooling) -> Tensor:
        return shorten(pool(hidden, mask, pooling), self.dimension, normalize=self.normalize)


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
