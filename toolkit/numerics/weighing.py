"""Bytes of a bundle, and of its memory, from declared `Work` alone: rules, each with its reason.

The constants are measured once a runtime (docs/fit.md); nothing here knows a model.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace

from edgekit.core import Recipe, Work
from edgekit.numerics.narrow import FOUR_BITS, narrow_parts
from edgekit.registry import find

__all__ = ["file_bytes", "memory", "size"]

#: A bundle's README, bill of materials, and a manifest without its parts and labels.
_TEXTS = 10_000
#: Bytes of a graph without layers: header, inputs and outputs.
_FILE = 1500
#: Bytes of graph per layer: names, shapes, operators between the products. int8 has quantizers around each product.
_GRAPH = {"fp32": 450, "fp16": 550, "int8": 750}
#: Of Core ML, whose graph is more verbose, and its minimum.
_COREML, _COREML_LEAST = 1600, 4000
#: Of LiteRT, per step of an unrolled recurrence: some fifty operators.
_STEP, _STEP_INT8 = 4500, 4950
#: Bytes per channel in int8: a bias and a scale; of a convolution in LiteRT also a zero point and the bias's own
#: scale.
_CHANNEL, _LITERT_CHANNEL = 6, 14
#: Bytes of a weight that int8 leaves in float, where products have fewer than 8 bits: the large ones are int8, others
#: have two bytes (whisper-base: 1.37).
_NARROW_LEFT = 1.4
#: Weights of one scale (4 bytes) in the int8 of a product of sequences.
_BLOCK = 64


def size(works: Iterable[Work], recipe: Recipe, more: int = 0) -> int:
    """Bytes of a bundle: the parts' files, the texts, and `more` (golden input, licence, labels, a tokenizer)."""
    return sum(file_bytes(work, recipe) for work in works) + _TEXTS + more


def file_bytes(work: Work, recipe: Recipe) -> int:
    """Bytes of a part's file."""
    whole = not work.quantized or work.part in recipe.options.get("float_parts", ())
    precision = "fp32" if whole else recipe.precision
    return _graph(work, recipe, precision) + _weights(work, recipe, precision) + 4 * work.tables


def _graph(work: Work, recipe: Recipe, precision: str) -> int:
    """Bytes of a file without its weights."""
    if recipe.exporter == "coreml":
        return _COREML_LEAST + _COREML * work.layers
    steps = (_STEP_INT8 if precision == "int8" else _STEP) * work.steps
    return _FILE + _GRAPH.get(precision, _GRAPH["int8"]) * work.layers + steps


def _weights(work: Work, recipe: Recipe, precision: str) -> int:
    """Weights, biases and scales in a file."""
    if precision == "fp32":
        return 4 * (work.weights + work.channels)
    if precision == "fp16":
        # Biases stay float32, except in recurrent layers, where they are among the weights. Core ML halves all.
        halved = work.kind == "recurrent" or recipe.exporter == "coreml"
        return 2 * work.weights + (2 if halved else 4) * work.channels
    spared = work.left + (work.small if recipe.exporter == "coreml" else 0)
    narrow = _narrow(work, recipe)
    # Weights that int8 leaves in float are stored in half precision.
    left = int((_NARROW_LEFT if narrow else 2) * spared)
    whole = work.weights - spared
    if recipe.exporter == "coreml":
        bits = {"int8": 8, "int6": 6, "int4": 4}[precision]
        return left + whole * bits // 8 + 4 * work.channels
    if narrow:
        return left + int(narrow / 8 * whole) + 4 * work.channels
    if work.kind in ("attention", "vector") and recipe.exporter != "litert":
        return left + whole + 4 * whole // _BLOCK + 4 * work.channels
    described = recipe.exporter == "litert" and work.kind == "convolution"
    return left + whole + (_LITERT_CHANNEL if described else _CHANNEL) * work.channels


def _narrow(work: Work, recipe: Recipe) -> float:
    """Bits of a weight, scales included, where the options of onnx ask for fewer than 8 in products; else 0."""
    return narrow_parts(recipe.options).get(work.part, 0.0) if work.kind in ("attention", "vector") else 0.0


def memory(works: Sequence[Work], recipe: Recipe, libraries: int = 0) -> int:
    """Peak bytes of a process that runs the parts one after another.

    Args:
        libraries: bytes of the pipeline's other libraries.
    """
    process = find("runtimes", recipe.runtime).process_bytes + libraries
    held = max((work.activations for work in works), default=0)
    files = sum(file_bytes(work, recipe) for work in works)
    largest = max((file_bytes(work, recipe) for work in works), default=0)
    floats = [file_bytes(work, replace(recipe, precision="fp32", options={})) for work in works]
    if recipe.exporter == "litert":
        # The file is read and copied into the interpreter; kernels of products then pack the weights once more.
        return process + held + 2 * files + sum(_packed(work, recipe) for work in works)
    if recipe.exporter == "coreml":
        return process + held + files
    if recipe.precision == "fp16":
        # All parts are unpacked to fp32 when loaded, beside the file of the largest part while it is read.
        return process + held + sum(floats) + max(floats, default=0) + largest
    if recipe.precision == "fp32":
        # All parts, and the largest part twice while its weights are packed.
        return process + held + files + largest
    # Integer weights are held packed, weights left in float unpacked; what the packing began with is given back.
    packed = sum(_held(work, recipe) if work.quantized else file_bytes(work, recipe) for work in works)
    return process + held + packed


def _held(work: Work, recipe: Recipe) -> int:
    """Bytes of the weights of a part in int8, once it is loaded by onnxruntime: packed ones are 8 bits again."""
    native = work.part not in recipe.options.get("bits", {}) and _narrow(work, recipe) == FOUR_BITS
    each = 0.5 if native else 1.0
    return int(each * work.weights) + 4 * work.left


def _packed(work: Work, recipe: Recipe) -> int:
    """Bytes of the weights packed by LiteRT's kernels: in int8 or float32, with a copy for each unrolled step."""
    integer = recipe.precision == "int8" and work.quantized
    dynamic = integer and recipe.options.get("form") == "dynamic" and work.kind != "recurrent"
    if dynamic:  # unpacked to float32 by one operator, packed by the next
        return 8 * work.weights
    number, channel = (1, 12) if integer else (4, 4)
    own = number * work.weights + channel * work.channels
    return own + work.steps * (number * work.unrolled + channel * work.channels)
