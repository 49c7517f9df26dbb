"""Lists of tensors in ML Programs, which loops read and write: inputs by name -> value."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from edgekit.runtimes.coreml.interpreter.shapes import Operator, Values, ints

__all__ = ["LISTS", "Tensors"]


@dataclass(frozen=True)
class Tensors:
    """A list; None where nothing was written yet."""

    items: tuple[Any, ...]


def _made(v: Values) -> Tensors:
    return Tensors((None,) * int(v.get("init_length", 1)))


def _written(v: Values) -> Tensors:
    return _scattered({"ls": v["ls"], "indices": [v["index"]], "value": [v["value"]]})


def _scattered(v: Values) -> Tensors:
    items = list(v["ls"].items)
    for index, value in zip(ints(v["indices"]), v["value"], strict=True):
        items += [None] * (index + 1 - len(items))
        items[index] = value
    return Tensors(tuple(items))


def _gathered(v: Values) -> Any:
    import torch

    return torch.stack([v["ls"].items[index] for index in ints(v["indices"])])


LISTS: Mapping[str, Operator] = {
    "make_list": _made, "list_write": _written, "list_scatter": _scattered, "list_gather": _gathered,
    "list_read": lambda v: v["ls"].items[int(v["index"])], "list_length": lambda v: len(v["ls"].items),
}  # fmt: skip
