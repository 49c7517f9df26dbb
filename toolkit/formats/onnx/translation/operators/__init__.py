"""The operators, a file a group. Importing this fills the table in `registry`."""

from edgekit.formats.onnx.translation import known
from edgekit.formats.onnx.translation.operators import (
    activations,
    convolution,
    elementwise,
    indexing,
    normalization,
    ordering,
    padding,
    pooling,
    products,
    quantization,
    recurrent,
    reductions,
    resizing,
    shapes,
)

__all__ = [
    "activations",
    "convolution",
    "elementwise",
    "indexing",
    "known",
    "normalization",
    "ordering",
    "padding",
    "pooling",
    "products",
    "quantization",
    "recurrent",
    "reductions",
    "resizing",
    "shapes",
]
