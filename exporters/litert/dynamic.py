"""A .tflite whose one axis has any size, of two that litert-torch made for a small and for the largest size.

litert-torch 0.10 keeps no axis dynamic, but LiteRT and XNNPACK follow the sizes of inputs wherever the operators allow
it. So the two files are compared operator by operator. What differs is said without a size: a reshape infers its one
length, axes of size 1 are dropped by name, and rows of a table of positions are looked up.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from ai_edge_litert import schema_py_generated as schema

from edgekit.common.lazy import NDArray, np
from edgekit.errors import ExportFailed
from edgekit.exporters.litert import file

_INT32, _FLOAT32 = schema.TensorType.INT32, schema.TensorType.FLOAT32


def join_sizes(small: bytes, large: bytes, part: str) -> bytes:
    """The tidy file `small` with the axis free in which `large`, the same network, is longer.

    Raises:
        ExportFailed: the files differ in something that cannot be said for every size; the message names the operator.
    """
    model, other = file.parse(small), file.parse(large)
    graph, longer = model.subgraphs[0], other.subgraphs[0]
    if [_shape_free(model, one) for one in graph.operators] != [_shape_free(other, one) for one in longer.operators]:
        raise ExportFailed(f"the part {part!r} has other operators, or other options of one, at another size.")
    differing = [
        index
        for index, (one, two) in enumerate(zip(graph.tensors, longer.tensors, strict=True))
        if file.shape_of(one) != file.shape_of(two) or _content(model, one) != _content(other, two)
    ]
    joined = _Joined(model, other, part)
    graph.operators = [made for operator in graph.operators for made in joined.operators(operator, {*differing})]
    for index in differing:
        sizes = zip(file.shape_of(graph.tensors[index]), file.shape_of(longer.tensors[index]), strict=True)
        if _content(model, graph.tensors[index]) is None:
            graph.tensors[index].shapeSignature = np.array([a if a == b else -1 for a, b in sizes], np.int32)
    return file.pack(model)


def _shape_free(model: Any, operator: Any) -> tuple[str, list[int], list[int], str]:
    """What must be the same at every size. A reshape's options say its sizes once more."""
    kind, options = file.name_of(model, operator), operator.builtinOptions
    told = {} if options is None or kind == "RESHAPE" else vars(options)
    return kind, [*map(int, operator.inputs)], [*map(int, operator.outputs)], repr(sorted(told.items()))


def _content(model: Any, tensor: Any) -> bytes | None:
    data = model.buffers[tensor.buffer].data
    return None if data is None or not len(data) else np.asarray(data, np.uint8).tobytes()


def _begins(table: NDArray[Any], rows: NDArray[Any], count: tuple[int, ...]) -> bool:
    """Whether `rows` [1, positions, width] are the first of `table`, as many as there are positions in `count`."""
    same = rows.ndim == 3 and rows.shape[:2] == count and count[0] == 1
    return same and np.array_equal(rows[0], table[0, : count[1]])


def _unit_axis(longer: tuple[int, ...], shorter: tuple[int, ...]) -> int | None:
    """The axis of size 1 without which `longer` is `shorter`."""
    places = (place for place, size in enumerate(longer) if size == 1)
    return next((place for place in places if longer[:place] + longer[place + 1 :] == shorter), None)


class _Joined:
    """The operators of `model` for every size; `longer` is the same network at the largest."""

    def __init__(self, model: Any, longer: Any, part: str) -> None:
        self._model, self._graph, self._longer, self._part = model, model.subgraphs[0], longer, part

    def operators(self, operator: Any, differing: set[int]) -> list[Any]:
        """What computes the same as `operator` for every size. Raises ExportFailed: nothing that is known here."""
        kind, before = file.name_of(self._model, operator), list[Any]()
        for index in map(int, operator.inputs[:1] if kind == "RESHAPE" else operator.inputs):
            if index in differing and _content(self._model, self._graph.tensors[index]) is not None:
                rows, made = self._rows_of_positions(index, kind)
                operator.inputs = np.where(operator.inputs == index, rows, operator.inputs).astype(np.int32)
                before += made
        return [*before, self._free_reshape(operator) if kind == "RESHAPE" else operator]

    def _free_reshape(self, operator: Any) -> Any:
        source, made = int(operator.inputs[0]), int(operator.outputs[0])
        (given, wanted), largest = ([file.shape_of(self._graph.tensors[i]) for i in (source, made)], self._sizes(made))
        free = [place for place, size in enumerate(wanted) if size != largest[place]]
        if len(free) <= 1:
            sizes = np.array([-1 if place in free else size for place, size in enumerate(wanted)], "<i4")
            shape = self._add_tensor(f"{self._name(made)}/shape", _INT32, [len(wanted)], sizes)
            operator.inputs, operator.builtinOptionsType, operator.builtinOptions = np.array([source, shape]), 0, None
            return operator
        if (place := _unit_axis(given, wanted)) is not None:
            squeeze = schema.SqueezeOptionsT()
            squeeze.squeezeDims = np.array([place], np.int32)
            return self._add_operator("SQUEEZE", [source], made, squeeze)
        if (place := _unit_axis(wanted, given)) is not None:
            axis = self._add_tensor(f"{self._name(made)}/axis", _INT32, [], np.array(place, "<i4"))
            return self._add_operator("EXPAND_DIMS", [source, axis], made, schema.ExpandDimsOptionsT())
        raise ExportFailed(
            f"the part {self._part!r} reshapes {list(given)} to {list(wanted)}, and more than one size is free."
        )

    def _rows_of_positions(self, index: int, kind: str) -> tuple[int, list[Any]]:
        """The tensor with as many first rows of the largest table in the place of constant `index` as there are
        positions, and the operators that look them up."""
        rows, table = (file.constant(model, model.subgraphs[0], index) for model in (self._model, self._longer))
        ids = int(self._graph.inputs[0])
        count = file.shape_of(self._graph.tensors[ids])
        if rows is None or table is None or self._graph.tensors[ids].type != _INT32 or not _begins(table, rows, count):
            raise ExportFailed(f"the part {self._part!r} has a constant of every size's own, in front of {kind}.")
        name, exclusive, made, operators = self._name(index), schema.CumsumOptionsT(), ids, list[Any]()
        exclusive.exclusive = True
        steps: Sequence[tuple[str, Any, NDArray[Any]]] = (
            ("MUL", schema.MulOptionsT(), np.zeros((1, 1), "<i4")),
            ("ADD", schema.AddOptionsT(), np.ones((1, 1), "<i4")),
            ("CUMSUM", exclusive, np.array(1, "<i4")),
        )
        for step, options, number in steps:
            held = self._add_tensor(f"{name}/{step}/constant", _INT32, list(number.shape), number)
            out = self._add_tensor(f"{name}/{step}", _INT32, list(count))
            operators.append(self._add_operator(step, [made, held], out, options))
            made = out
        whole = self._add_tensor(f"{name}/table", _FLOAT32, list(table.shape[1:]), table[0])
        found = self._add_tensor(f"{name}/rows", _FLOAT32, list(rows.shape))
        return found, [*operators, self._add_operator("GATHER", [whole, made], found, schema.GatherOptionsT())]

    def _sizes(self, index: int) -> tuple[int, ...]:
        return file.shape_of(self._longer.subgraphs[0].tensors[index])

    def _name(self, index: int) -> str:
        return file.text(self._graph.tensors[index].name)

    def _add_tensor(self, name: str, kind: int, shape: list[int], values: NDArray[Any] | None = None) -> int:
        tensor, buffer = schema.TensorT(), schema.BufferT()
        tensor.name, tensor.type, tensor.shape, tensor.buffer = name, kind, np.array(shape, np.int32), 0
        if values is not None:
            buffer.data = np.ascontiguousarray(values).reshape(-1).view(np.uint8)
            self._model.buffers.append(buffer)
            tensor.buffer = len(self._model.buffers) - 1
        self._graph.tensors.append(tensor)
        return len(self._graph.tensors) - 1

    def _add_operator(self, kind: str, inputs: list[int], output: int, options: Any) -> Any:
        code, operator = schema.OperatorCodeT(), schema.OperatorT()
        code.builtinCode, code.version = getattr(schema.BuiltinOperator, kind), 1
        code.deprecatedBuiltinCode = min(code.builtinCode, 127)
        self._model.operatorCodes.append(code)
        operator.opcodeIndex = len(self._model.operatorCodes) - 1
        operator.inputs, operator.outputs = np.array(inputs, np.int32), np.array([output], np.int32)
        operator.builtinOptions = options
        operator.builtinOptionsType = getattr(schema.BuiltinOptions, type(options).__name__.removesuffix("T"))
        return operator
