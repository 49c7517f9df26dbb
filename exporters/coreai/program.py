"""A part as a torch program for Core AI: in half precision, and with weights in int8 that it unpacks itself."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch.fx.node import map_aggregate

from edgekit.core import Part
from edgekit.errors import ExportFailed
from edgekit.exporters.common.torch_export import Flat, check_made, dynamic, example

__all__ = ["FEW", "Layer", "first_line", "traced_program"]

#: Fewer weights than this stay float: making them smaller saves nothing and costs accuracy (`edgekit.numerics.layers`).
FEW = 2048
_aten = torch.ops.aten
#: Operators with weights: the argument that holds them, and the axis of the outputs in it.
_WEIGHTED = {
    **dict.fromkeys((_aten.conv1d.default, _aten.conv2d.default, _aten.conv3d.default), (1, 0)),
    **dict.fromkeys((_aten.conv1d.padding, _aten.conv2d.padding), (1, 0)),
    **dict.fromkeys((_aten.conv_transpose1d.default, _aten.conv_transpose2d.input), (1, 1)),
    **dict.fromkeys((_aten.matmul.default, _aten.mm.default), (1, -1)),
    _aten.linear.default: (1, 0),
    _aten.embedding.default: (0, 0),
    _aten.addmm.default: (2, -1),
}


@dataclass(frozen=True)
class Layer:
    """The weights of a layer: form ("int8", "float"), numpy's name of their type, bytes, and why that form."""

    form: str
    dtype: str
    bytes: int
    why: str


class _Ends(torch.nn.Module):
    """A graph in half precision behind the inputs and outputs that the part declares."""

    def __init__(self, part: Part, graph: torch.nn.Module) -> None:
        super().__init__()
        self.graph = graph
        self._dtypes = [getattr(torch, spec.dtype) for spec in part.outputs]

    def forward(self, *tensors: torch.Tensor) -> Any:
        made = self.graph(*(one.half() if one.dtype == torch.float32 else one for one in tensors))
        outs = made if isinstance(made, tuple | list) else (made,)
        return tuple(one.to(dtype) for one, dtype in zip(outs, self._dtypes, strict=True))


def traced_program(part: Part, module: torch.nn.Module, precision: str) -> tuple[Any, dict[str, Layer]]:
    """The exported program of `module` in "fp32", "fp16" or "int8" (weights alone; the rest in half), and its layers.

    Raises:
        ExportFailed: torch cannot trace it, or not with the axes that `part` declares dynamic, or it gives other
        tensors than declared.
    """
    program = _export(part, module)
    graph: Any = program.module(check_guards=False)
    layers = _shrink_weights(graph, precision)
    if precision != "fp32":
        _halve(graph)
        program = _export(part, _Ends(part, graph))
    return program, layers


def _export(part: Part, module: torch.nn.Module) -> Any:
    """Every input gets its own tensor: torch.export takes two uses of one tensor for one input, in silence."""
    examples = tuple(example(part, spec) for spec in part.inputs)
    shapes = tuple(dynamic(part, spec, bounded=False) for spec in part.inputs)
    try:
        with torch.no_grad(), torch.backends.mkldnn.flags(enabled=False):  # it limits axes by how large they are
            program = torch.export.export(Flat(module), examples, dynamic_shapes=(shapes,), strict=False)
    except Exception as exc:  # torch raises whatever went wrong, of any kind
        axes = f" with the dynamic axes {', '.join(map(repr, part.axes))}" if part.axes else ""
        raise ExportFailed(f"torch could not export the part {part.name!r}{axes}: {first_line(exc)}") from exc
    nodes = {node.name: node.meta.get("val") for node in program.graph.nodes}
    made = program.graph_signature.user_outputs
    if len(made) != len(part.outputs):
        raise ExportFailed(
            f"the part {part.name!r} came out with {len(made)} tensors, declared are {len(part.outputs)}."
        )
    for spec, name in zip(part.outputs, made, strict=True):
        value = nodes[name]
        check_made(part, spec, str(value.dtype).removeprefix("torch."), list(value.shape))
    return program


def _shrink_weights(graph: Any, precision: str) -> dict[str, Layer]:
    """Put int8 and what scales it in place of large weights, in int8. Returns name of a layer -> its weights."""
    layers, seen = dict[str, Layer](), Counter[str]()
    for node in list(graph.graph.nodes):
        place, axis = _WEIGHTED.get(node.target, (-1, 0)) if node.op == "call_function" else (-1, 0)
        source = node.args[place] if 0 <= place < len(node.args) else None
        if not isinstance(source, torch.fx.Node) or source.op != "get_attr" or source.meta.get("edgekit"):
            continue
        values = _attribute(graph, source.target)
        if not isinstance(values, torch.Tensor) or not values.is_floating_point() or values.ndim < 2:
            continue
        source.meta["edgekit"] = True  # what several layers share is looked at once
        name = str(source.target).removeprefix("module.").removesuffix(".weight")
        seen[name] += 1
        if precision == "int8" and values.numel() >= FEW:
            _unpack(graph, source, values.detach(), axis % values.ndim)
            layers[name] = Layer("int8", "int8", values.numel(), "as asked")
        else:
            dtype = "float32" if precision == "fp32" else "float16"
            why = f"fewer than {FEW} weights" if precision == "int8" else "as asked"
            layers[name] = Layer("float", dtype, values.numel() * (4 if precision == "fp32" else 2), why)
    graph.graph.lint()
    graph.recompile()
    return layers


def _unpack(graph: Any, source: Any, values: torch.Tensor, axis: int) -> None:
    """Let Core AI's operator make the weights of `source` of int8, with a scale for every place of `axis`."""
    from coreai_torch._compression import custom_layers  # noqa: F401  which tells torch of the operator

    across = [i for i in range(values.ndim) if i != axis]
    scale = values.abs().amax(across, keepdim=True).clamp(min=2.0**-20) / 127  # half precision holds it
    small = (values / scale).round().clamp(-127, 127).to(torch.int8)
    stem = str(source.target).replace(".", "_")
    graph.register_buffer(f"{stem}_int8", small)
    graph.register_buffer(f"{stem}_scale", scale)
    with graph.graph.inserting_after(source):
        held = graph.graph.get_attr(f"{stem}_int8")
    with graph.graph.inserting_after(held):
        scales = graph.graph.get_attr(f"{stem}_scale")
    with graph.graph.inserting_after(scales):
        made = graph.graph.call_function(torch.ops.coreai.constexpr_blockwise_shift_scale.default, (held, scales))
    source.replace_all_uses_with(made)


def _halve(graph: Any) -> None:
    """Make everything half precision that is in single: weights, constants, and what operators are told to make."""
    graph.half()
    for node in list(graph.graph.nodes):
        if "_assert_tensor_metadata" in str(node.target):
            graph.graph.erase_node(node)
            continue
        if node.op == "get_attr" and isinstance(held := _attribute(graph, node.target), torch.Tensor):
            if held.dtype == torch.float32:  # a constant that is no buffer
                held.data = held.data.half()
        for side in ("args", "kwargs"):
            told = getattr(node, side)
            setattr(node, side, map_aggregate(told, lambda one: torch.half if one is torch.float32 else one))
    graph.recompile()


def _attribute(graph: Any, target: Any) -> Any:
    value = graph
    for name in str(target).split("."):
        value = getattr(value, name, None)
    return value


def first_line(exc: BaseException) -> str:
    """What an exception says first, of the first thing that went wrong."""
    while exc.__cause__ is not None:
        exc = exc.__cause__
    lines: Sequence[str] = [line.strip() for line in str(exc).splitlines() if line.strip()]
    return lines[0][:300] if lines else type(exc).__name__
