"""Weights and work of layers from their shapes alone: models declare their `Work` with it, without torch."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from edgekit.core import Work

#: See `Work.small`.
SMALL = 2048


@dataclass(frozen=True)
class Layer:
    """A product with weights.

    Attributes:
        weights: their number. outputs: its output channels; each has a bias.
        positions: uses of each weight per call. moved: numbers that it reads and writes.
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
        taps: of a kernel: 9 for 3 x 3. positions: of its output; before: of its input, if different.
    """
    moved = inputs * (positions if before is None else before) + outputs * positions
    return Layer(taps * inputs // groups * outputs, outputs, positions, moved)


def linear(inputs: int, outputs: int, rows: int = 1) -> Layer:
    """A product of `rows` rows with a matrix."""
    return Layer(inputs * outputs, outputs, rows, rows * (inputs + outputs))


def table(numbers: int) -> Layer:
    """An embedding of so many numbers, of which a call looks up a few rows."""
    return Layer(numbers, 0, 0, 0)


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
        tables: constants beside weights and biases. macs: multiply-accumulates without weights.
        held: activations that it keeps beside the largest layer. quantized, left, unrolled, steps: see `Work`.
    """
    parts = tuple(layers)
    return Work(
        part=part,
        kind=kind,
        macs=macs + sum(layer.weights * layer.positions for layer in parts),
        calls=calls,
        weights=sum(layer.weights for layer in parts),
        channels=sum(layer.outputs for layer in parts),
        tables=tables,
        layers=len(parts),
        activations=4 * (held + max((layer.moved for layer in parts), default=0)),
        quantized=quantized,
        left=left,
        small=sum(layer.weights for layer in parts if layer.weights < SMALL),
        unrolled=unrolled,
        steps=steps,
    )
