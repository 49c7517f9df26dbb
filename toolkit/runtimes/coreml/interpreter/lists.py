"""Lists of tensors in ML Programs, which loops read and write: inputs by name -> value."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from edgekit.common.lazy import torch
from edgekit.runtimes.coreml.interpreter.shapes import Operator, Values, ints


@dataclass(frozen=True)
class Tensors:
    """A list; None where nothing was written yet."""

    items: tuple[Any, ...]


def _make_list(v: Values) -> Tensors:
    return Tensors((None,) * int(v.get("init_length", 1)))


def _write_element(v: Values) -> Tensors:
    return _scatter_elements({"ls": v["ls"], "indices": [v["index"]], "value": [v["value"]]})


def _scatter_elements(v: Values) -> Tensors:
    items = list(v["ls"].items)
    for index, value in zip(ints(v["indices"]), v["value"], strict=True):
        items += [None] * (index + 1 - len(items))
        items[index] = value
    return Tensors(tuple(items))


def _gather_elements(v: Values) -> Any:
    return torch.stack([v["ls"].items[index] for index in ints(v["indices"])])


LISTS: Mapping[str, Operator] = {
    "make_list": _make_list, "list_write": _write_element,
    "list_scatter": _scatter_elements, "list_gather": _gather_elements,
    "list_read": lambda v: v["ls"].items[int(v["index"])], "list_length": lambda v: len(v["ls"].items),
}  # fmt: skip
