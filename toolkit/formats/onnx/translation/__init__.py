"""An ONNX graph as a torch module, for the formats that are made from torch."""

from edgekit.formats.onnx.translation.translate import translate

__all__ = ["translate"]
