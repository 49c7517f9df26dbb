"""Inputs and outputs of a part as Core ML can have them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from edgekit.common.lazy import torch


def with_plain_ends(module: Any, examples: Sequence[Any]) -> Any:
    """`module`; one around it where an input is of truth values, or is given back as it is.

    Core ML takes a truth value as an integer, of which ``~`` is another integer: it becomes one again before anything
    looks at it. And no output of a program may be its input.
    """

    class Plain(torch.nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.module = module

        def forward(self, *tensors: Any) -> Any:
            given = [one != 0 if one.dtype == torch.bool else one for one in tensors]
            return tuple(one * 1 if _among(one, given) else one for one in _as_sequence(self.module(*given)))

    truths = any(one.dtype == torch.bool for one in examples)
    return Plain().eval() if truths or any(_among(one, examples) for one in _as_sequence(module(*examples))) else module


def _as_sequence(made: Any) -> Sequence[Any]:
    return made if isinstance(made, tuple | list) else (made,)


def _among(one: Any, others: Sequence[Any]) -> bool:
    return any(one is other for other in others)
