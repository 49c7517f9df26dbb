"""Static int8 for ONNX: where quantization goes, and the graph with it (QuantizeLinear / DequantizeLinear pairs).

Weights int8 with a scale for every output channel (or one a tensor), activations uint8 with one scale a tensor, biases
int32. A runtime may take activations of 16 bits, too (uint16): then the pairs are onnxruntime's own operators, because
ONNX has such since 21 alone.

The pairs lie so that onnxruntime fuses every chain of dequantize, operator, quantize into one integer operator
(QLinearConv and the like): a ReLU or ReLU6 behind a product is part of it, because values that are saturated to the
range of its output need no other limit. Pixels that come as uint8 and are normalised by a scale and a whole zero point
are quantized already.

Scales of weights are stored as float16 (rounded up before the weights are cut into steps of them, so nothing is lost),
and those of biases are not stored but multiplied; the runtime computes both once, when it loads the file.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any

import onnx
from onnx import helper

from edgekit.common.lazy import NDArray, np
from edgekit.exporters.onnx.convolutions.places import MOVES, Places
from edgekit.exporters.onnx.graph import CONTRIB, attribute, constants, rebuild
from edgekit.quantization.ranges import Ranges, least_scale
from edgekit.quantization.weights.snapping import half


def quantize(
    wanted: Places,
    ranges: Ranges,
    kept: Collection[str] = (),
    only: Collection[str] | None = None,
    *,
    per_channel: bool = True,
    rounded: Mapping[str, Mapping[str, NDArray[Any]]] | None = None,
    bits: int = 8,
) -> onnx.ModelProto:
    """A copy of the graph with int8 in it.

    Args:
        ranges: of every tensor in `Places.tensors_to_calibrate`. kept: products whose weights stay float.
        only: if given, nothing but these products is quantized, and what they read and make.
        per_channel: a scale for every output channel of the weights, or one for all of them.
        rounded: product -> constants in place of its own (see `rounding`). bits: of activations, 8 or 16.
    """
    writer = _Writer(wanted, ranges, set(kept), only, per_channel, bits)
    writer.replace(rounded or {})
    return writer.write()


class _Writer:
    def __init__(
        self, wanted: Places, ranges: Ranges, kept: set[str], only: Collection[str] | None, per_channel: bool, bits: int
    ) -> None:
        self._places, self._ranges, self._per_channel = wanted, ranges, per_channel
        self._steps, self._last = np.dtype(f"uint{bits}"), (1 << bits) - 1
        self._arrays = constants(wanted.model)
        self._products = set(wanted.products) - kept if only is None else set(only)
        floats = [node for name, node in wanted.products.items() if name in kept]
        self._float_results = {wanted.limits.get(node.name, node).output[0] for node in floats}
        self._limits = {limit.output[0]: self._limits_of(limit) for limit in wanted.limits.values()}
        self._roots = self._read_in_integers()
        if only is not None:
            nodes = [(wanted.products[name], wanted.limits.get(name, wanted.products[name])) for name in only]
            ends = [name for node, last in nodes for name in (node.input[0], last.output[0])]
            self._roots = {name: wanted.roots[name] for name in ends if name in wanted.roots}
        self._added: dict[str, NDArray[Any]] = {}
        self._scalars: list[str] = []
        self._nodes: list[onnx.NodeProto] = []

    def replace(self, rounded: Mapping[str, Mapping[str, NDArray[Any]]]) -> None:
        """Other constants for the products that are quantized."""
        for name in self._products:
            self._arrays.update(rounded.get(name, {}))

    def _read_in_integers(self) -> dict[str, str]:
        """Quantized tensors -> their roots, without those that only operators in float make and read.

        A layer that stays float beside others that do would lose at both of its ends what it was to keep.
        """
        nodes = [self._places.products[name] for name in self._products] + self._others()
        nodes += [limit for name, limit in self._places.limits.items() if name in self._products]
        ends = {name for node in nodes for name in (*node.input, *node.output)}
        kept = {root for name, root in self._places.roots.items() if name in ends} | set(self._places.given)
        return {name: root for name, root in self._places.roots.items() if root in kept}

    def _others(self) -> list[onnx.NodeProto]:
        """The nodes without weights that are computed in integers: those that such a node or product reads.

        The others would only lose digits. So boxes in pixels and scores up to 1, which meet in a Concat at the end of
        a detector, keep a scale each. What reads a layer that stays float stays float, too.
        """
        roots, wanted = self._places.roots, list[onnx.NodeProto]()
        read = {roots[self._places.products[name].input[0]] for name in self._products}
        for node in reversed(self._places.others):
            always = node.op_type == "MatMul"  # a product of two activations is work, as those with weights are
            if (always or roots[node.output[0]] in read) and self._float_results.isdisjoint(node.input):
                wanted.append(node)
                read.update(roots[name] for name in node.input)
        return wanted

    def write(self) -> onnx.ModelProto:
        model = self._places.model
        makers = {output: node for node in model.graph.node for output in node.output}
        outputs = {value.name for value in model.graph.output}
        dropped = {
            limit.name: limit.input[0]
            for product, limit in self._places.limits.items()
            if product in self._products and limit.output[0] in self._roots and self._within(limit)
        }
        for name in self._roots:
            if name not in makers:
                self._pair(name, name)
        for node in model.graph.node:
            if node.name in dropped:
                self._pair(dropped[node.name], node.output[0])
                continue
            copy = onnx.NodeProto()
            copy.CopyFrom(node)
            copy.input[:] = [f"{name}.dq" if name in self._roots else name for name in node.input]
            if node.name in self._products:
                self._weights(copy, node)
            given = self._places.given.get(node.output[0]) if node.output[0] in self._roots else None
            if given:
                self._from_pixels(node, makers)
                continue
            if self._moves_pixels(node) and node.output[0] not in outputs:
                copy.output[:] = [f"{node.output[0]}.dq"]
                self._nodes.append(copy)
                continue
            for i, name in enumerate(node.output):
                if name in self._roots and name in outputs:
                    copy.output[i] = f"{name}.float"
            self._nodes.append(copy)
            for name in node.output:
                if name in self._roots:
                    self._pair(f"{name}.float" if name in outputs else name, name)
        for name in outputs & set(self._roots):
            self._add("Identity", [f"{name}.dq"], name)
        made = rebuild(model, self._nodes, self._added, contrib=self._last > 255)
        return _compact(made, set(self._scalars))

    def _parameters(self, name: str) -> tuple[float, int]:
        root = self._roots[name]
        if root in self._places.given:
            return self._places.given[root]
        least, largest = self._ranges[root]
        low, high = self._limits.get(root, (self._places.floors.get(root, -np.inf), np.inf))
        least, largest = min(max(least, low), 0.0), max(min(largest, high), 0.0)
        scale = (largest - least) / self._last or 1.0
        return scale, int(np.clip(np.rint(-least / scale), 0, self._last))

    def _within(self, limit: onnx.NodeProto) -> bool:
        """Whether the quantized range of `limit`'s output lies within what it limits to, so that it does nothing.

        A limit other than 0 need not be a whole number of steps: then the last step is the nearest one to it.
        """
        (low, high), (scale, zero) = self._limits[limit.output[0]], self._parameters(limit.output[0])
        near = scale * (0.5 + 1e-6) if low else 0.0
        return bool(-zero * scale >= low - near and (self._last - zero) * scale <= max(high * (1 + 1e-6), high + near))

    def _limits_of(self, limit: onnx.NodeProto) -> tuple[float, float]:
        """What a ReLU or a Clip limits to; a Clip may have either end, or none."""
        if limit.op_type != "Clip":
            return 0.0, np.inf
        low, high = [self._arrays.get(name) if name else None for name in [*limit.input[1:], "", ""][:2]]
        return -np.inf if low is None else float(low.item()), np.inf if high is None else float(high.item())

    def _constants(self, name: str) -> list[str]:
        """Names of the scale and the zero point of a tensor: one pair a root."""
        root = self._roots[name]
        scale, zero = self._parameters(name)
        self._added[f"{root}.s"], self._added[f"{root}.z"] = np.array(scale, np.float32), np.array(zero, self._steps)
        pair = [f"{root}.s", f"{root}.z"]
        self._scalars += pair
        return pair

    def _add(self, kind: str, inputs: list[str], output: str, **attributes: Any) -> None:
        self._nodes.append(helper.make_node(kind, inputs, [output], **attributes))

    def _pair(self, source: str, name: str) -> None:
        pair = self._constants(name)
        if name in self._float_results:
            # onnxruntime (since 1.20) quantizes float weights by itself where it sees dequantize, product, quantize; a
            # maximum that changes nothing is not of that pattern, and it does not know that it changes nothing.
            self._added["lowest"] = np.array([np.finfo(np.float32).min], np.float32)
            self._add("Max", [source, "lowest"], f"{name}.max")
            source = f"{name}.max"
        domain = {"domain": CONTRIB} if self._last > 255 else {}
        self._add("QuantizeLinear", [source, *pair], f"{name}.q", **domain)
        self._add("DequantizeLinear", [f"{name}.q", *pair], f"{name}.dq", **domain)

    def _from_pixels(self, last: onnx.NodeProto, made: Mapping[str, onnx.NodeProto]) -> None:
        """The uint8 pixels themselves are the quantized tensor; where they are transposed first, that comes behind.

        OpenVINO has integers for a convolution of dequantized pixels in this order alone.
        """
        name = last.output[0]
        cast = made[last.input[0]]
        cast = made[cast.input[0]] if cast.op_type == "Sub" else cast
        pixels, moved = cast.input[0], made.get(cast.input[0])
        if moved is None or moved.op_type != "Transpose":
            self._add("DequantizeLinear", [pixels, *self._constants(name)], f"{name}.dq")
            return
        self._add("DequantizeLinear", [moved.input[0], *self._constants(name)], f"{name}.whole")
        order = attribute(moved, "perm", None)
        self._add("Transpose", [f"{name}.whole"], f"{name}.dq", **({"perm": order} if order else {}))

    def _moves_pixels(self, node: onnx.NodeProto) -> bool:
        """Whether `node` moves dequantized pixels and does nothing else.

        Such a node needs no pair of its own: onnxruntime carries the pixels' through it, and OpenVINO then reads an
        image in the layout that it came in, where a pair behind the node would have it moved in memory.
        """
        ends = [*node.input[:1], *node.output]
        moves = node.op_type in MOVES and node.input[0] in self._places.given
        return moves and all(name in self._roots for name in ends)

    def _weights(self, copy: onnx.NodeProto, node: onnx.NodeProto) -> None:
        weight, name = self._arrays[node.input[1]], node.name
        axis = 0 if node.op_type == "Conv" or attribute(node, "transB", 0) else 1
        across = tuple(i for i in range(weight.ndim) if i != axis)
        biased = len(node.input) > 2 and bool(node.input[2])
        step, _ = self._parameters(node.input[0])
        scales = np.abs(weight).max(axis=across).astype(np.float64) / 127
        if biased:
            bias = self._arrays[node.input[2]].astype(np.float64).reshape(-1)
            scales = np.maximum(scales, least_scale(bias, step))
        scales = half(scales if self._per_channel else np.asarray(scales.max()))
        shape = tuple(-1 if i == axis else 1 for i in range(weight.ndim)) if self._per_channel else ()
        values = np.rint(weight / scales.reshape(shape)).clip(-127, 127).astype(np.int8)
        self._added[f"{name}.w"], self._added[f"{name}.wh"] = values, scales.astype(np.float16)
        self._add("Cast", [f"{name}.wh"], f"{name}.ws", to=onnx.TensorProto.FLOAT)
        inputs = [f"{name}.w", f"{name}.ws"]
        if node.op_type != "Conv":  # onnxruntime fuses these only where the zero points are written out
            self._added[f"{name}.wz"] = np.zeros(scales.shape, np.int8)
            inputs.append(f"{name}.wz")
        if not self._per_channel:
            self._scalars += [f"{name}.wh", f"{name}.wz"]
        self._add("DequantizeLinear", inputs, f"{name}.wf", axis=axis)
        copy.input[1] = f"{name}.wf"
        if biased:
            steps = scales.astype(np.float32) * np.float32(step)
            self._added[f"{name}.b"] = np.rint(bias / steps.astype(np.float64)).astype(np.int32)
            self._add("Mul", [f"{name}.ws", self._constants(node.input[0])[0]], f"{name}.bs")
            self._add("DequantizeLinear", [f"{name}.b", f"{name}.bs"], f"{name}.bf", axis=0)
            copy.input[2] = f"{name}.bf"


def _compact(model: onnx.ModelProto, scalars: set[str]) -> onnx.ModelProto:
    """Short names for tensors that nobody asks for by name, and scalars without an axis, which QLinearAdd wants."""
    names = {value.name: value.name for value in (*model.graph.input, *model.graph.output)} | {"": ""}
    for tensor in model.graph.initializer:
        if tensor.name in scalars:
            del tensor.dims[:]
        tensor.name = names.setdefault(tensor.name, f"c{len(names)}")
    for node in model.graph.node:
        node.input[:] = [names.setdefault(name, f"t{len(names)}") for name in node.input]
        node.output[:] = [names.setdefault(name, f"t{len(names)}") for name in node.output]
    return model
