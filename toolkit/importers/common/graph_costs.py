"""The layers of a traced graph, with the sizes that it was traced with, as `Work` for estimates."""

from __future__ import annotations

from math import prod

from edgekit.core import Work
from edgekit.formats.pt2 import Program
from edgekit.formats.pt2.archive import DTYPES
from edgekit.formats.pt2.graph import Node
from edgekit.formats.pt2.operators import short
from edgekit.numerics.layers import Layer, table, work

_CONVOLUTIONS = frozenset(("conv1d", "conv2d", "conv3d", "conv_transpose1d", "conv_transpose2d", "convolution"))
_RECURRENT = frozenset(("lstm", "gru", "rnn_tanh", "rnn_relu", "lstm_cell", "gru_cell"))
_PRODUCTS = frozenset(("linear", "addmm", "mm", "matmul", "bmm", "baddbmm", "einsum"))
_ATTENTION = frozenset(("softmax", "_softmax", "scaled_dot_product_attention", "_safe_softmax"))
#: Operators whose result is the same weight in another order.
_VIEWS = frozenset(
    (
        *("t", "transpose", "permute", "view", "reshape", "contiguous", "to", "clone", "detach", "unsqueeze"),
        *("squeeze", "expand"),
    )
)


def work_of(part: str, program: Program) -> Work:
    """The weights and the work of a call with the shapes that the program was traced with."""
    weights = _weights(program)
    layers: list[Layer] = []
    looked_up, multiplied = dict[str, tuple[int, ...]](), set[str]()
    macs = steps = unrolled = 0
    operators = {short(node.target) for node in program.graph.nodes}
    for node in program.graph.nodes:
        name = short(node.target)
        operands = [operand for entry in node.inputs for operand in entry.arg.tensors]
        _follow(name, node, operands, weights)
        output = _output(program, node)
        if name in _RECURRENT:
            held = [weights[operand] for operand in operands if len(weights.get(operand, ())) == 2]
            steps = max(steps, _steps(program, operands, held))
            layers += [Layer(prod(shape), shape[0], steps, sum(shape)) for shape in held]
            unrolled += sum(prod(shape) for shape in held)
        elif name == "embedding" and operands[0] in weights:
            looked_up[operands[0]] = weights[operands[0]]
        elif name in _CONVOLUTIONS or name in _PRODUCTS:
            chosen = [weights[operand] for operand in operands if len(weights.get(operand, ())) >= 2]
            multiplied.update(operands)
            if chosen:
                layers.append(_layer(name, chosen[0], program.sizes(operands[0]), output))
            elif operands:
                macs += prod(output) * (program.sizes(operands[0]) or (1,))[-1]
    layers += [table(prod(shape)) for held, shape in looked_up.items() if held not in multiplied]
    counted = sum(layer.weights + layer.outputs for layer in layers)
    return work(
        part,
        _kind(operators, layers),
        layers,
        tables=max(0, _floats(program) - counted),
        macs=macs,
        steps=steps,
        unrolled=unrolled,
    )


def _kind(operators: set[str], layers: list[Layer]) -> str:
    if operators & _RECURRENT:
        return "recurrent"
    if operators & _ATTENTION:
        return "attention"
    if operators & _CONVOLUTIONS:
        return "convolution"
    return "vector" if all(layer.positions <= 1 for layer in layers) else "attention"


def _weights(program: Program) -> dict[str, tuple[int, ...]]:
    """Name in the graph -> shape of each weight."""
    held = {**program.archive.constants, **program.archive.weights}
    used = [spec.weight for spec in program.module.signature.input_specs if spec.weight]
    return {weight.arg.name: held[weight.name].sizes for weight in used}


def _follow(name: str, node: Node, operands: list[str], weights: dict[str, tuple[int, ...]]) -> None:
    """A weight that is only turned around stays one: `weights` gets its new name."""
    if name in _VIEWS and operands and operands[0] in weights:
        shape = weights[operands[0]]
        for output in node.outputs:
            if output.tensor:
                weights[output.tensor] = shape[::-1] if name == "t" else shape


def _output(program: Program, node: Node) -> tuple[int, ...]:
    first = next((name for output in node.outputs for name in output.tensors), "")
    return program.sizes(first) if first else ()


def _layer(name: str, weight: tuple[int, ...], before: tuple[int, ...], after: tuple[int, ...]) -> Layer:
    count = prod(weight)
    outputs = weight[0] if name in _CONVOLUTIONS or name == "linear" else weight[-1]
    if name in _CONVOLUTIONS:
        positions = prod(after) // max(1, after[1] if len(after) > 1 else 1)
    else:
        positions = max(1, prod(after) // max(1, outputs))
    return Layer(count, outputs, positions, prod(before) + prod(after))


def _steps(program: Program, operands: list[str], held: list[tuple[int, ...]]) -> int:
    """Length of the sequence that a recurrence runs over."""
    shape = program.sizes(operands[0]) if operands else ()
    return max(shape[:-1], default=1) if held else 1


def _floats(program: Program) -> int:
    """Numbers of all float weights and constants, shared ones once."""
    payloads = [*program.archive.weights.values(), *program.archive.constants.values()]
    floats = [payload for payload in payloads if DTYPES[payload.dtype][0].startswith(("float", "bfloat"))]
    return sum({(payload.member, payload.offset): payload.elements for payload in floats}.values())
