"""A part as a torch program for Core AI: in half precision, and with weights in int8 that it unpacks itself."""

from __future__ import annotations

import copy
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch.fx.node import map_aggregate

from edgekit.common.quiet import quiet
from edgekit.core import Part
from edgekit.errors import ExportFailed
from edgekit.exporters.common.torch_export import Flat, check_made, dynamic, example

#: Fewer weights than this stay float: making them smaller saves nothing and costs accuracy (`edgekit.numerics.layers`).
FEW = 2048
_aten = torch.ops.aten
#: Operators with weights: the argument that holds them (or a list of them), and the axis of the outputs in it.
_WEIGHTED = {
    **dict.fromkeys((_aten.conv1d.default, _aten.conv2d.default, _aten.conv3d.default), (1, 0)),
    **dict.fromkeys((_aten.conv1d.padding, _aten.conv2d.padding), (1, 0)),
    **dict.fromkeys((_aten.conv_transpose1d.default, _aten.conv_transpose2d.input), (1, 1)),
    **dict.fromkeys((_aten.matmul.default, _aten.mm.default), (1, -1)),
    _aten.linear.default: (1, 0),
    _aten.embedding.default: (0, 0),
    _aten.addmm.default: (2, -1),
    **dict.fromkeys((_aten.lstm.input, _aten.gru.input), (2, 0)),
}


@dataclass(frozen=True)
class Weights:
    """The weights of a layer: where they are in the module, the axis of the outputs, and how many they are."""

    path: str
    axis: int
    count: int


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


def traced_graph(part: Part, module: torch.nn.Module) -> Any:
    """The graph of `module` as torch exports it, with the dynamic axes of `part`.

    Raises:
        ExportFailed: torch cannot trace it, or gives other tensors than declared.
    """
    return _export(part, module).module(check_guards=False)


def exported_program(part: Part, graph: Any, compute: str) -> Any:
    """The program of a graph, which computes in "fp32" or "fp16". Raises as `traced_graph`."""
    if compute == "fp32":
        return _export(part, graph)
    graph = copy.deepcopy(graph)  # its weights are the module's own
    _halve(graph)
    return _export(part, _Ends(part, graph))


def _export(part: Part, module: torch.nn.Module) -> Any:
    """Every input gets its own tensor: torch.export takes two uses of one tensor for one input, in silence."""
    examples = tuple(example(part, spec) for spec in part.inputs)
    shapes = tuple(dynamic(part, spec, bounded=False) for spec in part.inputs)
    try:
        # mkldnn limits axes by how large they are.
        with quiet(), torch.no_grad(), torch.backends.mkldnn.flags(enabled=False):
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


def weights_of(graph: Any) -> dict[str, Weights]:
    """The layers of a graph of `traced_graph`, by their names in the module without ".weight"."""
    found = dict[str, Weights]()
    for source, axis in _sources(graph):
        path = str(source.target).removeprefix("module.")
        values = attribute(graph, source.target)
        found[path.removesuffix(".weight")] = Weights(path, axis % values.ndim, values.numel())
    return found


def _sources(graph: Any) -> Iterator[tuple[Any, int]]:
    """The nodes that get weights of at least two axes for an operator, each once, and the axis of its outputs."""
    seen = set[str]()
    for node in list(graph.graph.nodes):
        if node.op != "call_function" or node.target not in _WEIGHTED:
            continue
        place, axis = _WEIGHTED[node.target]
        given = node.args[place] if place < len(node.args) else None
        for source in given if isinstance(given, list | tuple) else [given]:
            if not isinstance(source, torch.fx.Node) or source.op != "get_attr" or source.target in seen:
                continue
            values = attribute(graph, source.target)
            if isinstance(values, torch.Tensor) and values.is_floating_point() and values.ndim > 1:
                seen.add(str(source.target))
                yield source, axis


def unpack_weights(graph: Any, layers: Collection[str]) -> None:
    """Let Core AI's operator make the weights of these layers of int8 and a scale an output, in place."""
    with quiet():  # it tells torch of the operator
        from coreai_torch._compression import custom_layers  # noqa: F401

    found = weights_of(graph)
    targets = {f"module.{found[name].path}": found[name].axis for name in layers}
    for node in list(graph.graph.nodes):
        if node.op != "get_attr" or node.target not in targets:
            continue
        small, scale = int8_of(attribute(graph, node.target).detach(), targets[node.target])
        stem = str(node.target).replace(".", "_")
        graph.register_buffer(f"{stem}_int8", small)
        graph.register_buffer(f"{stem}_scale", scale)
        with graph.graph.inserting_before(node):
            given = tuple(graph.graph.get_attr(f"{stem}_{end}") for end in ("int8", "scale"))
            made = graph.graph.call_function(torch.ops.coreai.constexpr_blockwise_shift_scale.default, given)
        node.replace_all_uses_with(made)
        graph.graph.erase_node(node)
    graph.graph.lint()
    graph.recompile()


def int8_of(values: torch.Tensor, axis: int) -> tuple[torch.Tensor, torch.Tensor]:
    """Weights as int8, rounded to nearest, and a scale for every place of `axis`, which half precision can hold."""
    across = [i for i in range(values.ndim) if i != axis]
    scale = values.abs().amax(across, keepdim=True).clamp(min=127 * 2.0**-20) / 127
    return (values / scale).round().clamp(-127, 127).to(torch.int8), scale


def _halve(graph: Any) -> None:
    """Make everything half precision that is in single: weights, constants, and what operators are told to make."""
    graph.half()
    for node in list(graph.graph.nodes):
        if "_assert_tensor_metadata" in str(node.target):
            graph.graph.erase_node(node)
            continue
        held = attribute(graph, node.target) if node.op == "get_attr" else None
        if isinstance(held, torch.Tensor) and held.dtype == torch.float32:  # a constant that is no buffer
            held.data = held.data.half()
        for side in ("args", "kwargs"):
            told = getattr(node, side)
            setattr(node, side, map_aggregate(told, lambda one: torch.half if one is torch.float32 else one))
    graph.recompile()


def attribute(graph: Any, target: Any) -> Any:
    """What a graph or a module has at a path of names."""
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
