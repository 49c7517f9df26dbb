"""Bytes of a bundle, and of its memory, from declared `Work` alone: rules, each with its reason.

What differs between formats is data (`edgekit.core.Encoding`), measured once a format (docs/fit.md); nothing here knows
a model, a format or a runtime.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace

from edgekit.core import Costs, Encoding, Exporter, Model, Recipe, Work
from edgekit.numerics.narrow import FOUR_BITS, narrow_bits
from edgekit.registry import find

#: A bundle's README, bill of materials, and a manifest without its parts and labels.
_TEXTS = 10_000
#: Bytes of a weight that int8 leaves in float, where products have fewer than 8 bits: the large ones are int8, others
#: have two bytes (whisper-base: 1.37).
_NARROW_LEFT = 1.4
#: Kinds of work whose products are of sequences.
_SEQUENCES = ("attention", "vector")


def costs(
    works: Sequence[Work] | Callable[[], Sequence[Work]], more: int = 0, libraries: int = 0, held: Sequence[Work] = ()
) -> Costs:
    """The costs of a model of so much work.

    Args:
        works: or what counts them when they are asked for. more: see `size`. libraries: see `memory`.
        held: the work whose memory is meant, if another.
    """

    def resolve_works() -> Sequence[Work]:
        return works() if callable(works) else works

    return Costs(
        size=lambda recipe: size(resolve_works(), recipe, more),
        memory=lambda recipe: memory(held or resolve_works(), recipe, libraries),
        work=lambda recipe: resolve_works(),
    )


def on_chips(model: Model, flash: Mapping[str, int], ram: Mapping[str, int]) -> Model:
    """`model` as firmware, computed in integers from input to output. flash, ram: layout of the code -> bytes that were
    measured."""
    costs = replace(
        model.costs,
        size=lambda recipe: flash[recipe.options.get("layout", "plain")],
        memory=lambda recipe: ram[recipe.options.get("layout", "plain")],
    )
    return replace(model, network=replace(model.network, integers=True), costs=costs)


def size(works: Iterable[Work], recipe: Recipe, more: int = 0) -> int:
    """Bytes of a bundle: the parts' files, the texts, and `more` (golden input, licence, labels, a tokenizer)."""
    return sum(file_bytes(work, recipe) for work in works) + _TEXTS + more


def file_bytes(work: Work, recipe: Recipe) -> int:
    """Bytes of a part's file."""
    whole = not work.quantized or work.part in recipe.options.get("float_parts", ())
    precision, encoding = "fp32" if whole else recipe.precision, _format_of(recipe).encoding
    tables = work.tables + encoding.mirrored * work.mirrored + encoding.normed * work.normed
    return _graph(work, encoding, precision) + _weights(work, recipe, encoding, precision) + 4 * tables


def _format_of(recipe: Recipe) -> Exporter:
    return find("exporters", recipe.exporter or find("runtimes", recipe.runtime).formats[0])


def _graph(work: Work, encoding: Encoding, precision: str) -> int:
    """Bytes of a file without its weights."""
    layer = encoding.layer.get(precision, encoding.layer[""])
    more = encoding.sequences if work.kind == "attention" else 0
    step = encoding.step_int8 if precision == "int8" else encoding.step
    return encoding.least + (layer + more) * work.layers + step * work.steps


def _weights(work: Work, recipe: Recipe, encoding: Encoding, precision: str) -> int:
    """Weights, biases and scales in a file."""
    if precision == "fp32":
        return 4 * (work.weights + work.channels)
    if precision == "fp16":
        # Biases stay float32 in most formats, except in recurrent layers, where they are among the weights.
        halved = work.kind == "recurrent" or encoding.halves
        return 2 * work.weights + (2 if halved else 4) * work.channels + 2 * encoding.floats * work.recurrent
    left = work.left if work.left_rows is None else work.left_rows
    spared = left + work.small if encoding.rows else work.left
    narrow, whole = _narrow(work, recipe), work.weights - spared
    # Weights that int8 leaves in float are stored in half precision.
    kept = int((_NARROW_LEFT if narrow else 2) * spared)
    if narrow:
        return kept + int(narrow / 8 * whole) + 4 * work.channels
    bits = precision.removeprefix("int")
    numbers = kept + whole * (int(bits) if bits.isdigit() else 8) // 8
    if encoding.block and work.kind in _SEQUENCES:
        return numbers + 4 * whole // encoding.block + 4 * work.channels
    return numbers + (encoding.convolution if work.kind == "convolution" else encoding.channel) * work.channels


def _narrow(work: Work, recipe: Recipe) -> float:
    """Bits of a weight, scales included, where the recipe's options ask for fewer than 8 in products; else 0."""
    return narrow_bits(recipe.options, work.part) if work.kind in _SEQUENCES else 0.0


def memory(works: Sequence[Work], recipe: Recipe, libraries: int = 0) -> int:
    """Peak bytes of a process that runs the parts one after another.

    Args:
        libraries: bytes of the pipeline's other libraries.
    """
    runtime = find("runtimes", recipe.runtime)
    process = runtime.process_bytes + libraries
    held = max((work.activations for work in works), default=0)
    if runtime.holds == "widened" and recipe.precision == "int8" and any(work.alone for work in works):
        recipe = replace(recipe, precision="fp16", options={})  # widened as half precision is
    files = sum(file_bytes(work, recipe) for work in works)
    largest = max((file_bytes(work, recipe) for work in works), default=0)
    floats = [file_bytes(work, replace(recipe, precision="fp32", options={})) for work in works]
    if runtime.holds == "copied":
        # The file is read and copied into the interpreter; kernels of products then pack the weights once more.
        return process + held + 2 * files + sum(_packed_bytes(work, recipe) for work in works)
    if runtime.holds == "mapped":
        return process + held + files
    if recipe.precision == "fp16":
        # All parts are unpacked to fp32 when loaded, beside the file of the largest part while it is read.
        return process + held + sum(floats) + max(floats, default=0) + largest
    if recipe.precision == "fp32":
        # All parts, and the largest part twice while its weights are packed.
        return process + held + files + largest
    # Integer weights are held packed, weights left in float unpacked; what the packing began with is given back.
    packed = sum(_resident_bytes(work, recipe) if work.quantized else file_bytes(work, recipe) for work in works)
    return process + held + packed


def _resident_bytes(work: Work, recipe: Recipe) -> int:
    """Bytes of the weights of a part in int8, once it is loaded: those packed in a file are 8 bits again."""
    native = not recipe.option("bits", work.part) and _narrow(work, recipe) == FOUR_BITS
    each = 0.5 if native else 1.0
    return int(each * work.weights) + 4 * work.left


def _packed_bytes(work: Work, recipe: Recipe) -> int:
    """Bytes of the weights that kernels pack: in int8 or float32, with a copy for each unrolled step."""
    integer = recipe.precision == "int8" and work.quantized
    dynamic = integer and recipe.option("form", work.part) == "dynamic" and work.kind != "recurrent"
    if dynamic:  # unpacked to float32 by one operator, packed by the next
        return 8 * work.weights
    number, channel = (1, 12) if integer else (4, 4)
    own = number * work.weights + channel * work.channels
    return own + work.steps * (number * work.unrolled + channel * work.channels)
