"""A reader of .onnx files that believes nothing."""

from edgekit.formats.onnx.reader import GraphFacts, Opened, load, open_file

__all__ = ["GraphFacts", "Opened", "load", "open_file"]
