"""Weights that are not numbers: a network of such gives nothing to compare with, in any precision."""

from __future__ import annotations

from typing import Any

from edgekit.common.lazy import torch


def not_numbers(module: Any) -> str:
    """The first weight of a torch module with values that are not numbers, as text; "" without any.

    An infinity counts in a parameter. In a buffer it may be meant, such as that of a mask.
    """
    tensors = [*module.named_parameters(), *module.named_buffers()]
    parameters = {name for name, _ in module.named_parameters()}
    for name, tensor in tensors:
        if not tensor.is_floating_point():
            continue
        wrong = ~torch.isfinite(tensor) if name in parameters else torch.isnan(tensor)
        if count := int(wrong.sum()):
            wrong_ones = "a value that is no number" if count == 1 else f"{count} values that are no numbers"
            return f"the weight {name!r} holds {wrong_ones} (NaN or infinite)"
    return ""
