"""Weights of a file into a torch module, by their names."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, TypeVar

import torch
from torch import nn

from edgekit.common.lazy import NDArray, np
from edgekit.errors import BadInput

_Module = TypeVar("_Module", bound=nn.Module)
#: Weights by name.
Tensors = Mapping[str, NDArray[Any]]


def load_tensors(
    module: _Module, tensors: Tensors, owner: str, stored: Callable[[str], str] = str, *, hint: str = ""
) -> _Module:
    """`module` in evaluation, with all its weights and buffers from `tensors`, as float32.

    Args:
        owner: whose weights they should be, such as "Fracast-0's". stored: name in the module -> name in `tensors`.
        hint: what to do where they are not.

    Raises:
        BadInput: a tensor is missing or has another shape.
    """
    state = {}
    for name, value in module.state_dict().items():
        label = stored(name)
        tensor = tensors.get(label)
        if tensor is None:
            raise BadInput(f"the weights lack {label!r}: they are not {owner}.", hint=hint)
        if tuple(tensor.shape) != tuple(value.shape):
            shapes = f"{list(tensor.shape)}, not {list(value.shape)}"
            raise BadInput(f"the weights {label!r} are {shapes}: they are not {owner}.", hint=hint)
        state[name] = torch.from_numpy(np.array(tensor, np.float32))
    module.load_state_dict(state)
    return module.eval()
