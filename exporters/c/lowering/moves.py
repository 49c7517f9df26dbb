"""Operators that compute nothing, for the C generator: shapes, concatenation, slices, padding, float edges and state.

A reshape is an alias. So is reading a variable, where nothing writes it before the last use of what was read;
everything else becomes block copies, with the loops that run over contiguous memory merged into one.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

from edgekit.errors import BadInput, Unsupported
from edgekit.exporters.c.lowering.layers import (
    QUANTIZE_HINT,
    SIZES,
    Layer,
    Lowering,
    refuse,
    scale_of,
    suffix_of,
    title_of,
    zero_of,
)
from edgekit.formats.tflite import Operator, Tensor


def reshape(lowering: Lowering, operator: Operator) -> None:
    """RESHAPE, SQUEEZE, EXPAND_DIMS: the same bytes."""
    index, source = lowering.activation(operator, 0)
    output = lowering.tensors[operator.outputs[0]]
    if source.count != output.count or source.dtype != output.dtype:
        raise refuse(operator, lowering.tensors, f"{list(source.shape)} cannot become {list(output.shape)}")
    if lowering.root(index) == lowering.root(operator.outputs[0]):
        raise BadInput(f"the .tflite is damaged: operator {operator.index} ({operator.name}) has its input as output.")
    lowering.alias[operator.outputs[0]] = index


def concatenation(lowering: Lowering, operator: Operator) -> None:
    output = lowering.tensors[operator.outputs[0]]
    if operator.options["activation"]:
        raise refuse(operator, lowering.tensors, "a concatenation with an activation is not built")
    axis = operator.options["axis"] % len(output.shape)
    steps = _steps(output)
    calls, members, offset = [], [], 0
    for position in range(len(operator.inputs)):
        _, tensor = lowering.activation(operator, position)
        if tensor.data is not None:
            raise refuse(operator, lowering.tensors, f"the constant {tensor.name!r} among its inputs is not built")
        _alike(lowering, operator, tensor, output)
        members.append(_move(lowering, operator, tensor.shape, _steps(tensor), steps, SIZES[output.dtype]))
        calls.append(f"ek_move(&{{layer}}[{position}], {{in{position}}}, {{out0}} + {offset // SIZES[output.dtype]});")
        offset += tensor.shape[axis] * steps[axis]
    _add_moves(lowering, operator, list(operator.inputs), calls, members)


def split(lowering: Lowering, operator: Operator) -> None:
    """SPLIT (axis, value) and SPLIT_V (value, sizes, axis)."""
    varied = operator.name == "SPLIT_V"
    index, source = lowering.activation(operator, 0 if varied else 1)
    axis = int(lowering.value(operator, 2 if varied else 0, "axis").reshape(-1)[0]) % len(source.shape)
    steps = _steps(source)
    calls, members, offset = [], [], 0
    for position, out in enumerate(operator.outputs):
        tensor = lowering.tensors[out]
        _alike(lowering, operator, tensor, source)
        members.append(_move(lowering, operator, tensor.shape, steps, _steps(tensor), SIZES[source.dtype]))
        calls.append(f"ek_move(&{{layer}}[{position}], {{in0}} + {offset // SIZES[source.dtype]}, {{out{position}}});")
        offset += tensor.shape[axis] * steps[axis]
    if offset != source.shape[axis] * steps[axis]:
        raise refuse(operator, lowering.tensors, f"its parts do not add up to {source.shape[axis]}")
    _add_moves(lowering, operator, [index], calls, members)


def strided_slice(lowering: Lowering, operator: Operator) -> None:
    index, source = lowering.activation(operator, 0)
    output = lowering.tensors[operator.outputs[0]]
    _alike(lowering, operator, source, output)
    masks = operator.options
    if masks["ellipsis_mask"] or masks["new_axis_mask"]:
        raise refuse(operator, lowering.tensors, "a slice that inserts axes is not built")
    begin, end, stride = (lowering.value(operator, i, name) for i, name in ((1, "begin"), (2, "end"), (3, "strides")))
    from_steps = _steps(source)
    counts, steps, offset = [], [], 0
    for axis, size in enumerate(source.shape):
        if axis >= len(stride):
            first, count, by = 0, size, 1
        else:
            first, count, by = _range(
                lowering, operator, axis, size, int(begin[axis]), int(end[axis]), int(stride[axis])
            )
        counts.append(count)
        steps.append(from_steps[axis] * by)
        offset += first * from_steps[axis]
    if math.prod(counts) != output.count:
        raise refuse(operator, lowering.tensors, f"it takes {counts}, its output is {list(output.shape)}")
    to_steps = [math.prod(counts[i + 1 :]) * SIZES[source.dtype] for i in range(len(counts))]
    member = _move(lowering, operator, counts, steps, to_steps, SIZES[source.dtype])
    call = f"ek_move(&{{layer}}[0], {{in0}} + {offset // SIZES[source.dtype]}, {{out0}});"
    _add_moves(lowering, operator, [index], [call], [member])


def _range(
    lowering: Lowering, operator: Operator, axis: int, size: int, begin: int, end: int, stride: int
) -> tuple[int, int, int]:
    """First index, count and step along one axis, as Python's slices count."""
    bit = 1 << axis
    masks = operator.options
    if stride == 0:
        raise refuse(operator, lowering.tensors, "a stride of 0")
    if masks["shrink_axis_mask"] & bit:
        return begin % size, 1, 1
    stop = None if masks["end_mask"] & bit else begin + end if masks["offset"] else end
    first, last, by = slice(None if masks["begin_mask"] & bit else begin, stop, stride).indices(size)
    return first, len(range(first, last, by)), by


def pad(lowering: Lowering, operator: Operator) -> None:
    """PAD and PADV2: fill with the pad value, then copy."""
    index, source = lowering.activation(operator, 0)
    output = lowering.tensors[operator.outputs[0]]
    suffix = suffix_of(lowering, operator, index, operator.outputs[0])
    _alike(lowering, operator, source, output)
    padding = lowering.value(operator, 1, "padding").reshape(-1, 2)
    fill = zero_of(output)
    if operator.name == "PADV2":
        fill = int(lowering.value(operator, 2, "pad value").reshape(-1)[0])
    sizes = [int(before) + size + int(after) for (before, after), size in zip(padding, source.shape, strict=False)]
    if len(padding) != len(source.shape) or tuple(sizes) != output.shape or padding.min() < 0:
        raise refuse(operator, lowering.tensors, f"padding {source.shape} does not give {list(output.shape)}")
    steps = _steps(output)
    offset = sum(int(before) * step for (before, _), step in zip(padding, steps, strict=True))
    size = SIZES[source.dtype]
    calls = [
        f"ek_fill_s16({fill}, {output.count}, {{out0}});" if suffix else f"memset({{out0}}, {fill}, {output.count});",
        f"ek_move(&{{layer}}[0], {{in0}}, {{out0}} + {offset // size});",
    ]
    member = _move(lowering, operator, source.shape, _steps(source), steps, size)
    _add_moves(lowering, operator, [index], calls, [member])


def transpose(lowering: Lowering, operator: Operator) -> None:
    index, source = lowering.activation(operator, 0)
    output = lowering.tensors[operator.outputs[0]]
    _alike(lowering, operator, source, output)
    order = [int(axis) for axis in lowering.value(operator, 1, "order").reshape(-1)]
    if sorted(order) != list(range(len(source.shape))):
        raise refuse(operator, lowering.tensors, f"{order} is not an order of its axes")
    steps = _steps(source)
    counts = [source.shape[axis] for axis in order]
    member = _move(lowering, operator, counts, [steps[axis] for axis in order], _steps(output), SIZES[source.dtype])
    _add_moves(lowering, operator, [index], ["ek_move(&{layer}[0], {in0}, {out0});"], [member])


def quantize(lowering: Lowering, operator: Operator) -> None:
    """QUANTIZE from float32 and DEQUANTIZE to it: the edges of a network with float input or output."""
    index, source = lowering.activation(operator, 0)
    output = lowering.tensors[operator.outputs[0]]
    into = operator.name == "QUANTIZE"
    whole, real = (output, source) if into else (source, output)
    suffix = suffix_of(lowering, operator, operator.outputs[0] if into else index)
    if real.dtype != "float32":
        raise refuse(operator, lowering.tensors, f"from {source.dtype} to {output.dtype} is not built")
    members = {"count": str(source.count), "zero_point": str(zero_of(whole)), "scale": c_float(scale_of(whole))}
    call = f"ek_{operator.name.lower()}{suffix}(&{{layer}}, {{in0}}, {{out0}});"
    title = title_of(operator, lowering.tensors, [index])
    lowering.add(Layer(operator, title, (index,), operator.outputs, call, "ek_quantization_layer", members))


def var_handle(lowering: Lowering, operator: Operator) -> None:
    lowering.handles[operator.outputs[0]] = f"{operator.options['container']}/{operator.options['name']}"


def call_once(lowering: Lowering, operator: Operator) -> None:
    """The subgraph that sets the initial state was read when the variables were declared (`graph.py`)."""


def read_variable(lowering: Lowering, operator: Operator) -> None:
    name = lowering.handles.get(operator.inputs[0], "")
    output = operator.outputs[0]
    if name not in lowering.states:
        raise refuse(operator, lowering.tensors, "a variable that nothing initialises")
    state = lowering.states[name]
    _same_size(lowering, operator, output, state)
    if _read_before_written(lowering, operator, name):
        lowering.alias[output] = state
    else:
        _copy(lowering, operator, state, output)


def assign_variable(lowering: Lowering, operator: Operator) -> None:
    name = lowering.handles.get(operator.inputs[0], "")
    if name not in lowering.states:
        raise refuse(operator, lowering.tensors, "a variable that nothing initialises")
    index, _ = lowering.activation(operator, 1)
    _same_size(lowering, operator, index, lowering.states[name])
    _copy(lowering, operator, index, lowering.states[name])


def _read_before_written(lowering: Lowering, operator: Operator, name: str) -> bool:
    """Whether every use of what `operator` reads comes before the first assignment to the variable."""
    later = lowering.graph.operators[operator.index + 1 :]
    uses = [step.index for step in later if operator.outputs[0] in step.inputs]
    writes = [
        step.index
        for step in lowering.graph.operators
        if step.name == "ASSIGN_VARIABLE" and lowering.handles.get(step.inputs[0]) == name
    ]
    passed_on = any(step.name in ("RESHAPE", "SQUEEZE", "EXPAND_DIMS") for step in later if step.index in uses)
    is_output = operator.outputs[0] in lowering.graph.outputs
    return not passed_on and not is_output and (not writes or max(uses, default=0) < min(writes))


def _same_size(lowering: Lowering, operator: Operator, a: int, b: int) -> None:
    source, variable = lowering.tensors[a], lowering.tensors[b]
    if (source.count, source.dtype) != (variable.count, variable.dtype):
        raise refuse(operator, lowering.tensors, f"{source.name!r} and its variable have different sizes")


def _copy(lowering: Lowering, operator: Operator, source: int, to: int) -> None:
    tensor = lowering.tensors[source]
    size = tensor.count * SIZES[tensor.dtype]
    title = f"{operator.name} {tensor.name}, {size} bytes"
    lowering.add(Layer(operator, title, (source,), (to,), f"memcpy({{out0}}, {{in0}}, {size});"))


def _alike(lowering: Lowering, operator: Operator, a: Tensor, b: Tensor) -> None:
    """Values that are only moved must mean the same on both sides."""
    if a.dtype != b.dtype or a.dtype not in SIZES:
        raise refuse(operator, lowering.tensors, f"from {a.dtype} to {b.dtype} is not built")
    if a.quantization and b.quantization and (scale_of(a), zero_of(a)) != (scale_of(b), zero_of(b)):
        raise refuse(operator, lowering.tensors, f"{a.name!r} and {b.name!r} have different scales")


def _steps(tensor: Tensor) -> list[int]:
    """Bytes from one index to the next, along each axis."""
    if tensor.dtype not in SIZES:
        raise Unsupported(f"the tensor {tensor.name!r} is {tensor.dtype}.", hint=QUANTIZE_HINT)
    return [math.prod(tensor.shape[i + 1 :]) * SIZES[tensor.dtype] for i in range(len(tensor.shape))]


def _move(
    lowering: Lowering, operator: Operator, counts: Sequence[int], source: Sequence[int], to: Sequence[int], size: int
) -> str:
    """A C initialiser of `ek_move_layer`: loops from the outermost in, contiguous ones merged into one block."""
    if not len(counts) == len(source) == len(to):
        raise refuse(operator, lowering.tensors, "its tensors have different numbers of axes")
    loops = [list(loop) for loop in zip(counts, source, to, strict=True) if loop[0] > 1]
    block = size
    while loops and loops[-1][1] == loops[-1][2] == block:
        block *= loops.pop()[0]
    for i in range(len(loops) - 2, -1, -1):
        outer, inner = loops[i], loops[i + 1]
        if outer[1] == inner[0] * inner[1] and outer[2] == inner[0] * inner[2]:
            loops[i : i + 2] = [[outer[0] * inner[0], inner[1], inner[2]]]
    if len(loops) > 4:
        raise refuse(operator, lowering.tensors, "it moves values along more than four axes")
    loops = [[1, 0, 0]] * (4 - len(loops)) + loops
    texts = ("{" + ", ".join(str(loop[i]) for loop in loops) + "}" for i in range(3))
    return "{" + ", ".join([*texts, str(block)]) + "}"


def _add_moves(lowering: Lowering, operator: Operator, inputs: list[int], calls: list[str], members: list[str]) -> None:
    held = ", ".join(text.replace("{", "{{").replace("}", "}}") for text in members)
    lowering.add(
        Layer(
            operator,
            title_of(operator, lowering.tensors, inputs),
            tuple(inputs),
            operator.outputs,
            "\n".join(calls),
            f"ek_move_layer[{len(members)}]",
            {"": held},
        )
    )


def c_float(value: float) -> str:
    """A float as C text that reads back the same."""
    text = repr(float(value))
    return f"{text}f" if any(mark in text for mark in ".e") else f"{text}.0f"
