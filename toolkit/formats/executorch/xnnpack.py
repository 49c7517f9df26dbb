"""What a .pte holds for XNNPACK -> `Delegate`, every index and length checked."""

from __future__ import annotations

import math
import struct
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from edgekit.errors import BadInput
from edgekit.formats.executorch.schema import XNNPACK
from edgekit.formats.executorch.work import multiplications_of_xnnpack
from edgekit.formats.flatbuffer import Table, parse

#: XNNPACK's numbers of dtypes -> their name and bits.
_DTYPES = {
    1: ("float32", 32), 2: ("float16", 16), 3: ("int8", 8), 4: ("uint8", 8), 5: ("int32", 32), 6: ("int8", 8),
    7: ("int32", 32), 8: ("int4", 4), 9: ("int8", 8), 10: ("int4", 4), 11: ("int8", 8), 12: ("int32", 32),
}  # fmt: skip
#: Dtypes with a scale for every channel, and that of activations that are quantized while running.
_BY_CHANNEL, _RUNNING = (6, 7, 8), 9
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
    def __init__(self, graph: Table, data: bytes, named: Mapping[str, bytes]) -> None:
        self._graph, self._data, self._named = graph, data, named
        self._values: list[tuple[Table, Table | None]] = []
        self._held: dict[str, int] = {}

    def delegate(self) -> Delegate:
        graph = self._graph
        sizes = [self._constant(constant) for constant in graph.tables("constant_data")]
        externals = graph.number("num_externs")
        ends = [*graph.numbers("input_ids"), *graph.numbers("output_ids")]
        if externals != len(set(ends)) or len(ends) != len(set(ends)):
            raise _damage_error("XNNPACK's part has other inputs and outputs than it says")
        for i, value in enumerate(graph.tables("xvalues")):
            self._value(i, value.table("xvalue_union"), sizes, externals)
        external = sorted(self._values[i][0].number("external_id") for i in ends if i < len(self._values))
        if external != list(range(externals)):
            raise _damage_error("XNNPACK's inputs and outputs are not numbered one by one")
        operators, weighted, work = [], [], 0
        there = set(graph.numbers("input_ids")) | {
            i for i, (tensor, _) in enumerate(self._values) if tensor.number("constant_buffer_idx")
        }
        for node in graph.tables("xnodes"):
            if (facts := node.table("xnode_union")) is None:
                raise _damage_error("XNNPACK's part has an operator that is none")
            self._operator(facts)
            self._flow(facts, there)
            operators.append(facts.kind)
            work += multiplications_of_xnnpack(facts, self._shapes(facts))
            if facts.kind in _WEIGHTED and self._values[facts.number("filter_id")][0].number("constant_buffer_idx"):
                weighted.append(
                    (facts.kind, self._dtype(facts.number("filter_id")), self._dtype(facts.number("input1_id")))
                )
        if not there.issuperset(graph.numbers("output_ids")):
            raise _damage_error("XNNPACK's part has an output that nothing computes")
        outside = sorted(ends, key=lambda index: self._values[index][0].number("external_id"))
        taken = tuple((self._dtype(index), len(self._values[index][0].numbers("dims"))) for index in outside)
        return Delegate(taken, tuple(operators), tuple(weighted), dict(self._held), work)

    def _constant(self, facts: Table) -> int:
        """Its bytes."""
        size = facts.number("size")
        if key := facts.text("named_key"):
            if key not in self._named or size > len(self._named[key]):
                raise _damage_error("a constant is not there")
        elif size and facts.number("offset") + size > len(self._data):
            raise _damage_error("a constant ends behind the file")
        return size

    def _value(self, index: int, value: Table | None, sizes: Sequence[int], externals: int) -> None:
        if value is None:
            raise _damage_error("XNNPACK's part has a tensor that is none")
        quantized = value.kind == "Quantized"
        tensor = value.table("tensor_value") if quantized else value
        if tensor is None or tensor.number("id_out") != index:
            raise _damage_error("XNNPACK's tensors are in no order")
        self._values.append((tensor, value.table("quant_params") if quantized else None))
        dtype, dims = _DTYPES.get(tensor.number("datatype")), tensor.numbers("dims")
        if dtype is None or len(dims) != tensor.number("num_dims") or len(dims) > _MOST_AXES:
            raise _damage_error("a tensor of XNNPACK has no dtype or shape that there is")
        if tensor.number("external_id") != _NONE and tensor.number("external_id") >= externals:
            raise _damage_error("XNNPACK's part has other inputs and outputs than it says")
        if math.prod(max(1, size) for size in dims) > _LARGEST:
            raise _damage_error("a tensor of XNNPACK needs more memory than a phone has")
        buffer = tensor.number("constant_buffer_idx")
        if buffer:
            bytes_ = (math.prod(dims) * dtype[1] + 7) // 8
            if buffer >= len(sizes) or bytes_ > sizes[buffer]:
                raise _damage_error("a constant of XNNPACK ends behind the file")
            self._held[dtype[0]] = self._held.get(dtype[0], 0) + bytes_
        self._quantization(tensor, self._values[-1][1], sizes)

    def _quantization(self, tensor: Table, quantization: Table | None, sizes: Sequence[int]) -> None:
        facts = quantization or Table("none", {})
        kind = facts.kind
        dtype, dims = tensor.number("datatype"), tensor.numbers("dims")
        wanted = {**dict.fromkeys(_BY_CHANNEL, "Channel"), 3: "Single", 4: "Single", 5: "Single", _RUNNING: "Token"}
        if kind != wanted.get(dtype, "none"):
            raise _damage_error("a tensor of XNNPACK has scales of another kind than its dtype")
        if kind == "Channel":
            axis, count, held = (
                facts.number("channel_dim"),
                facts.number("num_scales"),
                facts.number("scale_buffer_idx"),
            )
            if not 0 <= axis < len(dims) or dims[axis] != count:
                raise _damage_error("a tensor of XNNPACK has not a scale for every channel")
            if not 0 < held < len(sizes) or sizes[held] < 4 * count:
                raise _damage_error("the scales of a tensor of XNNPACK are not there")
            self._held["float32"] = self._held.get("float32", 0) + 4 * count
        elif kind == "Token" and not 0 <= facts.number("num_nonbatch_dims") <= len(dims):
            raise _damage_error("a tensor of XNNPACK has more axes in a row than there are")
        elif kind == "Single" and not (facts.real("scale") > 0 and math.isfinite(facts.real("scale"))):
            raise _damage_error("a tensor of XNNPACK has no scale")

    def _operator(self, facts: Table) -> None:
        kind = facts.kind
        for name, value in _ends(facts).items():
            spare = name == "bias_id" or name in _spare(kind)
            if value >= len(self._values) and not (spare and value == _NONE):
                raise _damage_error("an operator of XNNPACK takes a tensor that is not there")
        if kind in _WEIGHTED:
            self._layer(facts)
        if self._grown(facts) > _LARGEST:
            raise _damage_error(f"a {kind} of XNNPACK would make a tensor that no phone has memory for")
        for name in _LISTS.get(kind, ()):
            if len(facts.numbers(name)) != facts.number("num_dims") or facts.number("num_dims") > _MOST_AXES:
                raise _damage_error(f"a {kind} of XNNPACK has lists of another length than its axes")
        if kind == "StaticReshape" and facts.numbers("new_shape").count(0) > 1:
            raise _damage_error("a StaticReshape of XNNPACK leaves two axes open")
        if kind == "StaticTranspose" and sorted(facts.numbers("perm")) != list(range(facts.number("num_dims"))):
            raise _damage_error("a StaticTranspose of XNNPACK has its axes in no order")
        if kind == "StaticConstantPad":
            rank = self._values[facts.number("input_id")][0].number("num_dims")
            if any(len(facts.numbers(name)) != rank for name in ("pre_paddings", "post_paddings")):
                raise _damage_error("a StaticConstantPad of XNNPACK has lists of another length than its axes")

    @staticmethod
    def _flow(facts: Table, there: set[int]) -> None:
        """Every tensor is computed once, before it is taken. `there` are those that were; what this computes joins."""
        for name, index in _ends(facts).items():
            if not name.startswith("output") and index != _NONE and index not in there:
                raise _damage_error("an operator of XNNPACK takes a tensor that nothing has computed")
        for name, index in _ends(facts).items():
            if name.startswith("output"):
                if index in there:
                    raise _damage_error("an operator of XNNPACK computes a tensor that is there already")
                there.add(index)

    def _layer(self, facts: Table) -> None:
        """XNNPACK packs as many weights, biases and scales as the operator tells of, however many there are."""
        tensor, quantization = self._values[facts.number("filter_id")]
        dims = tensor.numbers("dims")
        if facts.kind == "FullyConnected":
            outputs = dims[-1 if facts.number("flags") & _TRANSPOSED else 0] if len(dims) == 2 else 0
            fits = outputs > 0
        else:
            outputs = facts.number("groups") * facts.number("group_output_channels")
            kernel = facts.number("kernel_height") * facts.number("kernel_width") * facts.number("group_input_channels")
            fits = outputs > 0 and len(dims) == 4 and math.prod(dims) == kernel * outputs
        if facts.number("bias_id") != _NONE:
            fits = fits and math.prod(self._values[facts.number("bias_id")][0].numbers("dims")) == outputs
        if quantization is not None and quantization.kind == "Channel":
            fits = fits and quantization.number("num_scales") == outputs
        if not fits:
            raise _damage_error(f"a {facts.kind} of XNNPACK has other weights than it tells of")

    def _grown(self, facts: Table) -> int:
        """The most values of an output that may be larger than its input, by what the operator tells of."""
        kind, there = facts.kind, facts.fields.keys()
        if kind == "StaticReshape":
            return math.prod(max(1, size) for size in facts.numbers("new_shape"))
        if kind == "FullyConnected" or not there & {"padding_top", "new_height", "pre_paddings"}:
            return 0
        dims = self._values[facts.number("input1_id" if "input1_id" in there else "input_id")][0].numbers("dims")
        if kind == "StaticConstantPad":
            around = zip(facts.numbers("pre_paddings"), facts.numbers("post_paddings"), strict=False)
            return math.prod(size + before + after for size, (before, after) in zip(dims, around, strict=False))
        if len(dims) != 4:
            raise _damage_error(f"a {kind} of XNNPACK is given no picture")
        images, height, width, channels = dims
        if "new_height" in there:
            return images * facts.number("new_height") * facts.number("new_width") * channels
        if kind == "ConvTranspose2d":
            height, width = (
                size * facts.number(f"subsampling_{axis}")
                + facts.number(f"kernel_{axis}") * facts.number(f"dilation_{axis}")
                + facts.number(f"adjustment_{axis}")
                for size, axis in ((height, "height"), (width, "width"))
            )
        height += facts.number("padding_top") + facts.number("padding_bottom")
        width += facts.number("padding_left") + facts.number("padding_right")
        outputs = math.prod(facts.number(name) for name in ("groups", "group_output_channels") if name in there)
        return images * height * width * max(channels, outputs)

    def _shapes(self, facts: Table) -> dict[str, list[int]]:
        ends = _ends(facts)
        return {name: self._values[index][0].numbers("dims") for name, index in ends.items() if index != _NONE}

    def _dtype(self, index: int) -> str:
        number = self._values[index][0].number("datatype")
        return "running" if number == _RUNNING else _DTYPES[number][0]


def _ends(facts: Table) -> dict[str, int]:
    """The tensors of an operator, by the names of their fields."""
    return {name: facts.number(name) for name in facts.fields if name.endswith("_id")}


def _spare(kind: str) -> tuple[str, ...]:
    """The inputs that a concatenation of fewer tensors has no use for."""
    return tuple(f"input{i}_id" for i in range(int(kind[-1]) + 1, 6)) if kind.startswith("Concatenate") else ()


def _damage_error(why: str) -> BadInput:
    return BadInput(f"the .pte is damaged: {why}.", hint="Export it again.")
