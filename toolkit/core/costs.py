"""The nouns of what a model costs: the work of each part, and estimates of size and memory."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from edgekit.core.values import Recipe

__all__ = ["Costs", "Work"]


@dataclass(frozen=True)
class Work:
    """What one part weighs, and what it costs while the golden input is worked on: by declared shapes, for `fit`.

    Attributes:
        part: its name.
        kind: what it mostly does; parts of one kind share a rate: ``"convolution"``, ``"attention"`` (products of
            sequences), ``"vector"`` (products of one row, which wait for memory), ``"recurrent"``, ``"spectrum"`` (a
            transform as a table), ``"transform"`` (one step by step), ``"stream"`` (a network that keeps what it
            computed); of a language model ``"prompt"`` and ``"generation"``, whose call is a token.
        macs: multiply-accumulates of one call. calls: of the part, for the golden input.
        weights: numbers in products, which a precision makes smaller. channels: outputs of those products, each with a
            bias and, in int8, a scale. tables: numbers that stay float32. layers: products.
        activations: bytes in float32 of what it holds at once at most, weights aside.
        quantized: whether int8 makes its weights smaller.
        left: weights that int8 leaves in half precision, because its error would be too large there.
        small: weights of layers that have fewer than 2,048, which Core ML's int8 leaves in half precision, too.
        unrolled, steps: weights that a format without loops uses anew for each of so many steps of a recurrence.
        reads: bytes that a call reads of the weights, where that decides its time.
    """

    part: str
    kind: str
    macs: int
    calls: float = 1
    weights: int = 0
    channels: int = 0
    tables: int = 0
    layers: int = 0
    activations: int = 0
    quantized: bool = True
    left: int = 0
    small: int = 0
    unrolled: int = 0
    steps: int = 0
    reads: int = 0


@dataclass(frozen=True)
class Costs:
    """What a model costs, by declared shapes, for `fit`.

    Attributes:
        size, memory: (recipe) -> bytes of the bundle, and of peak RAM while running. For firmware (exporter ``c``) they
            mean flash and RAM.
        work: (recipe) -> what each part costs, for the expected latency; None: it is not known.
    """

    size: Callable[[Recipe], int]
    memory: Callable[[Recipe], int]
    work: Callable[[Recipe], Sequence[Work]] | None = None
