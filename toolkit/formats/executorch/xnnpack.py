"""What a .pte holds for XNNPACK -> `Delegate`, every index and length checked."""

from __future__ import annotations

import math
import struct
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from edgekit.errors import BadInput
from edgekit.formats.executorch.schema import XNNPACK
from edgekit.formats.executorch.work import multiplications_of_xnnpack
from edgekit.formats.flatbuffer import parse

#: XNNPACK's numbers of dtypes -> their name and bits.
_DTYPES = {
    1: ("float32", 32), 2: ("float16", 16), 3: ("int8", 8), 4: ("uint8", 8), 5: ("int32", 32), 6: ("int8", 8),
    7: ("int32", 32), 8: ("int4", 4), 9: ("int8", 8), 10: ("int4", 4), 11: ("int8", 8), 12: ("int32", 32),
}  # fmt: skip
#: Dtypes with a scale for every channel, and that of activations that are quantized while running.
_BY_CHANNEL, _RUNNING = (6, 7, 8), 9
_NOTHING: tuple[str, dict[str, Any]] = ("none", {})
_MOST_AXES = 6
#: Values of a tensor, at most: XNNPACK asks the system for room for all that a file tells of.
_LARGEST = 1 << 28
#: An index that means: none.
_NONE = 0xFFFFFFFF
#: The flag of a product whose weights are [inputs, outputs].
_TRANSPOSED = 1
#: Operators with weights.
_WEIGHTED = ("FullyConnected", "Conv2d", "DepthwiseConv2d", "ConvTranspose2d")
#: Lists of numbers that must be as long as an operator's number of axes.
_LISTS = {"StaticTranspose": ("perm",), "StaticReshape": ("new_shape",), "StaticSlice": ("offsets", "sizes")}


@dataclass(frozen=True)
class Delegate:
    """One graph.

    Attributes:
        ends: dtype and rank (of a number: 1) of its inputs and outputs, in the order of its arguments.
        operators: by name, in order.
        weighted: of every operator with weights, in order: (operator, dtype of the weights, dtype of the input).
        constants: bytes by dtype. multiplications: of a call, axes without a fixed size at their upper bound.
    """

    ends: tuple[tuple[str, int], ...]
    operators: tuple[str, ...]
    weighted: tuple[tuple[str, str, str], ...]
    constants: Mapping[str, int]
    multiplications: int


def read(content: bytes, named: Mapping[str, bytes]) -> Delegate:
    """Parse XNNPACK's part of a program; `named` has the constants that lie elsewhere in the file.

    Raises:
        BadInput: it is damaged.
    """
    if content[4:8] != b"XH00":
        raise _damage_error("XNNPACK's part does not begin with its magic number")
    try:
        start, size, base, room = struct.unpack_from("<IIIQ", content, 10)
    except struct.error as exc:
        raise _damage_error(str(exc)) from exc
    if start + size > len(content) or base + room > len(content):
        raise _damage_error("XNNPACK's part tells of more than there is")
    if content[start + 4 : start + 8] not in (b"XN00", b"XN01"):
        raise _damage_error("XNNPACK's graph does not begin with its magic number")
    graph = parse(content[start : start + size], XNNPACK, "XNNGraph", "the .pte", whole=True)
    return _Checker(graph, content[base : base + room], named).delegate()


class _Checker:
    def __init__(self, graph: dict[str, Any], data: bytes, named: Mapping[str, bytes]) -> None:
        self._graph, self._data, self._named = graph, data, named
        self._values: list[tuple[dict[str, Any], Any]] = []
        self._held: dict[str, int] = {}

    def delegate(self) -> Delegate:
        graph = self._graph
        sizes = [self._constant(constant) for constant in graph["constant_data"]]
        externals = graph["num_externs"]
        ends = [*graph["input_ids"], *graph["output_ids"]]
        if externals != len(set(ends)) or len(ends) != len(set(ends)):
            raise _damage_error("XNNPACK's part has other inputs and outputs than it says")
        for i, value in enumerate(graph["xvalues"]):
            self._value(i, value["xvalue_union"], sizes, externals)
        external = sorted(self._values[i][0]["external_id"] for i in ends if i < len(self._values))
        if external != list(range(externals)):
            raise _damage_error("XNNPACK's inputs and outputs are not numbered one by one")
        operators, weighted, work = [], [], 0
        there = set(graph["input_ids"]) | {
            i for i, (tensor, _) in enumerate(self._values) if tensor["constant_buffer_idx"]
        }
        for node in graph["xnodes"]:
            if node["xnode_union"] is None:
                raise _damage_error("XNNPACK's part has an operator that is none")
            kind, facts = node["xnode_union"]
            self._operator(kind, facts)
            self._flow(facts, there)
            operators.append(kind)
            work += multiplications_of_xnnpack(kind, facts, self._shapes(facts))
            if kind in _WEIGHTED and self._values[facts["filter_id"]][0]["constant_buffer_idx"]:
                weighted.append((kind, self._dtype(facts["filter_id"]), self._dtype(facts["input1_id"])))
        if not there.issuperset(graph["output_ids"]):
            raise _damage_error("XNNPACK's part has an output that nothing computes")
        outside = sorted(ends, key=lambda index: int(self._values[index][0]["external_id"]))
        taken = tuple((self._dtype(index), len(self._values[index][0]["dims"])) for index in outside)
        return Delegate(taken, tuple(operators), tuple(weighted), dict(self._held), work)

    def _constant(self, facts: dict[str, Any]) -> int:
        """Its bytes."""
        size: int = facts["size"]
        if key := facts["named_key"]:
            if key not in self._named or size > len(self._named[key]):
                raise _damage_error("a constant is not there")
        elif size and facts["offset"] + size > len(self._data):
            raise _damage_error("a constant ends behind the file")
        return size

    def _value(self, index: int, union: Any, sizes: Sequence[int], externals: int) -> None:
        if union is None:
            raise _damage_error("XNNPACK's part has a tensor that is none")
        kind, facts = union
        tensor = facts["tensor_value"] if kind == "Quantized" else facts
        if tensor is None or tensor["id_out"] != index:
            raise _damage_error("XNNPACK's tensors are in no order")
        self._values.append((tensor, facts["quant_params"] if kind == "Quantized" else None))
        dtype, dims = _DTYPES.get(tensor["datatype"]), tensor["dims"]
        if dtype is None or len(dims) != tensor["num_dims"] or len(dims) > _MOST_AXES:
            raise _damage_error("a tensor of XNNPACK has no dtype or shape that there is")
        if tensor["external_id"] != _NONE and tensor["external_id"] >= externals:
            raise _damage_error("XNNPACK's part has other inputs and outputs than it says")
        if math.prod(max(1, size) for size in dims) > _LARGEST:
            raise _damage_error("a tensor of XNNPACK needs more memory than a phone has")
        buffer = tensor["constant_buffer_idx"]
        if buffer:
            bytes_ = (math.prod(dims) * dtype[1] + 7) // 8
            if buffer >= len(sizes) or bytes_ > sizes[buffer]:
                raise _damage_error("a constant of XNNPACK ends behind the file")
            self._held[dtype[0]] = self._held.get(dtype[0], 0) + bytes_
        self._quantization(tensor, self._values[-1][1], sizes)

    def _quantization(self, tensor: dict[str, Any], union: Any, sizes: Sequence[int]) -> None:
        kind, facts = union or _NOTHING
        dtype, dims = tensor["datatype"], tensor["dims"]
        wanted = {**dict.fromkeys(_BY_CHANNEL, "Channel"), 3: "Single", 4: "Single", 5: "Single", _RUNNING: "Token"}
        if kind != wanted.get(dtype, "none"):
            raise _damage_error("a tensor of XNNPACK has scales of another kind than its dtype")
        if kind == "Channel":
            axis, count, held = facts["channel_dim"], facts["num_scales"], facts["scale_buffer_idx"]
            if not 0 <= axis < len(dims) or dims[axis] != count:
                raise _damage_error("a tensor of XNNPACK has not a scale for every channel")
            if not 0 < held < len(sizes) or sizes[held] < 4 * count:
                raise _damage_error("the scales of a tensor of XNNPACK are not there")
            self._held["float32"] = self._held.get("float32", 0) + 4 * count
        elif kind == "Token" and not 0 <= facts["num_nonbatch_dims"] <= len(dims):
            raise _damage_error("a tensor of XNNPACK has more axes in a row than there are")
        elif kind == "Single" and not (facts["scale"] > 0 and math.isfinite(facts["scale"])):
            raise _damage_error("a tensor of XNNPACK has no scale")

    def _operator(self, kind: str, facts: dict[str, Any]) -> None:
        for name, value in facts.items():
            spare = name == "bias_id" or name in _spare(kind)
            if name.endswith("_id") and value >= len(self._values) and not (spare and value == _NONE):
                raise _damage_error("an operator of XNNPACK takes a tensor that is not there")
        if kind in _WEIGHTED:
            self._layer(kind, facts)
        if self._grown(kind, facts) > _LARGEST:
            raise _damage_error(f"a {kind} of XNNPACK would make a tensor that no phone has memory for")
        for name in _LISTS.get(kind, ()):
            if len(facts[name]) != facts["num_dims"] or facts["num_dims"] > _MOST_AXES:
                raise _damage_error(f"a {kind} of XNNPACK has lists of another length than its axes")
        if kind == "StaticReshape" and facts["new_shape"].count(0) > 1:
            raise _damage_error("a StaticReshape of XNNPACK leaves two axes open")
        if kind == "StaticTranspose" and sorted(facts["perm"]) != list(range(facts["num_dims"])):
            raise _damage_error("a StaticTranspose of XNNPACK has its axes in no order")
        if kind == "StaticConstantPad":
            rank = self._values[facts["input_id"]][0]["num_dims"]
            if any(len(facts[name]) != rank for name in ("pre_paddings", "post_paddings")):
                raise _damage_error("a StaticConstantPad of XNNPACK has lists of another length than its axes")

    @staticmethod
    def _flow(facts: dict[str, Any], there: set[int]) -> None:
        """Every tensor is computed once, before it is taken. `there` are those that were; what this computes joins."""
        for name, index in facts.items():
            if name.endswith("_id") and not name.startswith("output") and index != _NONE and index not in there:
                raise _damage_error("an operator of XNNPACK takes a tensor that nothing has computed")
        for name, index in facts.items():
            if name.startswith("output") and name.endswith("_id"):
                if index in there:
                    raise _damage_error("an operator of XNNPACK computes a tensor that is there already")
                there.add(index)

    def _layer(self, kind: str, facts: dict[str, Any]) -> None:
        """XNNPACK packs as many weights, biases and scales as the operator tells of, however many there are."""
        tensor, quantization = self._values[facts["filter_id"]]
        dims = tensor["dims"]
        if kind == "FullyConnected":
            outputs = dims[-1 if facts["flags"] & _TRANSPOSED else 0] if len(dims) == 2 else 0
            fits = outputs > 0
        else:
            outputs = facts["groups"] * facts["group_output_channels"]
            kernel = facts["kernel_height"] * facts["kernel_width"] * facts["group_input_channels"]
            fits = outputs > 0 and len(dims) == 4 and math.prod(dims) == kernel * outputs
        if facts["bias_id"] != _NONE:
            fits = fits and math.prod(self._values[facts["bias_id"]][0]["dims"]) == outputs
        if quantization is not None and quantization[0] == "Channel":
            fits = fits and quantization[1]["num_scales"] == outputs
        if not fits:
            raise _damage_error(f"a {kind} of XNNPACK has other weights than it tells of")

    def _grown(self, kind: str, facts: dict[str, Any]) -> int:
        """The most values of an output that may be larger than its input, by what the operator tells of."""
        if kind == "StaticReshape":
            return math.prod(max(1, size) for size in facts["new_shape"])
        if kind == "FullyConnected" or not ("padding_top" in facts or "new_height" in facts or "pre_paddings" in facts):
            return 0
        dims = self._values[facts["input1_id" if "input1_id" in facts else "input_id"]][0]["dims"]
        if kind == "StaticConstantPad":
            around = zip(facts["pre_paddings"], facts["post_paddings"], strict=False)
            return math.prod(size + before + after for size, (before, after) in zip(dims, around, strict=False))
        if len(dims) != 4:
            raise _damage_error(f"a {kind} of XNNPACK is given no picture")
        images, height, width, channels = dims
        if "new_height" in facts:
            return int(images * facts["new_height"] * facts["new_width"] * channels)
        if kind == "ConvTranspose2d":
            height, width = (
                size * facts[f"subsampling_{axis}"]
                + facts[f"kernel_{axis}"] * facts[f"dilation_{axis}"]
                + facts[f"adjustment_{axis}"]
                for size, axis in ((height, "height"), (width, "width"))
            )
        height += facts["padding_top"] + facts["padding_bottom"]
        width += facts["padding_left"] + facts["padding_right"]
        outputs = facts.get("groups", 1) * facts.get("group_output_channels", 1)
        return int(images * height * width * max(channels, outputs))

    def _shapes(self, facts: dict[str, Any]) -> dict[str, list[int]]:
        ends = {name: index for name, index in facts.items() if name.endswith("_id") and index != _NONE}
        return {name: self._values[index][0]["dims"] for name, index in ends.items()}

    def _dtype(self, index: int) -> str:
        number = self._values[index][0]["datatype"]
        return "running" if number == _RUNNING else _DTYPES[number][0]


def _spare(kind: str) -> tuple[str, ...]:
    """The inputs that a concatenation of fewer tensors has no use for."""
    return tuple(f"input{i}_id" for i in range(int(kind[-1]) + 1, 6)) if kind.startswith("Concatenate") else ()


def _damage_error(why: str) -> BadInput:
    return BadInput(f"the .pte is damaged: {why}.", hint="Export it again.")
