"""In the child: the tensors in what a module returns, by names."""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Iterator, Mapping
from typing import Any

from edgekit.common.lazy import torch
from edgekit.errors import BadInput


def named_outputs(result: Any, label: str) -> dict[str, torch.Tensor]:
    """The tensors in what a module returned: by key, field, or position (``output`` if there is a single one).

    Raises BadInput if there is none.
    """
    if isinstance(result, torch.Tensor):
        return {"output": result}
    leaves = [(path, value) for path, value in _leaves(result, ()) if isinstance(value, torch.Tensor)]
    if not leaves:
        raise BadInput(f"{label}: forward() gives {type(result).__name__} without a tensor in it.")
    names = ["_".join(path) for path, _ in leaves]
    names = [f"output_{name}" if name[:1].isdigit() else re.sub(r"\W", "_", name, flags=re.ASCII) for name in names]
    if len(set(names)) < len(names):
        names = [f"output_{i}" for i in range(len(names))]
    if len(leaves) == 1 and names[0].startswith("output_"):
        names = ["output"]
    return dict(zip(names, (value for _, value in leaves), strict=True))


def _leaves(value: Any, path: tuple[str, ...]) -> Iterator[tuple[tuple[str, ...], Any]]:
    if isinstance(value, Mapping):
        items = [(str(key), item) for key, item in value.items()]
    elif isinstance(value, tuple) and hasattr(value, "_fields"):
        items = list(zip(value._fields, value, strict=True))
    elif isinstance(value, list | tuple):
        items = [(str(i), item) for i, item in enumerate(value)]
    elif dataclasses.is_dataclass(value) and not isinstance(value, type):
        items = [(field.name, getattr(value, field.name)) for field in dataclasses.fields(value)]
    else:
        yield path, value
        return
    for name, item in items:
        yield from _leaves(item, (*path, name))
