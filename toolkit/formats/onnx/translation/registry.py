"""The table of operators: what computes each, on tensors and on numbers that are known."""

from __future__ import annotations

from collections.abc import Callable, Collection
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Operator:
    """What computes an operator on tensors.

    Attributes:
        compute: (node, *inputs) -> a tensor or several; an absent input is None.
        numbers: places of the inputs that must be known, as arrays (a shape, axes); -1: all of them.
        scalars: places of the inputs that may come as Python numbers where they are known scalars; -1: all of them.
        raw: `compute` takes every input as it is: a tensor, or `Held`.
    """

    compute: Callable[..., Any]
    numbers: Collection[int] = ()
    scalars: bool = False
    raw: bool = False


#: Operator -> what computes it on tensors.
OPERATORS: dict[str, Operator] = {}
#: Operator -> what computes it on arrays, where all of its inputs are known, and the places of those that must hold no
#: symbols: they are a shape, or bounds.
KNOWN: dict[str, tuple[Callable[..., Any], Collection[int]]] = {}


def operator(
    *kinds: str, numbers: Collection[int] = (), scalars: bool = False, raw: bool = False
) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    """Enter a function under the names of the operators that it computes (see `Operator`)."""

    def enter(compute: Callable[..., Any]) -> Callable[..., Any]:
        for kind in kinds:
            OPERATORS[kind] = Operator(compute, numbers, scalars, raw)
        return compute

    return enter


def array_operator(*kinds: str, plain: Collection[int] = ()) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    """Enter a function (node, *arrays) -> array under the names of the operators that it computes (see `KNOWN`)."""

    def enter(compute: Callable[..., Any]) -> Callable[..., Any]:
        for kind in kinds:
            KNOWN[kind] = (compute, plain)
        return compute

    return enter
