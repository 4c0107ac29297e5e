"""Texts as the numbers of their tokens, a prompt before them, padded to one length.

A token that is read but not pooled is written as ~id, which is negative: what is known of a token
travels with it, wherever it is kept until it is padded.
"""

from collections.abc import Sequence

import torch
from torch import Tensor
from transformers import PreTrainedTokenizerFast


def split_tokens(
    tokenizer: PreTrainedTokenizerFast,
    texts: Sequence[str],
    prompt: str,
    *,
    max_tokens: int,
    pools_prompt: bool,
) -> list[list[int]]:
    """Return the token ids of each text, prompt and special tokens included.

    Which tokens are the prompt's is decided as sentence-transformers does: as many as the prompt
    has by itself, special tokens before it included, one after it not.
    """
    if not texts:
        return []
    ids = _split(tokenizer, [prompt + text for text in texts], max_tokens)
    if pools_prompt or not prompt:
        return ids
    (alone,) = _split(tokenizer, [prompt], max_tokens)
    apart = len(alone) - (bool(alone) and alone[-1] in tokenizer.all_special_ids)
    return [[~token for token in tokens[:apart]] + tokens[apart:] for tokens in ids]


def pad_tokens(ids: Sequence[Sequence[int]], padding_id: int) -> dict[str, Tensor]:
    """Return a model's input for texts of any lengths, padded on the right.

    Returns:
        `input_ids` and `attention_mask`, (texts, longest); and `pooled_mask`, of the same shape,
        where some tokens are read but not pooled.

    >>> {name: tensor.tolist() for name, tensor in pad_tokens([[~7, 8], [9]], 0).items()}
    {'input_ids': [[7, 8], [9, 0]], 'attention_mask': [[1, 1], [1, 0]],
     'pooled_mask': [[0, 1], [1, 0]]}
    """
    shape = len(ids), max(1, *map(len, ids))
    input_ids = torch.full(shape, padding_id, dtype=torch.long)
    attention_mask = torch.zeros(shape, dtype=torch.long)
    for row, tokens in enumerate(ids):
        input_ids[row, : len(tokens)] = torch.tensor(tokens, dtype=torch.long)
        attention_mask[row, : len(tokens)] = 1
    apart = input_ids < 0
    batch = {"input_ids": input_ids, "attention_mask": attention_mask}
    if bool(apart.any()):
        batch["input_ids"] = torch.where(apart, ~input_ids, input_ids)
        batch["pooled_mask"] = attention_mask.masked_fill(apart, 0)
    return batch


def _split(tokenizer: PreTrainedTokenizerFast, texts: list[str], most: int) -> list[list[int]]:
    ids: list[list[int]] = tokenizer(texts, truncation=True, max_length=most)["input_ids"]
    return ids
