"""From a model to a module: fold, fuse, and try it once."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import torch

from edgekit.formats.onnx.graph import graph_of
from edgekit.formats.onnx.translation.folding import fold
from edgekit.formats.onnx.translation.fusion import fuse
from edgekit.formats.onnx.translation.module import Translated

if TYPE_CHECKING:
    import onnx
    from torch import Tensor

__all__ = ["translate"]


def translate(model: onnx.ModelProto, examples: Sequence[Tensor], *, fixed: bool = True) -> torch.nn.Module:
    """The graph of `model` as a torch module that takes its inputs in their order.

    Args:
        model: checked, with its weights inside (see `edgekit.formats.onnx.load`). examples: tensors of the shapes that
            it is tried with. fixed: whether no axis of the inputs is dynamic.

    Raises:
        Unsupported: an operator is not translated, or not in this form (the node is named).
    """
    versions = {"" if entry.domain == "ai.onnx" else entry.domain: entry.version for entry in model.opset_import}
    module = Translated(fuse(fold(graph_of(model.graph, versions))), fixed).eval()
    module.trial(examples)
    return module
