"""From a reference module to a clean ONNX graph with the part's own names, dynamic axes and nothing of this machine."""

from __future__ import annotations

import ast
import contextlib
import hashlib
import io
import itertools
import logging
import warnings
from collections.abc import Iterator, Mapping
from typing import Any

import onnx
import torch
from onnx import numpy_helper

from edgekit.common.lazy import NDArray, np
from edgekit.common.memory import without_collections
from edgekit.core import Part
from edgekit.errors import ExportFailed
from edgekit.exporters.common.torch_export import Flat, check_made, dynamic, example
from edgekit.formats.onnx.graph import reads

#: What names of inputs and outputs begin with until the graph is clean: torch names other tensors as it likes, and two
#: of one name would be one.
_END = "edgekit.end."
#: Gelu is an operator since 20; runtimes of 2024 and later read it.
OPSET = 20
#: The file format version that onnxruntime 1.18 (2024) and later read.
IR_VERSION = 10
#: Operators whose first axis is time.
_RECURRENT = ("LSTM", "GRU", "RNN")
#: What onnxscript's rules hold for 0.
_TINY = 1e-8
#: Bytes from which on a second copy of a tensor matters.
_SHARED = 1024


def from_torch(part: Part, module: torch.nn.Module) -> onnx.ModelProto:
    """The graph of `module`, fp32, with the inputs, outputs and dynamic axes that `part` declares.

    Raises:
        ExportFailed: torch cannot trace or translate the module (the first line of its reason is shown).
    """
    # Every input gets its own tensor: torch.export takes two uses of one tensor for one input, in silence.
    examples = tuple(example(part, spec) for spec in part.inputs)
    shapes = (tuple(dynamic(part, spec, bounded=False) for spec in part.inputs),)
    try:
        with _quiet(), without_collections(), torch.no_grad():
            program = torch.onnx.export(
                Flat(module).eval(),
                examples,
                dynamo=True,
                opset_version=OPSET,
                input_names=[_END + spec.name for spec in part.inputs],
                output_names=[_END + spec.name for spec in part.outputs],
                dynamic_shapes=shapes,
                external_data=False,
                optimize=False,
                verbose=False,
            )
    except Exception as exc:  # torch raises many unrelated types here; the reason is in the message
        reason = next((line for line in str(exc).splitlines() if line.strip()), type(exc).__name__)
        raise ExportFailed(f"torch could not export the part {part.name!r} to ONNX: {reason}") from exc
    if program is None:
        raise ExportFailed(f"torch returned no ONNX graph for the part {part.name!r}.")
    _optimize(program, dynamic=bool(part.axes))
    return _clean(program.model_proto, part)


def _optimize(program: torch.onnx.ONNXProgram, *, dynamic: bool) -> None:
    """Simplify the graph as torch does by default; where tiny numbers are added, by folding of constants alone.

    The default rules take ``x + 1e-10``, which keeps a logarithm finite, for ``x + 0``, and leave it out.
    """
    if dynamic:
        _forget_lengths(program)
    if not _adds_tiny(program.exported_program):
        program.optimize()
        return
    from onnx_ir.passes.common import LiftConstantsToInitializersPass
    from onnxscript import optimizer

    with _quiet():
        optimizer.fold_constants(program.model)
        optimizer.remove_unused_nodes(program.model)
        LiftConstantsToInitializersPass(lift_all_constants=True, size_limit=0)(program.model)


def _forget_lengths(program: torch.onnx.ONNXProgram) -> None:
    """Remove the shapes of all that recurrent layers decide.

    To their outputs torch gives the example's sizes, also along a dynamic axis: what is folded by them is wrong.
    """
    decided = set[str | None]()
    for node in program.model.graph:
        if node.op_type in _RECURRENT or any(value is not None and value.name in decided for value in node.inputs):
            for value in node.outputs:
                decided.add(value.name)
                if not value.is_graph_output():
                    value.shape = None


def _adds_tiny(program: torch.export.ExportedProgram | None) -> bool:
    """Whether the program adds a number that is nearly 0 to anything, as a scalar or as a tensor of a single value."""
    if program is None:
        return False
    held = {**program.state_dict, **program.constants}
    signature = program.graph_signature
    places = {**signature.inputs_to_parameters, **signature.inputs_to_buffers}
    places |= signature.inputs_to_lifted_tensor_constants

    def tiny(argument: Any) -> bool:
        if isinstance(argument, torch.fx.Node):
            argument = held.get(places.get(argument.name, ""))
        if isinstance(argument, torch.Tensor) and argument.numel() == 1 and argument.is_floating_point():
            argument = float(argument.detach())
        return isinstance(argument, float) and 0 < abs(argument) <= _TINY

    adding = (torch.ops.aten.add.Tensor, torch.ops.aten.sub.Tensor)
    return any(node.target in adding and any(map(tiny, node.args)) for node in program.graph.nodes)


@contextlib.contextmanager
def _quiet() -> Iterator[None]:
    """torch's exporter prints and warns about its own internals; a failure is raised all the same."""
    logger = logging.getLogger("torch.onnx")
    level = logger.level
    logger.setLevel(logging.ERROR)
    try:
        with warnings.catch_warnings(), contextlib.redirect_stdout(io.StringIO()):
            warnings.simplefilter("ignore")
            yield
    finally:
        logger.setLevel(level)


def _clean(model: onnx.ModelProto, part: Part) -> onnx.ModelProto:
    """Names for axes; no traces of the machine (torch notes source paths on every node); stable bytes."""
    graph = model.graph
    for values, specs in ((graph.input, part.inputs), (graph.output, part.outputs)):
        if len(values) != len(specs):
            raise ExportFailed(
                f"the part {part.name!r} came out with {len(values)} tensors, declared are {len(specs)}."
            )
        for value, spec in zip(values, specs, strict=True):
            tensor = value.type.tensor_type
            sizes = [dim.dim_param or dim.dim_value for dim in tensor.shape.dim]
            dtype = onnx.helper.tensor_dtype_to_np_dtype(tensor.elem_type).name
            check_made(part, spec, dtype, sizes)
            for dim, axis in zip(tensor.shape.dim, spec.shape, strict=True):
                if isinstance(axis, str):
                    dim.dim_param = axis
    _rename(graph)
    _name_ends(graph, part)
    for holder in (model, graph, *graph.node, *graph.input, *graph.output, *graph.initializer):
        del holder.metadata_props[:]
        holder.doc_string = ""
    graph.name = part.name
    model.producer_name, model.producer_version = "edgekit", ""
    model.ir_version = IR_VERSION
    onnx.checker.check_model(model)
    return model


def _rename(graph: onnx.GraphProto) -> None:
    """Nodes get the name of the module that made them ("layers.0.qkv/MatMul"), so that a census can be read."""
    seen: dict[str, int] = {}
    for node in graph.node:
        notes = {entry.key: entry.value for entry in node.metadata_props}
        scopes = ast.literal_eval(notes.get("pkg.torch.onnx.name_scopes", "[]"))
        inside = [scope for scope in scopes if scope.startswith("module.")]
        name = f"{inside[-1].removeprefix('module.')}/{node.op_type}" if inside else node.op_type
        seen[name] = seen.get(name, -1) + 1
        node.name = f"{name}_{seen[name]}" if seen[name] else name


def _name_ends(graph: onnx.GraphProto, part: Part) -> None:
    """Inputs and outputs get the part's own names; other tensors that have these already get new ones.

    By their places: an input that is an output as it is, torch calls after the output.
    """
    ends = [value.name for value in (*graph.input, *graph.output)]
    names = dict(zip(ends, [spec.name for spec in (*part.inputs, *part.outputs)], strict=True))
    taken = set(names.values()) | {tensor for one in _graphs(graph) for tensor in _tensors(one)}
    for name in sorted(set(names.values()) & (taken - set(ends))):
        names[name] = next(new for i in itertools.count() if (new := f"{name}.{i}") not in taken)
        taken.add(names[name])
    for one in _graphs(graph):
        del one.value_info[:]
        for value in (*one.input, *one.output, *one.initializer):
            value.name = names.get(value.name, value.name)
        for node in one.node:
            node.input[:] = [names.get(name, name) for name in node.input]
            node.output[:] = [names.get(name, name) for name in node.output]


def _graphs(graph: onnx.GraphProto) -> Iterator[onnx.GraphProto]:
    """The graph, and those of its branches and loops."""
    yield graph
    for node in graph.node:
        for entry in node.attribute:
            for inner in [entry.g] if entry.HasField("g") else entry.graphs:
                yield from _graphs(inner)


def _tensors(graph: onnx.GraphProto) -> Iterator[str]:
    """The names of what a graph takes, holds and computes, its outputs aside."""
    yield from (value.name for value in (*graph.input, *graph.initializer))
    yield from (name for node in graph.node for name in node.output)


def constants(model: onnx.ModelProto) -> dict[str, NDArray[Any]]:
    """Initializer name -> array."""
    return {tensor.name: numpy_helper.to_array(tensor) for tensor in model.graph.initializer}


def version_of(model: onnx.ModelProto) -> int:
    """The version of ONNX's operators that `model` is written in."""
    return next(int(entry.version) for entry in model.opset_import if entry.domain in ("", "ai.onnx"))


def attribute(node: onnx.NodeProto, name: str, default: Any) -> Any:
    """The attribute of that name, or `default`."""
    return next((onnx.helper.get_attribute_value(entry) for entry in node.attribute if entry.name == name), default)


def share(model: onnx.ModelProto) -> None:
    """Make one of initializers with the same content: tracing copies the weights of a block that is called again.

    Zero points stay apart. For processors without VNNI onnxruntime shifts those of every product with its weights, and
    refuses its exact kernels where two products have one in common.
    """
    first: dict[tuple[int, tuple[int, ...], bytes], str] = {}
    names: dict[str, str] = {}
    ends = {value.name for value in model.graph.output}
    for tensor in model.graph.initializer:
        zeros = tensor.data_type == onnx.TensorProto.INT8 and not any(tensor.raw_data)
        if len(tensor.raw_data) >= _SHARED and tensor.name not in ends and not zeros:
            key = (tensor.data_type, tuple(tensor.dims), hashlib.sha256(tensor.raw_data).digest())
            names[tensor.name] = first.setdefault(key, tensor.name)
    kept = [tensor for tensor in model.graph.initializer if names.get(tensor.name, tensor.name) == tensor.name]
    if len(kept) == len(model.graph.initializer):
        return
    copies = [onnx.TensorProto.FromString(tensor.SerializeToString()) for tensor in kept]
    del model.graph.initializer[:]
    model.graph.initializer.extend(copies)
    for graph in _graphs(model.graph):
        for node in graph.node:
            for place, name in enumerate(node.input):
                node.input[place] = names.get(name, name)


def with_constants(model: onnx.ModelProto, changed: Mapping[str, NDArray[Any]]) -> onnx.ModelProto:
    """A copy of `model` with other constants, by name, in single precision."""
    copy = onnx.ModelProto()
    copy.CopyFrom(model)
    for tensor in copy.graph.initializer:
        if tensor.name in changed:
            tensor.CopyFrom(numpy_helper.from_array(changed[tensor.name].astype(np.float32), tensor.name))
    return copy


def rebuild(
    model: onnx.ModelProto, nodes: list[onnx.NodeProto], added: dict[str, NDArray[Any]], *, contrib: bool = False
) -> onnx.ModelProto:
    """A copy of `model` with other nodes and more initializers; what nothing uses any more is dropped."""
    outputs = {value.name for value in model.graph.output}
    while True:
        used = {name for node in nodes for name in reads(node)} | outputs
        alive = [node for node in nodes if any(name in used for name in node.output)]
        if len(alive) == len(nodes):
            break
        nodes = alive
    out = onnx.ModelProto()
    for field in ("ir_version", "producer_name"):
        setattr(out, field, getattr(model, field))
    out.opset_import.extend(model.opset_import)
    if contrib and not any(entry.domain == CONTRIB for entry in out.opset_import):
        out.opset_import.append(onnx.helper.make_opsetid(CONTRIB, 1))
    graph = out.graph
    graph.name = model.graph.name
    graph.node.extend(nodes)
    graph.input.extend(model.graph.input)
    graph.output.extend(model.graph.output)
    graph.initializer.extend(tensor for tensor in model.graph.initializer if tensor.name in used)
    graph.initializer.extend(
        numpy_helper.from_array(np.ascontiguousarray(array), name) for name, array in added.items() if name in used
    )
    return out


#: onnxruntime's own operators, part of every full build of it (desktop, Android, iOS).
CONTRIB = "com.microsoft"
