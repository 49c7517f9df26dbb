"""Operators that compute nothing, for the C generator: shapes, concatenation, slices, padding, float edges and state.

A reshape is an alias. So is reading a variable, where nothing writes it before the last use of what was read;
everything else becomes block copies, with the loops that run over contiguous memory merged into one.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

from edgekit.errors import BadInput, Unsupported
from edgekit.exporters.c.lowering.layers import QUANTIZE_HINT, SIZES, Layer, Step, scale_of, title_of, zero_of
from edgekit.formats.tflite import Tensor


def reshape(step: Step) -> None:
    """RESHAPE, SQUEEZE, EXPAND_DIMS: the same bytes."""
    source, output, root = step.source, step.output, step.lowering.root
    if source.count != output.count or source.dtype != output.dtype:
        raise step.refusal(f"{list(source.shape)} cannot become {list(output.shape)}")
    if root(step.computed_input(0)) == root(step.target):
        number = step.operator.index
        raise BadInput(f"the .tflite is damaged: operator {number} ({step.name}) has its input as output.")
    step.lowering.alias[step.target] = step.computed_input(0)


def concatenation(step: Step) -> None:
    output = step.output
    if step.options["activation"]:
        raise step.refusal("a concatenation with an activation is not built")
    axis = step.options["axis"] % len(output.shape)
    strides = _strides(output)
    moves, offset = [], 0
    for position in range(len(step.operator.inputs)):
        tensor = step.tensors[step.computed_input(position)]
        if tensor.data is not None:
            raise step.refusal(f"the constant {tensor.name!r} among its inputs is not built")
        _check_alike(step, tensor, output)
        move = _move(step, tensor.shape, _strides(tensor), strides, SIZES[output.dtype])
        moves.append((move, f"{{in{position}}}", f"{{out0}} + {offset // SIZES[output.dtype]}"))
        offset += tensor.shape[axis] * strides[axis]
    _add_moves(step, moves, step.operator.inputs)


def split(step: Step) -> None:
    """SPLIT (axis, value) and SPLIT_V (value, sizes, axis)."""
    varied = step.name == "SPLIT_V"
    index = step.computed_input(0 if varied else 1)
    source = step.tensors[index]
    axis = int(step.constant(2 if varied else 0, "axis").reshape(-1)[0]) % len(source.shape)
    strides = _strides(source)
    moves, offset = [], 0
    for position, out in enumerate(step.operator.outputs):
        tensor = step.tensors[out]
        _check_alike(step, tensor, source)
        move = _move(step, tensor.shape, strides, _strides(tensor), SIZES[source.dtype])
        moves.append((move, f"{{in0}} + {offset // SIZES[source.dtype]}", f"{{out{position}}}"))
        offset += tensor.shape[axis] * strides[axis]
    if offset != source.shape[axis] * strides[axis]:
        raise step.refusal(f"its parts do not add up to {source.shape[axis]}")
    _add_moves(step, moves, [index])


def strided_slice(step: Step) -> None:
    source, output, masks = step.source, step.output, step.options
    _check_alike(step, source, output)
    if masks["ellipsis_mask"] or masks["new_axis_mask"]:
        raise step.refusal("a slice that inserts axes is not built")
    begin, end, stride = (step.constant(i, name) for i, name in ((1, "begin"), (2, "end"), (3, "strides")))
    from_strides, size = _strides(source), SIZES[source.dtype]
    counts, strides, offset = [], [], 0
    for axis, whole in enumerate(source.shape):
        first, count, by = 0, whole, 1
        if axis < len(stride):
            first, count, by = _range(step, axis, whole, int(begin[axis]), int(end[axis]), int(stride[axis]))
        counts.append(count)
        strides.append(from_strides[axis] * by)
        offset += first * from_strides[axis]
    if math.prod(counts) != output.count:
        raise step.refusal(f"it takes {counts}, its output is {list(output.shape)}")
    to_strides = [math.prod(counts[i + 1 :]) * size for i in range(len(counts))]
    _add_moves(step, [(_move(step, counts, strides, to_strides, size), f"{{in0}} + {offset // size}", "{out0}")])


def _range(step: Step, axis: int, size: int, begin: int, end: int, stride: int) -> tuple[int, int, int]:
    """First index, count and step along one axis, as Python's slices count."""
    bit, masks = 1 << axis, step.options
    if stride == 0:
        raise step.refusal("a stride of 0")
    if masks["shrink_axis_mask"] & bit:
        return begin % size, 1, 1
    stop = None if masks["end_mask"] & bit else begin + end if masks["offset"] else end
    first, last, by = slice(None if masks["begin_mask"] & bit else begin, stop, stride).indices(size)
    return first, len(range(first, last, by)), by


def pad(step: Step) -> None:
    """PAD and PADV2: fill with the pad value, then copy."""
    source, output, suffix = step.source, step.output, step.suffix()
    _check_alike(step, source, output)
    padding = step.constant(1, "padding").reshape(-1, 2)
    fill = int(step.constant(2, "pad value").reshape(-1)[0]) if step.name == "PADV2" else zero_of(output)
    sizes = [int(before) + size + int(after) for (before, after), size in zip(padding, source.shape, strict=False)]
    if len(padding) != len(source.shape) or tuple(sizes) != output.shape or padding.min() < 0:
        raise step.refusal(f"padding {source.shape} does not give {list(output.shape)}")
    strides, size = _strides(output), SIZES[source.dtype]
    offset = sum(int(before) * stride for (before, _), stride in zip(padding, strides, strict=True))
    filling = f"{fill}, {output.count}"
    before = f"ek_fill_s16({filling}, {{out0}});" if suffix else f"memset({{out0}}, {filling});"
    move = _move(step, source.shape, _strides(source), strides, size)
    _add_moves(step, [(move, "{in0}", f"{{out0}} + {offset // size}")], before=before)


def transpose(step: Step) -> None:
    source = step.source
    _check_alike(step, source, step.output)
    order = [int(axis) for axis in step.constant(1, "order").reshape(-1)]
    if sorted(order) != list(range(len(source.shape))):
        raise step.refusal(f"{order} is not an order of its axes")
    strides = _strides(source)
    counts, strides = [source.shape[axis] for axis in order], [strides[axis] for axis in order]
    move = _move(step, counts, strides, _strides(step.output), SIZES[source.dtype])
    _add_moves(step, [(move, "{in0}", "{out0}")])


def quantize(step: Step) -> None:
    """QUANTIZE from float32 and DEQUANTIZE to it: the edges of a network with float input or output."""
    source, output = step.source, step.output
    into = step.name == "QUANTIZE"
    whole, real = (output, source) if into else (source, output)
    suffix = step.suffix(step.target if into else step.computed_input(0))
    if real.dtype != "float32":
        raise step.refusal(f"from {source.dtype} to {output.dtype} is not built")
    fields = {"count": source.count, "zero_point": zero_of(whole), "scale": c_float(scale_of(whole))}
    step.add(f"{step.name.lower()}{suffix}", "ek_quantization_layer", fields)


def var_handle(step: Step) -> None:
    step.lowering.handles[step.target] = f"{step.options['container']}/{step.options['name']}"


def call_once(step: Step) -> None:
    """The subgraph that sets the initial state was read when the variables were declared (`graph.py`)."""


def read_variable(step: Step) -> None:
    name, state = _variable(step, step.target)
    if _is_read_before_written(step, name):
        step.lowering.alias[step.target] = state
    else:
        _copy(step, state, step.target)


def assign_variable(step: Step) -> None:
    value = step.computed_input(1)
    _copy(step, value, _variable(step, value)[1])


def _variable(step: Step, value: int) -> tuple[str, int]:
    """Name and tensor of the operator's variable, which is as large as the tensor `value`."""
    name, states = step.lowering.handles.get(step.operator.inputs[0], ""), step.lowering.states
    if name not in states:
        raise step.refusal("a variable that nothing initialises")
    tensor, variable = step.tensors[value], step.tensors[states[name]]
    if (tensor.count, tensor.dtype) != (variable.count, variable.dtype):
        raise step.refusal(f"{tensor.name!r} and its variable have different sizes")
    return name, states[name]


def _is_read_before_written(step: Step, name: str) -> bool:
    """Whether every use of what the operator reads comes before the first assignment to the variable."""
    graph, handles = step.lowering.graph, step.lowering.handles
    users = [other for other in graph.operators[step.operator.index + 1 :] if step.target in other.inputs]
    writes = [
        other.index
        for other in graph.operators
        if other.name == "ASSIGN_VARIABLE" and handles.get(other.inputs[0]) == name
    ]
    if step.target in graph.outputs or any(other.name in ("RESHAPE", "SQUEEZE", "EXPAND_DIMS") for other in users):
        return False
    return not writes or max((other.index for other in users), default=0) < min(writes)


def _copy(step: Step, source: int, to: int) -> None:
    tensor = step.tensors[source]
    size = tensor.count * SIZES[tensor.dtype]
    title, call = f"{step.name} {tensor.name}, {size} bytes", f"memcpy({{out0}}, {{in0}}, {size});"
    step.lowering.layers.append(Layer(step.operator, title, (source,), (to,), call))


def _check_alike(step: Step, a: Tensor, b: Tensor) -> None:
    """Values that are only moved must mean the same on both sides."""
    if a.dtype != b.dtype or a.dtype not in SIZES:
        raise step.refusal(f"from {a.dtype} to {b.dtype} is not built")
    if a.quantization and b.quantization and (scale_of(a), zero_of(a)) != (scale_of(b), zero_of(b)):
        raise step.refusal(f"{a.name!r} and {b.name!r} have different scales")


def _strides(tensor: Tensor) -> list[int]:
    """Bytes from one index to the next, along each axis."""
    if tensor.dtype not in SIZES:
        raise Unsupported(f"the tensor {tensor.name!r} is {tensor.dtype}.", hint=QUANTIZE_HINT)
    return [math.prod(tensor.shape[i + 1 :]) * SIZES[tensor.dtype] for i in range(len(tensor.shape))]


def _move(step: Step, counts: Sequence[int], source: Sequence[int], to: Sequence[int], size: int) -> str:
    """A C initialiser of `ek_move_layer`: loops from the outermost in, contiguous ones merged into one block."""
    if not len(counts) == len(source) == len(to):
        raise step.refusal("its tensors have different numbers of axes")
    loops = [list(loop) for loop in zip(counts, source, to, strict=True) if loop[0] > 1]
    block = size
    while loops and loops[-1][1] == loops[-1][2] == block:
        block *= loops.pop()[0]
    for i in range(len(loops) - 2, -1, -1):
        outer, inner = loops[i], loops[i + 1]
        if outer[1] == inner[0] * inner[1] and outer[2] == inner[0] * inner[2]:
            loops[i : i + 2] = [[outer[0] * inner[0], inner[1], inner[2]]]
    if len(loops) > 4:
        raise step.refusal("it moves values along more than four axes")
    loops = [[1, 0, 0]] * (4 - len(loops)) + loops
    texts = ("{" + ", ".join(str(loop[i]) for loop in loops) + "}" for i in range(3))
    return "{" + ", ".join([*texts, str(block)]) + "}"


def _add_moves(step: Step, moves: Sequence[tuple[str, str, str]], inputs: Sequence[int] = (), before: str = "") -> None:
    """Add a layer of block copies, each given by its `_move`, source and target; `before` is done first."""
    inputs = inputs or [step.computed_input(0)]
    calls = [f"ek_move(&{{layer}}[{i}], {source}, {to});" for i, (_, source, to) in enumerate(moves)]
    members = ", ".join(move for move, _, _ in moves).replace("{", "{{").replace("}", "}}")
    title, call = title_of(step.operator, step.tensors, inputs), "\n".join([before, *calls] if before else calls)
    struct = f"ek_move_layer[{len(moves)}]"
    step.lowering.layers.append(
        Layer(step.operator, title, tuple(inputs), step.operator.outputs, call, struct, {"": members})
    )


def c_float(value: float) -> str:
    """A float as C text that reads back the same."""
    text = repr(float(value))
    return f"{text}f" if any(mark in text for mark in ".e") else f"{text}.0f"
