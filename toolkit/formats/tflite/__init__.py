"""A reader of .tflite files that checks every value, and the tensors that callers exchange with their graphs."""

from edgekit.formats.tflite.reader import Graph, Operator, Quantization, Subgraph, Tensor, read
from edgekit.formats.tflite.work import Work, sum_work, work_of

__all__ = ["Graph", "Operator", "Quantization", "Subgraph", "Tensor", "Work", "read", "sum_work", "work_of"]
