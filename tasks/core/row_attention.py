"""Attention row by row: what a row adds up does not depend on the rows beside it."""

from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.functional import scaled_dot_product_attention
from transformers.integrations.sdpa_attention import sdpa_attention_forward
from transformers.masking_utils import ALL_MASK_ATTENTION_FUNCTIONS, sdpa_mask
from transformers.modeling_utils import ALL_ATTENTION_FUNCTIONS

ROW_BY_ROW = "row_by_row"  # its name for `set_attn_implementation`


def attend_row_by_row(
    module: nn.Module,
    query: Tensor,
    key: Tensor,
    value: Tensor,
    attention_mask: Tensor | None,
    scaling: float | None = None,
    **settings: Any,  # noqa: ANN401 - whatever the architecture says
) -> tuple[Tensor, None]:
    """Attend as transformers' `sdpa`, but a single token of each row over what it may see alone.

    The fused kernel for the CPU groups its sums by the longest row, so a row's last bits, and with
    them now and then its words, would depend on the others. It also reads their padding.
    """
    if query.shape[2] > 1 or attention_mask is None:
        return sdpa_attention_forward(
            module, query, key, value, attention_mask, scaling=scaling, **settings
        )
    seen = attention_mask[:, 0, 0]
    first, count = seen.int().argmax(dim=-1).tolist(), seen.sum(dim=-1).tolist()
    # Heads that share keys are queries side by side: the kernel would copy the keys for each.
    packed = query.reshape(len(query), key.shape[1], -1, query.shape[-1])
    rows = [
        scaled_dot_product_attention(
            packed[row : row + 1],
            key[row : row + 1, :, start : start + places],
            value[row : row + 1, :, start : start + places],
            scale=scaling,
        )
        for row, (start, places) in enumerate(zip(first, count, strict=True))
    ]
    return torch.cat(rows).reshape(len(query), 1, query.shape[1], -1), None


ALL_ATTENTION_FUNCTIONS.register(ROW_BY_ROW, attend_row_by_row)
ALL_MASK_ATTENTION_FUNCTIONS.register(ROW_BY_ROW, sdpa_mask)
