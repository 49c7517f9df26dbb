"""A reader of .tflite files that believes nothing, and the tensors that callers give their graphs."""

from edgekit.formats.tflite.reader import Graph, Operator, Quantization, Subgraph, Tensor, read

__all__ = ["Graph", "Operator", "Quantization", "Subgraph", "Tensor", "read"]
