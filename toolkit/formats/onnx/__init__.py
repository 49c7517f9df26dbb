"""A reader of .onnx files that believes nothing."""

from edgekit.formats.onnx.reader import Facts, Opened, load, open_file

__all__ = ["Facts", "Opened", "load", "open_file"]
