"""A .tflite as objects: reading, tidying and writing it so that every runtime can read all of it.

Writers of today put buffers *behind* the flatbuffer once they are large; runtimes for microcontrollers then compute
garbage without an error. What is written here has them inside, aligned to 16 bytes as the schema asks (the published
Python writer does not), and identical vectors once: the zero points of symmetric weights are one array of zeros.
"""

from __future__ import annotations

import copy
import re
from collections.abc import Iterator
from typing import Any

import flatbuffers
from ai_edge_litert import schema_py_generated as schema

from edgekit.common.lazy import NDArray, np
from edgekit.errors import ExportFailed

SIGNATURE = "serving_default"
#: Vectors with fewer elements, and other tensors with very few, stay fp32: they cost nothing, and epsilons are tiny.
_SMALL, _VERY_SMALL = 1024, 64
_ALIGNMENT = 16
_FLOAT, _HALF, _INT8 = (getattr(schema.TensorType, name) for name in ("FLOAT32", "FLOAT16", "INT8"))
_DTYPES = {code: name.lower() for name, code in vars(schema.TensorType).items() if isinstance(code, int)}
_OPERATORS = {code: name for name, code in vars(schema.BuiltinOperator).items() if isinstance(code, int)}

#: Operators with weights: the input that holds them, the one of the bias, and the axis of the output channels.
WEIGHTED = {
    "CONV_2D": (1, 2, 0), "DEPTHWISE_CONV_2D": (1, 2, 3), "FULLY_CONNECTED": (1, 2, 0), "TRANSPOSE_CONV": (1, 3, 0),
    "CONV_3D": (1, 2, 4), "BATCH_MATMUL": (1, -1, 0), "EMBEDDING_LOOKUP": (1, -1, 0),
}  # fmt: skip


def parse(content: bytes) -> Any:
    """The model as the schema's objects, every buffer inside. Only for files that we made or that were checked."""
    model = schema.ModelT.InitFromObj(schema.Model.GetRootAs(content, 0))
    for buffer in model.buffers:
        if buffer.offset > 1:
            buffer.data = np.frombuffer(content, np.uint8, buffer.size, buffer.offset)
        buffer.offset = buffer.size = 0
    for code in model.operatorCodes:  # files from before 2020 have only the old one-byte field
        code.builtinCode = max(code.builtinCode, code.deprecatedBuiltinCode)
    return model


class _Builder(flatbuffers.Builder):  # type: ignore[misc]  # it has no types
    """Writes a vector once however often it occurs, and bytes (which only buffers have) aligned."""

    def __init__(self, size: int) -> None:
        super().__init__(size)
        self._written: dict[tuple[str, bytes], int] = {}

    def CreateNumpyVector(self, x: NDArray[Any]) -> int:  # noqa: N802  the library's name
        key = (x.dtype.str, x.tobytes())
        if key not in self._written:
            if x.dtype == np.uint8:
                # Padding that the vector's own alignment, one byte, would not ask for.
                self.StartVector(1, x.size, _ALIGNMENT)
                self.head -= x.size
                self.Bytes[self.head : self.head + x.size] = key[1]
                self._written[key] = int(self.EndVector())
            else:
                self._written[key] = int(super().CreateNumpyVector(x))
        return self._written[key]


def pack(model: Any) -> bytes:
    """The bytes of `model`: what nothing uses dropped, buffers inside, nothing of this machine, stable.

    Raises:
        ExportFailed: it cannot be written so (2 GiB is the format's end).
    """
    _drop_unused(model)
    size = sum(len(buffer.data) for buffer in model.buffers if buffer.data is not None)
    if size > (1 << 31) - (1 << 20):
        raise ExportFailed(f"the weights take {size / 1e9:.1f} GB; a .tflite with its buffers inside ends at 2 GiB.")
    builder = _Builder(size + (1 << 16))
    builder.Finish(model.Pack(builder), b"TFL3")
    return bytes(builder.Output())


def _drop_unused(model: Any) -> None:
    """Used tensors and their buffers only, each content once; of the metadata only what runtimes ask for."""
    for number, graph in enumerate(model.subgraphs):
        _drop_tensors(model, graph, number)
    empty = schema.BufferT()
    kept: list[Any] = [empty]
    places: dict[bytes, int] = {}

    def place(index: int) -> int:
        data = model.buffers[index].data
        if data is None or not len(data):
            return 0
        content = np.asarray(data, np.uint8)
        key = content.tobytes()
        if key not in places:
            model.buffers[index].data = content
            kept.append(model.buffers[index])
            places[key] = len(kept) - 1
        return places[key]

    for graph in model.subgraphs:
        for tensor in graph.tensors:
            tensor.buffer = place(tensor.buffer)
    model.metadata = [entry for entry in model.metadata or [] if entry.name == b"min_runtime_version"]
    for entry in model.metadata:
        entry.buffer = place(entry.buffer)
    model.buffers, model.metadataBuffer = kept, None
    model.description = b"edgekit"


def _drop_tensors(model: Any, graph: Any, number: int) -> None:
    fields = [(graph, "inputs"), (graph, "outputs")]
    fields += [(one, side) for one in graph.operators for side in ("inputs", "outputs", "intermediates")]
    fields = [(holder, side) for holder, side in fields if getattr(holder, side) is not None]
    kept = sorted({int(index) for holder, side in fields for index in getattr(holder, side)} - {-1})
    places = {old: new for new, old in enumerate(kept)} | {-1: -1}
    for holder, side in fields:
        setattr(holder, side, np.array([places[int(index)] for index in getattr(holder, side)], np.int32))
    for signature in model.signatureDefs or []:
        if signature.subgraphIndex == number:
            for entry in (*(signature.inputs or []), *(signature.outputs or [])):
                entry.tensorIndex = places[int(entry.tensorIndex)]
    graph.tensors = [graph.tensors[old] for old in kept]


def name_of(model: Any, operator: Any) -> str:
    """The operator's kind, such as ``"CONV_2D"``; ``"CUSTOM:NAME"`` for one of nobody's schema."""
    code = model.operatorCodes[operator.opcodeIndex]
    if _OPERATORS.get(code.builtinCode) == "CUSTOM":
        return f"CUSTOM:{(code.customCode or b'').decode('utf-8', 'replace')}"
    return str(_OPERATORS.get(code.builtinCode, f"operator {code.builtinCode}"))


def dtype_of(tensor: Any) -> str:
    return str(_DTYPES.get(tensor.type, f"type {tensor.type}"))


def name_ends(model: Any) -> None:
    """Give the tensors of the signature its names; what had such a name before gets another."""
    signature, graph = model.signatureDefs[0], model.subgraphs[0]
    ends = {int(entry.tensorIndex): text(entry.name) for entry in (*signature.outputs, *signature.inputs)}
    for index, tensor in enumerate(graph.tensors):
        if index not in ends and text(tensor.name) in ends.values():
            tensor.name = f"{text(tensor.name)}/inner"
        tensor.name = ends.get(index, tensor.name)


def ends(model: Any, side: str) -> list[int]:
    """Tensor indices of the inputs or outputs in the order of the arguments; the converter's order is its own."""
    signatures = model.signatureDefs or []
    maps = getattr(signatures[0], side) if signatures else []
    entries = [(text(entry.name), int(entry.tensorIndex)) for entry in maps]
    numbers = [re.fullmatch(r"(?:args|output)_(\d+)", name) for name, _ in entries]
    if entries and all(numbers):
        return [i for _, i in sorted((int(n[1]), i) for n, (_, i) in zip(numbers, entries, strict=True) if n)]
    return [int(index) for index in getattr(model.subgraphs[0], side)]


def rename_tensors(model: Any, graph: Any, prefix: str) -> None:
    names: dict[int, str] = {}
    used: set[str] = set()

    def give(index: int, name: str) -> None:
        if index < 0 or index in names:
            return
        number, unique = 1, prefix + name
        while unique in used:
            number, unique = number + 1, f"{prefix}{name}_{number}"
        names[index] = unique
        used.add(unique)

    for operator in graph.operators:
        kind, outputs = name_of(model, operator), [int(i) for i in operator.outputs]
        weights, bias, _ = WEIGHTED.get(kind, (-1, -1, 0))
        # An output of the graph has lost its module's name; the weights still have it.
        holders = [*outputs[:1], *(int(operator.inputs[i]) for i in (weights,) if 0 <= i < len(operator.inputs))]
        module = next(filter(None, (schema_module(graph.tensors[i].name) for i in holders if i >= 0)), "")
        for index in outputs:
            give(index, f"{module}/{kind}" if module else kind)
        for position, index in enumerate(operator.inputs):
            if model.buffers[graph.tensors[int(index)].buffer].data is not None:
                role = {weights: "weights", bias: "bias"}.get(position, "constant")
                give(int(index), f"{module or kind}/{role}")
    for index, tensor in enumerate(graph.tensors):
        give(index, "input" if index in graph.inputs else "unused")
        tensor.name = names[index]


def schema_module(name: bytes | str | None) -> str:
    """The module that made a tensor, from the converter's name for it: "p.Net/p.Sequential_layers/p.Conv2d_0;"."""
    # Of fused operators the last is the one with weights: activation;;normalisation;;convolution.
    parts = [part for part in text(name or "").split(";") if "/" in part]
    steps = parts[-1].split("/")[1:] if parts else []
    named = (re.sub(r"^.*\._*[A-Za-z0-9]+_(?=.)", "", step) for step in steps)  # other converters write no classes
    return "/".join(named)


def constant(model: Any, graph: Any, index: int) -> NDArray[Any] | None:
    """The values of a float32 or int8 constant, None for anything else."""
    tensor = graph.tensors[index]
    data = model.buffers[tensor.buffer].data
    if data is None or not len(data) or tensor.type not in (_FLOAT, _INT8):
        return None
    dtype = "<f4" if tensor.type == _FLOAT else "<i1"
    return np.asarray(data, np.uint8).view(dtype).reshape(shape_of(tensor))


def store(model: Any, index: int, values: NDArray[Any]) -> None:
    """Give the float32 tensor `index` of the main graph these values, in a buffer of its own."""
    buffer = schema.BufferT()
    buffer.data = np.ascontiguousarray(values, "<f4").reshape(-1).view(np.uint8)
    model.buffers.append(buffer)
    model.subgraphs[0].tensors[index].buffer = len(model.buffers) - 1


def own(graph: Any, operator: Any, index: int) -> int:
    """The index of an input of `operator` that no other one has: `index`, or a copy of its tensor, which it then takes.

    Layers without a bias share one of zeros.
    """
    if sum(index in other.inputs for other in graph.operators) < 2:
        return index
    tensor = copy.copy(graph.tensors[index])
    tensor.name = f"{text(graph.tensors[int(operator.outputs[0])].name)}/bias"
    graph.tensors.append(tensor)
    operator.inputs = np.array([len(graph.tensors) - 1 if i == index else i for i in operator.inputs], np.int32)
    return len(graph.tensors) - 1


def shape_of(tensor: Any) -> tuple[int, ...]:
    return () if tensor.shape is None else tuple(int(size) for size in tensor.shape)


def weighted_operators(model: Any, *, tables: bool = False) -> Iterator[tuple[str, str, Any, int, int, int]]:
    """Operators of the main graph that take weights: (name, kind, operator, weights, bias or -1, channel axis).

    Args:
        tables: also what looks rows up, which the quantizer leaves as it is.
    """
    graph, kinds = model.subgraphs[0], WEIGHTED | ({"GATHER": (0, -1, 0)} if tables else {})
    for operator in graph.operators:
        kind = name_of(model, operator)
        if kind not in kinds:
            continue
        weights, bias, axis = kinds[kind]
        index = int(operator.inputs[weights])
        if constant(model, graph, index) is None or len(shape_of(graph.tensors[index])) < 2:
            continue
        given = int(operator.inputs[bias]) if 0 <= bias < len(operator.inputs) else -1
        yield text(graph.tensors[int(operator.outputs[0])].name), kind, operator, index, given, axis


def text(name: bytes | str) -> str:
    return name.decode("utf-8", "replace") if isinstance(name, bytes) else name


def store_in_half(model: Any, least_rank: int = 0) -> None:
    """Turn large fp32 constants into fp16 ones, each behind a DEQUANTIZE; those out of fp16's range stay.

    Runtimes widen such a constant once, when they open the file: the arithmetic is fp32's.
    """
    code = schema.OperatorCodeT()
    code.builtinCode = schema.BuiltinOperator.DEQUANTIZE
    code.deprecatedBuiltinCode, code.version = code.builtinCode, 3
    for graph in model.subgraphs:
        used = {int(index) for operator in graph.operators for index in operator.inputs}
        widened = []
        for index in sorted(used - {-1}):
            tensor, values = graph.tensors[index], constant(model, graph, index)
            if tensor.type != _FLOAT or values is None or values.ndim < least_rank:
                continue
            if values.size < (_VERY_SMALL if values.ndim > 1 else _SMALL):
                continue
            if np.abs(values).max() > np.finfo(np.float16).max:
                continue
            half, buffer = schema.TensorT(), schema.BufferT()
            buffer.data = values.astype("<f2").reshape(-1).view(np.uint8)
            model.buffers.append(buffer)
            half.name, half.type = f"{text(tensor.name)}.fp16", _HALF
            half.shape = np.array(shape_of(tensor), np.int32)
            half.buffer, tensor.buffer = len(model.buffers) - 1, 0
            graph.tensors.append(half)
            if code not in model.operatorCodes:
                model.operatorCodes.append(code)
            operator = schema.OperatorT()
            operator.opcodeIndex = model.operatorCodes.index(code)
            operator.inputs = np.array([len(graph.tensors) - 1], np.int32)
            operator.outputs = np.array([index], np.int32)
            widened.append(operator)
        graph.operators = [*widened, *graph.operators]
