"""Whether the graph of an .onnx file is one at all: operators that exist, values that are made before they are used."""

from __future__ import annotations

import re
from collections.abc import Iterable
from pathlib import Path

from edgekit.common.lazy import onnx
from edgekit.errors import BadInput, Unsupported
from edgekit.formats.onnx.graph import CONTRIB, graphs, nodes, title

#: The oldest operator set that is read: older ones are from before 2018, and broadcast otherwise.
OLDEST = 7
#: Operators that are layers with weights.
_LAYERS = ("MatMul", "Gemm", "Conv", "ConvTranspose", "LSTM", "GRU", "RNN")
#: Domains whose operators onnxruntime has: ONNX's own, classical machine learning, and its makers'.
_KNOWN = ("", "ai.onnx", "ai.onnx.ml", CONTRIB)
#: An equation of Einsum. With any other character onnx's shape inference never ends.
_EQUATION = re.compile(rb"([A-Za-z, ]|\.{3})*(->([A-Za-z ]|\.{3})*)?")


def check(model: onnx.ModelProto, file: Path) -> None:
    """Raise BadInput or Unsupported, naming the node, where the graph cannot be run."""
    _check_names(model, file)
    _check_operators(model, _checked_version(model, file), file)
    _check_values(model.graph, (), file, 0)
    _check_weights(model, file)


def shape_of(value: onnx.ValueInfoProto) -> tuple[int | str, ...] | None:
    """The sizes of a tensor, the names of its dynamic axes, and "" for those without a name; None without a rank."""
    tensor = value.type.tensor_type
    if not tensor.HasField("shape"):
        return None
    sizes: list[int | str] = []
    for dim in tensor.shape.dim:
        if dim.HasField("dim_value") and dim.dim_value > 0:
            sizes.append(int(dim.dim_value))
        else:  # 0, -1 and "?" are what exporters write who mean any size
            sizes.append(dim.dim_param if dim.dim_param.strip("?-1") else "")
    return tuple(sizes)


def _check_names(model: onnx.ModelProto, file: Path) -> None:
    for graph in graphs(model):
        names = [value.name for values in (graph.input, graph.output, graph.initializer) for value in values]
        for node in graph.node:
            names += [node.name, node.op_type, node.domain, *node.input, *node.output]
            names += [attribute.name for attribute in node.attribute]
        if not all(isinstance(name, str) for name in names):  # what is no UTF-8 comes as bytes
            raise BadInput(f"{file} is not an ONNX file: it has names that are no text.", hint="Download it again.")


def _checked_version(model: onnx.ModelProto, file: Path) -> int:
    versions = {"" if entry.domain == "ai.onnx" else entry.domain: entry.version for entry in model.opset_import}
    newest = onnx.defs.onnx_opset_version()
    if "" not in versions:
        raise BadInput(f"{file} does not say which version of ONNX's operators it uses.", hint="Export it again.")
    if not OLDEST <= versions[""] <= newest:
        raise Unsupported(
            f"{file} uses version {versions['']} of ONNX's operators; versions {OLDEST} to {newest} can be read.",
            hint="Convert it: onnx.version_converter.convert_version(onnx.load(file), 17).",
        )
    return int(versions[""])


def _check_operators(model: onnx.ModelProto, version: int, file: Path) -> None:
    own = {(function.domain, function.name) for function in model.functions}
    for node in nodes(model):
        if (node.domain, node.op_type) in own:
            continue
        if node.domain not in _KNOWN:
            raise Unsupported(
                f"{file} uses the operator {node.op_type} (node {title(node)!r}) of the domain {node.domain!r}, "
                "which no runtime of edgekit has.",
                hint="Export the network again with ONNX's own operators.",
            )
        if node.domain in ("", "ai.onnx") and not onnx.defs.has(node.op_type, version, ""):
            raise BadInput(
                f"{file} uses the operator {node.op_type} (node {title(node)!r}), "
                f"which version {version} of ONNX's operators does not have.",
                hint="Export it again.",
            )
        if node.op_type == "Einsum" and not all(_EQUATION.fullmatch(entry.s) for entry in node.attribute):
            raise BadInput(f"{file}: the Einsum {title(node)!r} has no valid equation.", hint="Export it again.")


def _check_values(graph: onnx.GraphProto, outer: Iterable[str], file: Path, depth: int) -> None:
    known = {*outer, *(tensor.name for tensor in graph.initializer), *(value.name for value in graph.input)}
    known |= {sparse.values.name for sparse in graph.sparse_initializer}
    made: set[str] = set()
    for node in graph.node:
        for name in node.input:
            if name and name not in known:
                raise BadInput(
                    f"{file} is no valid graph: the node {title(node)!r} ({node.op_type}) reads {name!r}, "
                    "which nothing before it makes.",
                    hint="Export it again.",
                )
        for attribute in node.attribute:
            for inner in (*([attribute.g] if attribute.HasField("g") else ()), *attribute.graphs):
                _check_values(inner, known, file, depth + 1)
        for name in filter(None, node.output):
            if name in made:
                raise BadInput(f"{file} is no valid graph: two nodes make {name!r}.", hint="Export it again.")
            made.add(name)
            known.add(name)
    for value in graph.output:
        if value.name not in known:
            raise BadInput(
                f"{file} is no valid graph: nothing makes its output {value.name!r}.", hint="Export it again."
            )


def _check_weights(model: onnx.ModelProto, file: Path) -> None:
    held = {tensor.name: tensor for graph in graphs(model) for tensor in graph.initializer}
    constants = (node for node in nodes(model) if node.op_type == "Constant")
    held |= {node.output[0]: entry.t for node in constants for entry in node.attribute if entry.HasField("t")}
    empty = {name: list(tensor.dims) for name, tensor in held.items() if len(tensor.dims) > 1 and 0 in tensor.dims}
    for node in nodes(model):
        for name in empty.keys() & set(node.input) if node.op_type in _LAYERS else ():
            raise BadInput(
                f"{file} has a layer of width 0: the weight {name!r} of the node {title(node)!r} ({node.op_type}) "
                f"has the shape {empty[name]}.",
                hint="Leave the layer out, and export it again.",
            )
