"""From a model to a module: fold, fuse, and try it once."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import torch

from edgekit.common.lazy import onnx
from edgekit.formats.onnx.graph import graph_of, nodes
from edgekit.formats.onnx.translation.evaluation import operator_names
from edgekit.formats.onnx.translation.folding import fold
from edgekit.formats.onnx.translation.fusion import fuse
from edgekit.formats.onnx.translation.module import Translated

if TYPE_CHECKING:
    from torch import Tensor


def translate(model: onnx.ModelProto, examples: Sequence[Tensor], *, fixed: bool = True) -> torch.nn.Module:
    """The graph of `model` as a torch module that takes its inputs in their order.

    Args:
        model: checked, with its weights inside (see `edgekit.formats.onnx.load`). examples: tensors of the shapes that
            it is tried with. fixed: whether no axis of the inputs is dynamic.

    Raises:
        Unsupported: an operator is not translated, or not in this form (the node is named).
    """
    model = _without_functions(model)
    versions = {"" if entry.domain == "ai.onnx" else entry.domain: entry.version for entry in model.opset_import}
    module = Translated(fuse(fold(graph_of(model.graph, versions))), fixed).eval()
    module.trial(examples)
    return module


def _without_functions(model: onnx.ModelProto) -> onnx.ModelProto:
    """`model` with the bodies that ONNX itself gives of operators without a translation (Attention) in their place."""
    from onnx import defs, inliner

    own = operator_names()
    lacking = {node.op_type for node in nodes(model) if node.domain in ("", "ai.onnx")}.difference(own)
    schemas: list[Any] = [defs.get_schema(kind) for kind in lacking]
    if not any(schema.has_function or schema.has_context_dependent_function for schema in schemas):
        return model
    typed = onnx.ModelProto()
    typed.CopyFrom(model)
    # Bodies depend on types, and the inliner knows none of constants, nor of absent inputs (named "").
    for tensor in (*model.graph.initializer, onnx.TensorProto(data_type=onnx.TensorProto.FLOAT)):
        typed.graph.value_info.append(onnx.helper.make_tensor_value_info(tensor.name, tensor.data_type, tensor.dims))
    try:
        return inliner.inline_selected_functions(
            typed, [("", kind) for kind in own], exclude=True, inline_schema_functions=True
        )
    except Exception:  # its C++ raises many kinds; the operator is refused by name then
        return model
