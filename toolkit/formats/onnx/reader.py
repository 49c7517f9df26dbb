"""An .onnx file, opened as something that a stranger made: facts about it without its weights, and the checked model.

Checked before a weight is read: that the file is whole, that its operators exist, that every value is made before it
is used and only once, and that external weights lie beside the file.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

from edgekit.common.lazy import onnx
from edgekit.core import TensorSpec
from edgekit.errors import BadInput, Unsupported, need
from edgekit.formats.onnx import external
from edgekit.formats.onnx.checks import check, shape_of
from edgekit.formats.onnx.graph import CONTRIB, nodes, reads, tensors, title
from edgekit.formats.onnx.skeleton import skeleton

#: The version of ONNX's format from which on a constant need not be an input, too.
_FREE_CONSTANTS = 4
#: Operators that only a quantized network has.
_INTEGER = ("QLinear", "MatMulInteger", "ConvInteger", "DynamicQuantize", "QGemm", "MatMulNBits")


@dataclass(frozen=True)
class GraphFacts:
    """What is known of an .onnx file without its weights.

    Attributes:
        inputs, outputs: a size is a number, or the name of a dynamic axis. `unnamed`: those names that the file lacks
            and that were made from the tensor's name and the axis's position ("x.2").
        unshaped: outputs whose shape cannot be inferred without running; their specs have no axes.
        unused: inputs that no output follows from.
        operators: operator -> count, of inner graphs and functions too.
        quantized: how it is quantized ("QDQ", "integer operators"), "" if it is not.
        contrib: the first operator of onnxruntime's own as "Gelu (node 'n')", "" if there is none.
        loop: the first loop as "Loop (node 'n')", "" if there is none.
        external: names of the files beside it that hold its weights.
    """

    inputs: tuple[TensorSpec, ...]
    outputs: tuple[TensorSpec, ...]
    unnamed: tuple[str, ...]
    unshaped: tuple[str, ...]
    unused: tuple[str, ...]
    operators: Mapping[str, int]
    parameters: int
    opset: int
    producer: str
    metadata: Mapping[str, str]
    quantized: str
    contrib: str
    loop: str
    external: tuple[str, ...]


@dataclass(frozen=True)
class Opened:
    """A file whose graph was checked: its facts, and the model without the values of its large weights."""

    file: Path
    facts: GraphFacts
    model: onnx.ModelProto


def open_file(file: Path) -> Opened:
    """Read and check the graph of `file`, without its weights.

    Raises:
        BadInput: it is no whole and valid ONNX file. Unsupported: no runtime that edgekit uses can run it: it is of a
            domain of its own, or of an operator set that is too old or too new. MissingExtra: onnx is absent.
    """
    if not file.is_file():
        raise BadInput(f"there is no file {file}.", hint="Check the path.")
    with need("export", "Reading an .onnx file"):
        import onnx
        from google.protobuf.message import DecodeError  # type: ignore[import-untyped]
    try:
        model = onnx.ModelProto.FromString(skeleton(file))
    except (DecodeError, RecursionError):
        raise BadInput(f"{file} is not an ONNX file.", hint="Download or export it again.") from None
    if not model.HasField("graph") or not model.graph.output or not model.ir_version:
        raise BadInput(
            f"{file} is not an ONNX file: it has no graph with outputs.", hint="Download or export it again."
        )
    check(model, file)
    external.check(model, file.parent)
    return Opened(file, _facts(model), model)


def load(file: Path) -> onnx.ModelProto:
    """The whole model, with its weights inside, without functions of its own, inputs that are constants, and texts
    about the machine that made it.

    Raises:
        As `open_file`; BadInput too where a weight does not fit its shape.
    """
    open_file(file)
    from google.protobuf.message import DecodeError

    try:
        model = onnx.ModelProto.FromString(file.read_bytes())
    except DecodeError as exc:
        raise BadInput(f"{file} is not an ONNX file: {exc}.") from None
    external.embed(model, file.parent)
    _validate(model, file)
    if model.functions:
        from onnx import inliner

        model = onnx.ModelProto.FromString(inliner.inline_local_functions(model).SerializeToString())
    constant = {tensor.name for tensor in model.graph.initializer}
    kept = [value for value in model.graph.input if value.name not in constant]
    del model.graph.input[:]
    model.graph.input.extend(kept)
    model.ir_version = max(model.ir_version, _FREE_CONSTANTS)
    for holder in (model, model.graph, *nodes(model)):
        holder.doc_string = ""
    out: onnx.ModelProto = model
    return out


def _validate(model: onnx.ModelProto, file: Path) -> None:
    """What onnx itself checks; it wants shapes of outputs, which many files lack and nobody needs."""
    written = [onnx.ValueInfoProto.FromString(value.SerializeToString()) for value in model.graph.output]
    for value in model.graph.output:
        value.CopyFrom(onnx.helper.make_tensor_value_info(value.name, onnx.TensorProto.FLOAT, ()))
    try:
        onnx.checker.check_model(model)
    except onnx.checker.ValidationError as exc:
        raise BadInput(f"{file} is no valid ONNX file: {str(exc).strip().splitlines()[0]}.") from None
    finally:
        del model.graph.output[:]
        model.graph.output.extend(written)


def _facts(model: onnx.ModelProto) -> GraphFacts:
    constant = {tensor.name for tensor in model.graph.initializer}
    try:
        inferred = onnx.shape_inference.infer_shapes(model)
    except Exception:  # its C++ raises many kinds; what is written in the file is used then
        inferred = model
    unnamed: list[str] = []
    unshaped: list[str] = []

    def spec(value: onnx.ValueInfoProto, *, output: bool) -> TensorSpec:
        tensor = value.type.tensor_type
        known = onnx.TensorProto.DataType.values()
        if not value.type.HasField("tensor_type") or not tensor.elem_type or tensor.elem_type not in known:
            raise Unsupported(f"the {'output' if output else 'input'} {value.name!r} of this .onnx file is no tensor.")
        if tensor.elem_type == onnx.TensorProto.STRING:
            raise Unsupported(
                f"the {'output' if output else 'input'} {value.name!r} of this .onnx file holds strings.",
                hint="Export the part between strings and strings: onnx.utils.extract_model cuts it out of the file.",
            )
        dtype = onnx.helper.tensor_dtype_to_np_dtype(tensor.elem_type)
        if dtype.isbuiltin != 1:  # bfloat16, float8, int4
            raise Unsupported(
                f"the {'output' if output else 'input'} {value.name!r} of this .onnx file is {dtype.name}, "
                "which no runtime takes from NumPy.",
                hint="Export it with inputs and outputs of float32, float16 or whole numbers.",
            )
        shape = shape_of(value)
        if shape is None:
            if not output:
                raise BadInput(f"the input {value.name!r} of this .onnx file has no rank.")
            unshaped.append(value.name)
        named = tuple(size or f"{value.name}.{place}" for place, size in enumerate(shape or ()))
        if not output:
            unnamed.extend(f"{value.name}.{place}" for place, size in enumerate(shape or ()) if not size)
        return TensorSpec(value.name, dtype.name, named)

    inputs = tuple(spec(value, output=False) for value in model.graph.input if value.name not in constant)
    outputs = tuple(spec(value, output=True) for value in inferred.graph.output)
    read = _live_values(model)
    operators = Counter(
        f"{n.domain}.{n.op_type}" if n.domain not in ("", "ai.onnx") else n.op_type for n in nodes(model)
    )
    del operators["Constant"]
    return GraphFacts(
        inputs,
        outputs,
        tuple(unnamed),
        tuple(unshaped),
        tuple(spec.name for spec in inputs if spec.name not in read),
        dict(operators.most_common()),
        # Whole numbers of 64 bits are shapes and positions, no weights.
        sum(math.prod(tensor.dims) for tensor in tensors(model) if tensor.data_type != onnx.TensorProto.INT64),
        next(entry.version for entry in model.opset_import if entry.domain in ("", "ai.onnx")),
        f"{model.producer_name} {model.producer_version}".strip(),
        {entry.key: entry.value for entry in model.metadata_props},
        _quantization_format(operators),
        _first(model, lambda node: node.domain == CONTRIB),
        _first(model, lambda node: node.op_type in ("Loop", "Scan") and not node.domain),
        external.files(model),
    )


def _live_values(model: onnx.ModelProto) -> set[str]:
    """The values that the outputs follow from."""
    names = {value.name for value in model.graph.output}
    for node in reversed(model.graph.node):
        if names & set(node.output):
            names |= reads(node)
    return names


def _quantization_format(operators: Mapping[str, int]) -> str:
    if any(kind.rpartition(".")[2].startswith(_INTEGER) for kind in operators):
        return "integer operators"
    return "QDQ" if "DequantizeLinear" in operators else ""


def _first(model: onnx.ModelProto, wanted: Callable[[onnx.NodeProto], bool]) -> str:
    return next((f"{node.op_type} (node {title(node)!r})" for node in nodes(model) if wanted(node)), "")
