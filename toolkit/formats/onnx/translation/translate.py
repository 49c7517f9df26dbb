"""From a model to a module: fold, fuse, and try it once."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import torch

from edgekit.common.lazy import NDArray, np, onnx
from edgekit.errors import EdgekitError
from edgekit.formats.onnx.graph import Graph, Node, graph_of, nodes
from edgekit.formats.onnx.translation.evaluation import evaluate, operator_names
from edgekit.formats.onnx.translation.fusion import fuse
from edgekit.formats.onnx.translation.module import Translated
from edgekit.formats.onnx.translation.values import Held, to_tensor

#: A constant of more elements is not made of smaller ones: it would be kept instead of computed.
_LARGE = 1 << 22


def fold(graph: Graph, outer: Mapping[str, NDArray[Any]] | None = None) -> Graph:
    """`graph` without the nodes that see constants alone; inner graphs see the constants of outer ones."""
    constants: dict[str, NDArray[Any]] = {name: _plain(array) for name, array in graph.constants.items()}
    visible = {**(outer or {}), **constants}
    nodes: list[Node] = []
    for node in graph.nodes:
        if node.graphs:
            node = replace(node, graphs={name: fold(inner, visible) for name, inner in node.graphs.items()})
        answers = _fold_node(node, visible)
        if answers is None:
            nodes.append(node)
            continue
        for name, array in zip(node.outputs, answers, strict=False):
            if name:
                constants[name] = visible[name] = array
    return replace(graph, nodes=tuple(nodes), constants=constants)


def _fold_node(node: Node, constants: Mapping[str, NDArray[Any]]) -> list[NDArray[Any]] | None:
    """The outputs of a node as arrays, or None if it sees more than constants, or nobody can compute it."""
    if node.graphs or any(name and name not in constants for name in node.inputs):
        return None
    values = [Held(constants[name]) if name else None for name in node.inputs]
    try:
        with torch.no_grad():
            out = evaluate(node, values)
    except (EdgekitError, RuntimeError, ValueError, TypeError, IndexError, KeyError):
        return None  # whoever needs it meets the error again, with everything around it
    arrays = [
        value.array if isinstance(value, Held) else to_tensor(value).numpy() for value in out if value is not None
    ]
    needed = [name for name in node.outputs if name]
    large = sum(array.size for array in arrays) > max(_LARGE, 2 * sum(v.array.size for v in values if v is not None))
    return None if len(arrays) < len(needed) or large else [np.asarray(array) for array in arrays]


def _plain(array: NDArray[Any]) -> NDArray[Any]:
    """In a dtype that torch has: small floats as float32, whole numbers of 4 bits as 8."""
    name = array.dtype.name
    if name.startswith(("bfloat16", "float8", "float4")):
        return array.astype(np.float32)
    if name in ("int4", "uint4", "int2", "uint2"):
        return array.astype(np.int8 if name.startswith("int") else np.uint8)
    return array


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
