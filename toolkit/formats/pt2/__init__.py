"""Programs of torch.export (.pt2), opened as hostile: read without torch, checked whole, and only then loaded."""

from edgekit.formats.pt2.program import Program, Range, read
from edgekit.formats.pt2.rewrite import module_of

__all__ = ["Program", "Range", "module_of", "read"]
