"""What layers weigh and cost by their shapes alone: how models declare their `Work` without weights or torch."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from edgekit.core import Work

__all__ = ["SMALL", "Layer", "convolution", "linear", "work"]

#: See `Work.small`.
SMALL = 2048


@dataclass(frozen=True)
class Layer:
    """A product with weights.

    Attributes:
        weights: their number. outputs: channels that it gives; each has a bias.
        positions: how often a call uses each weight. moved: numbers that it reads and writes.
    """

    weights: int
    outputs: int
    positions: int
    moved: int


def convolution(
    inputs: int, outputs: int, taps: int, positions: int, *, groups: int = 1, before: int | None = None
) -> Layer:
    """A convolution.

    Args:
        taps: of a kernel: 9 for 3 x 3. positions: where its output has values; before: its input, if that differs.
    """
    moved = inputs * (positions if before is None else before) + outputs * positions
    return Layer(taps * inputs // groups * outputs, outputs, positions, moved)


def linear(inputs: int, outputs: int, rows: int = 1) -> Layer:
    """A product of `rows` rows with a matrix."""
    return Layer(inputs * outputs, outputs, rows, rows * (inputs + outputs))


def work(
    part: str,
    kind: str,
    layers: Iterable[Layer],
    calls: float = 1,
    *,
    tables: int = 0,
    quantized: bool = True,
    macs: int = 0,
    held: int = 0,
    left: int = 0,
    unrolled: int = 0,
    steps: int = 0,
) -> Work:
    """The work of a part that consists of `layers`.

    Args:
        tables: numbers that it holds beside weights and biases. macs: multiply-accumulates without weights.
        held: numbers that it holds at once beside the largest layer. quantized, left, unrolled, steps: see `Work`.
    """
    found = tuple(layers)
    return Work(
        part=part,
        kind=kind,
        macs=macs + sum(one.weights * one.positions for one in found),
        calls=calls,
        weights=sum(one.weights for one in found),
        channels=sum(one.outputs for one in found),
        tables=tables,
        layers=len(found),
        activations=4 * (held + max((one.moved for one in found), default=0)),
        quantized=quantized,
        left=left,
        small=sum(one.weights for one in found if one.weights < SMALL),
        unrolled=unrolled,
        steps=steps,
    )
