"""From a reference module to a tidy graph of torch operators, and from that to a program for XNNPACK."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from typing import Any

import torch

from edgekit.common.quiet import quiet
from edgekit.core import Part
from edgekit.errors import ExportFailed
from edgekit.exporters.common.torch_export import Flat, check_made, dynamic, example, weights_of
from edgekit.exporters.executorch import tidy
from edgekit.exporters.executorch.api import XnnpackPartitioner, to_edge_transform_and_lower
from edgekit.exporters.executorch.tidy import Graph


def capture_graph(part: Part, module: torch.nn.Module) -> Graph:
    """The graph of `module`, with the dynamic axes of `part`, written so that XNNPACK takes as much as it can.

    Raises:
        ExportFailed: torch cannot trace it, or not with the axes that `part` declares dynamic, or it gives other
        tensors than declared.
    """
    for tensor in (*module.parameters(), *module.buffers()):
        tensor.data = tensor.data.contiguous()  # XNNPACK's passes take strides of their own for another order of axes
    graph = _export_program(part, module.eval()).module()
    tidy.tidy(graph)
    tidy.name_layers(graph, weights_of(module))
    return graph


def lower_graph(part: Part, graph: Graph) -> tuple[bytes, Graph]:
    """The program of `graph`, and the graph that it was written of, with what XNNPACK took inside of submodules.

    Raises:
        ExportFailed: ExecuTorch cannot translate it.
    """
    exported = _export_program(part, graph)
    with quiet(), torch.no_grad(), _translating(part):
        edge = to_edge_transform_and_lower(exported, partitioner=[XnnpackPartitioner()])
        seen = edge.exported_program().graph_module
        content = bytes(edge.to_executorch().buffer)
        exported = edge.exported_program()
    _compare_bounds(part, exported)
    return content, seen


def ask_partitioners(part: Part, graph: Graph) -> dict[str, Any]:
    """For a census, ``partitioners``: unit -> its placement of `graph`, as ExecuTorch's partitioner for it says.

    Raises:
        ExportFailed: ExecuTorch cannot translate it.
    """
    exported = _export_program(part, graph)
    with quiet(), torch.no_grad(), _translating(part):
        from edgekit.exporters.executorch import partitioners

        return {"partitioners": partitioners.ask_partitioners(exported)}


@contextlib.contextmanager
def _translating(part: Part) -> Iterator[None]:
    try:
        with _any_size():
            yield
    except Exception as exc:  # torch and ExecuTorch raise many unrelated types here; the reason is in the message
        raise ExportFailed(
            f"ExecuTorch could not translate the part {part.name!r}: {reason(exc)}",
            hint="The operator needs another formulation in the part's module, or another exporter.",
        ) from exc


def _export_program(part: Part, module: torch.nn.Module) -> Any:
    """Every input gets its own tensor: torch.export takes two uses of one tensor for one input, in silence."""
    examples = tuple(example(part, spec) for spec in part.inputs)
    shapes = tuple(dynamic(part, spec, bounded=True) for spec in part.inputs)
    try:
        # What a node is told by `tidy` is to outlive a second tracing.
        with quiet(), torch.no_grad(), _any_size(), torch.fx.traceback.preserve_node_meta():
            exported = torch.export.export(Flat(module), examples, dynamic_shapes=(shapes,), strict=False)
    except Exception as exc:
        axes = f" with the dynamic axes {', '.join(map(repr, part.axes))}" if part.axes else ""
        raise ExportFailed(f"torch could not export the part {part.name!r}{axes}: {reason(exc)}") from exc
    _compare(part, exported)
    _compare_bounds(part, exported)  # before minutes of lowering, which may narrow them once more
    return exported


@contextlib.contextmanager
def _any_size() -> Iterator[None]:
    """torch asks how large a convolution is, to choose its own kernel, and takes the answer for a limit of the axis."""
    with torch.backends.mkldnn.flags(enabled=False):
        yield


def _compare(part: Part, exported: Any) -> None:
    """Raise ExportFailed where an axis that is declared dynamic was fixed, or an output is not as declared."""
    nodes = {node.name: node for node in exported.graph.nodes}
    signature = exported.graph_signature
    for specs, names in ((part.inputs, signature.user_inputs), (part.outputs, signature.user_outputs)):
        if len(specs) != len(names):
            raise ExportFailed(f"the part {part.name!r} came out with {len(names)} tensors, declared are {len(specs)}.")
        for spec, name in zip(specs, names, strict=True):
            value = nodes[name].meta["val"]
            sizes, dtype = list(value.shape), str(value.dtype).removeprefix("torch.")
            check_made(part, spec, dtype, sizes)
            for size, axis in zip(sizes, spec.shape, strict=True):
                if axis in part.axes and isinstance(size, int):
                    raise ExportFailed(
                        f"torch.export cannot keep the axis {axis!r} of {part.name}.{spec.name} dynamic.",
                        hint="Choose the exporter onnx.",
                    )


def _compare_bounds(part: Part, exported: Any) -> None:
    """Raise ExportFailed where an axis came out with other limits than `part` declares."""
    nodes = {node.name: node for node in exported.graph.nodes}
    ranges = {str(symbol): limits for symbol, limits in exported.range_constraints.items()}
    for spec, name in zip(part.inputs, exported.graph_signature.user_inputs, strict=True):
        for size, axis in zip(nodes[name].meta["val"].shape, spec.shape, strict=True):
            limits = ranges.get(str(size))
            if not isinstance(axis, str) or limits is None:
                continue
            least, most = part.axes[axis].least, part.axes[axis].most
            if limits.lower > max(least, 2) or limits.upper < most:  # torch has no least size below 2
                raise ExportFailed(
                    f"the axis {axis!r} of {part.name}.{spec.name} came out with {limits.lower} to {limits.upper}, "
                    f"declared are {least} to {most}.",
                    hint="Choose the exporter onnx.",
                )


def reason(exc: BaseException) -> str:
    """The first line that says something, of the first thing that went wrong."""
    while exc.__cause__ is not None:
        exc = exc.__cause__
    return next((line.strip()[:300] for line in str(exc).splitlines() if line.strip()), type(exc).__name__)
