"""The residual streams of a float graph: found, and rotated (see `edgekit.quantization.weights.rotation`)."""

from __future__ import annotations

from typing import Any

import onnx
from onnx import helper

from edgekit.common.lazy import NDArray, np
from edgekit.exporters.onnx.graph import attribute, constants, rebuild
from edgekit.quantization.weights.rotation import LARGEST, reading, rotation, writing

#: Operators that hand rows of a stream on as they are, where they work along another axis than the last.
_ROWS = {"Gather", "Slice", "Concat", "Identity"}
#: Products that may be put between the stream and what is neither a product nor a table.
_MOST = 2

Arrays = dict[str, NDArray[Any]]


class _Unfit(Exception):
    """Why a stream is not rotated."""


def rotate_stream(model: onnx.ModelProto) -> tuple[onnx.ModelProto, str]:
    """The graph with its residual stream rotated: the same function. "" or why it is left as it was."""
    try:
        return _Stream(model).rotate(), ""
    except _Unfit as exc:
        return model, str(exc)


class _Stream:
    """The tensors that sums and hand-overs join to what the normalizations read."""

    def __init__(self, model: onnx.ModelProto) -> None:
        self._model, self._arrays = model, constants(model)
        self._made = {output: node for node in model.graph.node for output in node.output}
        self._users: dict[str, list[onnx.NodeProto]] = {}
        for node in model.graph.node:
            for name in node.input:
                self._users.setdefault(name, []).append(node)
        self._outputs = {value.name for value in model.graph.output}
        self._norms = [node for node in model.graph.node if node.op_type == "LayerNormalization"]
        if not self._norms:
            raise _Unfit("no layer normalization reads a residual stream")
        self._width = self._width_of(self._norms[0])
        self._tensors = self._stream_tensors()
        self._turn = rotation(self._width)
        self._new: Arrays = {}
        self._behind: dict[str, tuple[NDArray[Any], NDArray[Any] | None]] = {}
        self._biases: Arrays = {}

    def _width_of(self, norm: onnx.NodeProto) -> int:
        gain = self._arrays.get(norm.input[1])
        if gain is None or gain.ndim != 1 or attribute(norm, "axis", -1) != -1 or gain.size > LARGEST:
            raise _Unfit(f"the normalization {norm.name} is not over one axis of at most {LARGEST}")
        return int(gain.size)

    def _stream_tensors(self) -> set[str]:
        seen, todo = set[str](), [norm.input[0] for norm in self._norms]
        while todo:
            name = todo.pop()
            if name in seen:
                continue
            seen.add(name)
            if (maker := self._made.get(name)) is not None and self._joins(maker):
                todo += self._operands(maker)
            for node in self._users.get(name, ()):
                if self._joins(node) and name in self._operands(node):
                    todo += [*self._operands(node), node.output[0]]
        return seen

    def _joins(self, node: onnx.NodeProto) -> bool:
        """Whether what `node` takes and makes are rows of one stream."""
        if node.op_type in ("Add", "Sum"):
            return True
        if node.op_type not in _ROWS or all(name in self._arrays for name in self._operands(node)):
            return False
        if node.op_type == "Slice":
            axes = self._arrays.get(node.input[3]) if len(node.input) > 3 else None
            return axes is not None and not {-1} & set(axes.tolist()) and 0 < max(axes.tolist(), default=0) < 2
        return node.op_type == "Identity" or attribute(node, "axis", 0) == 1

    def _operands(self, node: onnx.NodeProto) -> list[str]:
        return list(node.input[:1] if node.op_type in ("Gather", "Slice") else node.input)

    def rotate(self) -> onnx.ModelProto:
        for norm in self._norms:
            if self._width_of(norm) != self._width:
                raise _Unfit("its normalizations differ in width")
            if norm.output[0] in self._tensors:
                raise _Unfit(f"post-norm: {norm.name} stands in the residual stream, not in front of a layer")
        for name in sorted(self._tensors):
            self._write(name)
            if name in self._outputs or any(not self._reads(node, name) for node in self._users.get(name, ())):
                raise _Unfit(f"{name} leaves the residual stream without a normalization")
        for norm in self._norms:
            self._read(norm)
        if len(self._behind) > _MOST:
            raise _Unfit(f"{len(self._behind)} products more would be needed ({', '.join(sorted(self._behind)[:4])})")
        more = len(self._behind) * self._width**2
        if 2 * more > sum(array.size for array in self._arrays.values()):
            raise _Unfit(f"its products more would have {more:,} weights, at least half as many as the network")
        return self._rebuilt()

    def _reads(self, node: onnx.NodeProto, name: str) -> bool:
        return node.op_type in ("LayerNormalization", "Shape") or (self._joins(node) and name in self._operands(node))

    def _write(self, name: str) -> None:
        """Rotate what makes `name`."""
        maker = self._made.get(name)
        if name in self._arrays:
            self._rotate_constant(name, name)
        elif maker is None:
            self._behind[name] = self._turn, None
        elif self._joins(maker):
            return
        elif maker.op_type == "MatMul" and maker.input[1] in self._arrays:
            self._rotate_constant(maker.input[1], maker.name)
        elif maker.op_type in ("Gather", "Slice") and maker.input[0] in self._arrays:
            self._rotate_constant(maker.input[0], maker.name)
        else:
            self._behind[name] = self._turn, None

    def _rotate_constant(self, name: str, owner: str) -> None:
        array = self._arrays[name]
        if not array.ndim or array.shape[-1] != self._width or array.dtype != np.float32:
            raise _Unfit(f"{owner} adds a constant of shape {list(array.shape)} to a stream of {self._width}")
        if len(self._users[name]) > 1:
            raise _Unfit(f"{name} is shared with another layer ({', '.join(n.name for n in self._users[name][:3])})")
        self._new[name] = writing(array, self._turn)

    def _read(self, norm: onnx.NodeProto) -> None:
        gain = self._arrays[norm.input[1]]
        shift = self._arrays[norm.input[2]] if len(norm.input) > 2 else np.zeros_like(gain)
        out = norm.output[0]
        readers = self._users.get(out, [])
        products = [n for n in readers if n.op_type == "MatMul" and n.input[0] == out and n.input[1] in self._arrays]
        fits = all(self._arrays[n.input[1]].ndim == 2 and len(self._users[n.input[1]]) == 1 for n in products)
        if len(products) < len(readers) or out in self._outputs or not fits:
            self._behind[out] = self._turn.T * gain, shift
            return
        for node in products:
            weight = node.input[1]
            held = self._new.get(weight, self._arrays[weight])  # a product may read the stream and write to it
            self._new[weight], bias = reading(held, gain, shift, self._turn)
            self._behind_bias(node, bias)

    def _behind_bias(self, node: onnx.NodeProto, bias: NDArray[Any]) -> None:
        """Add `bias` to the one that follows a product, or put it there."""
        users = self._users.get(node.output[0], [])
        if len(users) == 1 and users[0].op_type == "Add" and node.output[0] not in self._outputs:
            for name in users[0].input:
                if name in self._arrays and self._arrays[name].shape == bias.shape and len(self._users[name]) == 1:
                    self._new[name] = self._new.get(name, self._arrays[name]) + bias
                    return
        if bias.any():
            self._biases[node.output[0]] = bias

    def _rebuilt(self) -> onnx.ModelProto:
        nodes = list[onnx.NodeProto]()
        new: Arrays = dict(self._new)
        new["rotated.gain"] = np.ones(self._width, np.float32)
        for name, (matrix, shift) in self._behind.items():
            new[f"{name}.turn"] = np.ascontiguousarray(matrix, np.float32)
            if shift is not None:
                new[f"{name}.shift"] = shift
        new |= {f"{name}.shift": bias for name, bias in self._biases.items()}
        for name in self._behind.keys() - self._made.keys():
            raise _Unfit(f"the part's own input {name} is the residual stream")
        for old in self._model.graph.node:
            node = onnx.NodeProto()
            node.CopyFrom(old)
            nodes.append(node)
            if node.op_type == "LayerNormalization":
                node.input[:] = [node.input[0], "rotated.gain"]
            out = last = node.output[0] if node.output else ""
            if f"{out}.turn" in new:
                node.output[0], last = f"{out}.before", f"{out}.product" if f"{out}.shift" in new else out
                nodes.append(helper.make_node("MatMul", [f"{out}.before", f"{out}.turn"], [last], name=f"{out}/turn"))
            elif f"{out}.shift" in new:
                node.output[0] = last = f"{out}.product"
            if last != out:
                nodes.append(helper.make_node("Add", [last, f"{out}.shift"], [out], name=f"{out}/shift"))
        kept = onnx.ModelProto()
        kept.CopyFrom(self._model)
        del kept.graph.initializer[:]
        kept.graph.initializer.extend(t for t in self._model.graph.initializer if t.name not in new)
        return rebuild(kept, nodes, new)
