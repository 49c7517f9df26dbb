"""The operators, a file a group. Importing this fills the table in `registry`."""

from edgekit.formats.onnx.translation import known  # noqa: F401
from edgekit.formats.onnx.translation.operators import (  # noqa: F401
    activations,
    convolution,
    elementwise,
    expressions,
    indexing,
    normalization,
    ordering,
    padding,
    pooling,
    quantization,
    recurrent,
    reductions,
    resizing,
    shapes,
)
