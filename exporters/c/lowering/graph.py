"""A parsed .tflite -> layers in the order in which they run, and the state that survives between calls."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from edgekit.common.lazy import NDArray, np
from edgekit.errors import BadInput, Unsupported
from edgekit.exporters.c.layouts import layout as c_layout
from edgekit.exporters.c.lowering import elementwise, int16, moves, products, shapes
from edgekit.exporters.c.lowering.layers import QUANTIZE_HINT, SIZES, Layer, Lowering, Step, refuse
from edgekit.exporters.c.lowering.prune import prune
from edgekit.formats.tflite import Graph, Operator, Subgraph, Tensor


def _quantize(step: Step) -> None:
    (moves.quantize if step.source.dtype == "float32" else elementwise.unary)(step)


#: Every operator that can be translated, and what does it.
OPERATORS: Mapping[str, Callable[[Step], None]] = {
    "ADD": elementwise.binary,
    "ASSIGN_VARIABLE": moves.assign_variable,
    "AVERAGE_POOL_2D": elementwise.pool,
    "CALL_ONCE": moves.call_once,
    "CONCATENATION": moves.concatenation,
    "CONV_2D": products.product,
    "DEPTHWISE_CONV_2D": products.product,
    "DEQUANTIZE": moves.quantize,
    "EXPAND_DIMS": moves.reshape,
    "FULLY_CONNECTED": products.product,
    "LOGISTIC": elementwise.unary,
    "MAX_POOL_2D": elementwise.pool,
    "MEAN": elementwise.mean,
    "MUL": elementwise.binary,
    "PAD": moves.pad,
    "PADV2": moves.pad,
    "QUANTIZE": _quantize,
    "READ_VARIABLE": moves.read_variable,
    "RELU": elementwise.unary,
    "RELU6": elementwise.unary,
    "RESHAPE": moves.reshape,
    "SOFTMAX": elementwise.softmax,
    "SPLIT": moves.split,
    "SPLIT_V": moves.split,
    "SQUEEZE": moves.reshape,
    "STRIDED_SLICE": moves.strided_slice,
    "SUB": elementwise.binary,
    "TANH": elementwise.unary,
    "TRANSPOSE": moves.transpose,
    "VAR_HANDLE": moves.var_handle,
}


@dataclass(frozen=True)
class Program:
    """What is written as C.

    Attributes:
        tensors: those of the .tflite, then one for each variable.
        inputs, outputs: the network's, as tensors with memory of their own.
        states: tensors that live between calls -> their initial values.
        root: tensor -> the tensor whose memory it uses.
        layout: of the weights.
    """

    tensors: Sequence[Tensor]
    inputs: tuple[int, ...]
    outputs: tuple[int, ...]
    layers: Sequence[Layer]
    states: Mapping[int, NDArray[Any]]
    root: Callable[[int], int]
    layout: str


def lower(graph: Graph, layout: str) -> Program:
    """Translate the whole graph.

    Args:
        layout: a name of `c_layout.LAYOUTS`: how weights are laid out.

    Raises:
        Unsupported: an operator, dtype or shape that cannot be translated, by name. BadInput: the graph is malformed.
    """
    whole = _lower(graph, layout)  # which also finds the graph sound, as the next step takes it to be
    pruned = prune(graph)
    return whole if pruned is graph else _lower(pruned, layout)


def _lower(graph: Graph, layout: str) -> Program:
    main = graph.subgraphs[0]
    lowering = Lowering(main, c_layout.check(layout))
    states = _declare_states(lowering, graph)
    for operator in main.operators:
        if operator.name not in OPERATORS:
            raise refuse(operator, main.tensors, "the C exporter does not have this operator", _hint(operator))
        if not operator.outputs and operator.name not in ("CALL_ONCE", "ASSIGN_VARIABLE"):
            raise BadInput(f"the .tflite is damaged: operator {operator.index} ({operator.name}) has no output.")
        try:
            step = Step(lowering, operator)
            shapes.check(step)
            _translation(step)(step)
        except (IndexError, ZeroDivisionError) as exc:
            raise BadInput(
                f"the .tflite is damaged: operator {operator.index} ({operator.name}) lacks inputs or axes."
            ) from exc
    _check_order(lowering)
    for index in (*main.inputs, *main.outputs):
        tensor = main.tensors[index]
        if tensor.dtype not in SIZES:
            raise Unsupported(f"the input or output {tensor.name!r} is {tensor.dtype}.", hint=QUANTIZE_HINT)
    if not main.inputs or not main.outputs or not lowering.layers:
        raise BadInput("the .tflite computes nothing: it has no inputs, outputs or operators.")
    return Program(lowering.tensors, main.inputs, main.outputs, lowering.layers, states, lowering.root, lowering.layout)


def _translation(step: Step) -> Callable[[Step], None]:
    """What translates the operator: int16 activations have translations of their own where the arithmetic differs."""
    used = (*step.operator.inputs[:1], *step.operator.outputs[:1])
    usual = OPERATORS[step.name]
    is_int16 = "int16" in (step.tensors[index].dtype for index in used if index >= 0)
    return int16.OPERATORS.get(step.name, usual) if is_int16 else usual


def _hint(operator: Operator) -> str:
    if operator.name.startswith("CUSTOM"):
        return "Custom operators have no published meaning: replace it by built-in ones before converting."
    return f"Replace it in the model before converting. There are: {', '.join(sorted(OPERATORS))}."


def _declare_states(lowering: Lowering, graph: Graph) -> dict[int, NDArray[Any]]:
    """A tensor for every variable that an initialising subgraph assigns, with its first values."""
    states: dict[int, NDArray[Any]] = {}
    called = [operator.options["subgraph"] for operator in lowering.graph.operators if operator.name == "CALL_ONCE"]
    for number in called:
        if not 0 < number < len(graph.subgraphs):
            raise BadInput(f"the .tflite is damaged: CALL_ONCE names subgraph {number} of {len(graph.subgraphs)}.")
        for name, tensor in _initial(graph.subgraphs[number]):
            lowering.states[name] = len(lowering.tensors)
            values = np.zeros(tensor.shape, tensor.dtype) if tensor.data is None else tensor.data
            states[len(lowering.tensors)] = values
            lowering.tensors.append(Tensor(name, tensor.dtype, tensor.shape, tensor.quantization, None))
    return states


def _initial(graph: Subgraph) -> list[tuple[str, Tensor]]:
    names: dict[int, str] = {}
    assigned = []
    for operator in graph.operators:
        if operator.name == "VAR_HANDLE" and operator.outputs:
            names[operator.outputs[0]] = f"{operator.options['container']}/{operator.options['name']}"
        elif operator.name == "ASSIGN_VARIABLE" and len(operator.inputs) == 2 and operator.inputs[0] in names:
            tensor = graph.tensors[operator.inputs[1]]
            if tensor.data is None or tensor.dtype not in SIZES:
                raise refuse(operator, graph.tensors, "a variable's first value is not a constant")
            assigned.append((names[operator.inputs[0]], tensor))
        else:
            raise refuse(operator, graph.tensors, "only variables with constant first values can be initialised")
    return assigned


def _check_order(lowering: Lowering) -> None:
    """Every layer reads only what was computed before it: a damaged file may say otherwise."""
    ready = {lowering.root(index) for index in (*lowering.graph.inputs, *lowering.states.values())}
    for layer in lowering.layers:
        for index in layer.inputs:
            if lowering.root(index) not in ready:
                name = lowering.tensors[index].name
                raise BadInput(f"the .tflite is damaged: {layer.operator.name} reads {name!r} before it is computed.")
        ready |= {lowering.root(index) for index in layer.outputs}
    for index in lowering.graph.outputs:
        if lowering.root(index) not in ready:
            raise BadInput(f"the .tflite is damaged: its output {lowering.tensors[index].name!r} is never computed.")
