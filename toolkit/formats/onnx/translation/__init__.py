"""An ONNX graph as a torch module, for the formats that are made from torch."""

from edgekit.formats.onnx.translation.module import Widened
from edgekit.formats.onnx.translation.translate import translate

__all__ = ["Widened", "translate"]
