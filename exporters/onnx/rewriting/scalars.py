"""Products and sums with scalars, taken into weights of convolutions or into one another: fewer values are rounded."""

from __future__ import annotations

from collections import Counter
from typing import NamedTuple

import onnx
from onnx import helper

from edgekit.common.lazy import np
from edgekit.exporters.onnx.graph import constants, rebuild
from edgekit.exporters.onnx.rewriting.functions import MOVES

#: What weights, and shifts that are divided by a factor, must be within: half precision ends at 65,504 and 0.00006.
_LEAST, _MOST = 1e-3, 1e3


class _Scalar(NamedTuple):
    """``of * value`` or ``of + value``, as `operator` says."""

    operator: str
    of: str
    value: float


def fold_scalars(model: onnx.ModelProto) -> onnx.ModelProto:
    """`model` with scalars in as few nodes as possible; what it computes stays but for rounding in single precision."""
    return _Folding(model).folded


class _Folding:
    def __init__(self, model: onnx.ModelProto) -> None:
        self._arrays, ends = constants(model), [value.name for value in model.graph.output]
        self._readers = Counter([*ends, *(name for node in model.graph.node for name in node.input)])
        self._made: dict[str, onnx.NodeProto] = {}
        nodes, instead = list[onnx.NodeProto](), dict[str, str]()
        for node in model.graph.node:
            copy = onnx.NodeProto()
            copy.CopyFrom(node)
            copy.input[:] = [instead.get(name, name) for name in node.input]
            before = self._fold_behind(copy) if node.output[0] not in ends else ""
            if before:
                instead[node.output[0]] = before
                self._readers[before] = self._readers[node.output[0]]
            else:
                self._fold_before(copy)
                nodes.append(copy)
                self._made.update(dict.fromkeys(copy.output, copy))
        self.folded = rebuild(model, nodes, {n: a for n, a in self._arrays.items() if n.endswith(".folded")})

    def _scalar(self, node: onnx.NodeProto | None) -> _Scalar | None:
        if node is None or node.op_type not in ("Mul", "Add", "Div", "Sub"):
            return None
        for of, other in (node.input, reversed(node.input)):
            held = self._arrays.get(other)
            if held is not None and held.shape in ((), (1,)) and held.dtype == np.float32 and of not in self._arrays:
                value = float(held.reshape(()))
                if node.op_type in ("Mul", "Add"):
                    return _Scalar(node.op_type, of, value)
                if other == node.input[1] and value:
                    return _Scalar("Mul", of, 1 / value) if node.op_type == "Div" else _Scalar("Add", of, -value)
        return None

    def _fold_behind(self, node: onnx.NodeProto) -> str:
        """The tensor that has the result of `node`, as what made its input takes the scalar; "" where it cannot."""
        scalar = self._scalar(node)
        maker = self._made.get(scalar.of) if scalar else None
        if scalar is None or maker is None or self._readers[scalar.of] > 1:
            return ""
        earlier = self._scalar(maker)
        if earlier and earlier.operator == scalar.operator:
            both = earlier.value * scalar.value if scalar.operator == "Mul" else earlier.value + scalar.value
            maker.CopyFrom(self._node(maker, _Scalar(scalar.operator, earlier.of, both)))
            return scalar.of
        factor, shift = (scalar.value, 0.0) if scalar.operator == "Mul" else (1.0, scalar.value)
        return scalar.of if self._scale(maker, factor, shift) else ""

    def _fold_before(self, node: onnx.NodeProto) -> None:
        """Sums before products, which the weights of a convolution behind them take; divisions are products."""
        scalar, before = self._scalar(node), self._made.get(node.input[0]) if node.input else None
        if scalar is None:
            reader = node
            while before is not None and before.op_type in (*MOVES, "Slice") and self._readers[before.output[0]] == 1:
                reader, before = before, self._made.get(before.input[0])
            product = self._scalar(before) if before is not None and self._readers[reader.input[0]] == 1 else None
            if product and product.operator == "Mul" and self._scale(node, product.value, biased=False):
                reader.input[0] = product.of
            return
        before = self._made.get(scalar.of) if self._readers[scalar.of] == 1 else None
        product = self._scalar(before)
        if before is not None and product and (product.operator, scalar.operator) == ("Mul", "Add"):
            shift = scalar.value / product.value if product.value else _MOST
            if abs(shift) < _MOST:
                before.CopyFrom(self._node(before, _Scalar("Add", product.of, shift)))
                scalar = _Scalar("Mul", scalar.of, product.value)
        node.CopyFrom(self._node(node, scalar))

    def _scale(self, node: onnx.NodeProto, factor: float, shift: float = 0.0, *, biased: bool = True) -> bool:
        """Whether `node` is a convolution that now gives its results times `factor`, plus `shift`; without `biased`, of
        what it reads alone."""
        held = [self._arrays[name] for name in node.input[1:] if name in self._arrays and self._readers[name] == 1]
        if node.op_type != "Conv" or len(held) < len(node.input) - 1:
            return False
        weights, *rest = held
        weights = weights * np.float32(factor)
        if not _LEAST < np.abs(weights).max() < _MOST:
            return False
        bias = rest[0] if rest else np.zeros(len(weights), np.float32)
        bias = bias * np.float32(factor) + np.float32(shift) if biased else bias
        for place, array in enumerate((weights, bias), 1):
            name = f"{node.output[0]}.{place}.folded"
            self._arrays[name], self._readers[name] = array, 1
            node.input[place:] = [name, *node.input[place + 1 :]]
        return True

    def _node(self, node: onnx.NodeProto, scalar: _Scalar) -> onnx.NodeProto:
        name = f"{node.output[0]}.folded"
        self._arrays[name] = np.array(scalar.value, np.float32)
        return helper.make_node(scalar.operator, [scalar.of, name], list(node.output), name=node.name)
