"""Types for the costs of a model: the work of each part, and estimates of size and memory."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from edgekit.core.values import Recipe


@dataclass(frozen=True)
class Work:
    """The weights and the work of a part for the golden input, by declared shapes, for `fit`.

    Attributes:
        part: its name.
        kind: its main work; parts of the same kind share a rate: ``"convolution"``, ``"attention"`` (products of
            sequences), ``"vector"`` (products of a single row, bound by memory), ``"recurrent"``, ``"spectrum"`` (a
            transform as a table), ``"transform"`` (step by step), ``"stream"`` (a network that keeps its earlier
            results); of a language model ``"prompt"`` and ``"generation"``, whose call is a token.
        macs: multiply-accumulates per call. calls: of the part, for the golden input; 0: it does without.
        weights: numbers in products, which a precision shrinks. channels: outputs of those products, each with a
            bias and, in int8, a scale. tables: numbers that stay float32. layers: products.
        activations: peak bytes of its float32 activations.
        quantized: whether int8 makes its weights smaller.
        left: weights that int8 leaves in half precision, because its error would be too large there. left_rows: the
            same where int8 has a scale an output; None: as many.
        small: weights of layers that have fewer than 2,048, which some formats leave in half precision, too.
        alone: whether int8 is of weights alone, which are widened when a file is opened.
        recurrent: weights and biases of recurrent layers, which some formats keep in float32.
        mirrored: samples that are read again beyond the ends. normed: channels of normalizations that no product
            takes up.
        unrolled, steps: weights that a format without loops repeats for each step of a recurrence, and its steps.
        reads: bytes of weights that a call reads, if memory decides its time.
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
    left_rows: int | None = None
    small: int = 0
    alone: bool = False
    recurrent: int = 0
    mirrored: int = 0
    normed: int = 0
    unrolled: int = 0
    steps: int = 0
    reads: int = 0


@dataclass(frozen=True)
class Costs:
    """The costs of a model, by declared shapes, for `fit`.

    Attributes:
        size, memory: (recipe) -> bytes of the bundle, and of peak RAM while running. For firmware they mean flash and
            RAM.
        work: (recipe) -> the work of each part, for the expected latency; None: not known.
    """

    size: Callable[[Recipe], int]
    memory: Callable[[Recipe], int]
    work: Callable[[Recipe], Sequence[Work]] | None = None
