"""Shapes that an operator's tensors must have, before it is translated.

Kernels take their loops' bounds from one tensor and trust the others to agree: where a damaged or hostile file says
otherwise, C would read or write out of bounds. Every rule here is what the operator means anyway.
"""

from __future__ import annotations

from collections.abc import Sequence

from edgekit.exporters.c.lowering.layers import Step
from edgekit.formats.tflite import Operator, Tensor

_ALIKE = ("DEQUANTIZE", "LOGISTIC", "QUANTIZE", "RELU", "RELU6", "SOFTMAX", "TANH")
_IMAGES = ("AVERAGE_POOL_2D", "CONV_2D", "DEPTHWISE_CONV_2D", "MAX_POOL_2D")


def check(step: Step) -> None:
    """Raise Unsupported where the tensors of the operator do not fit together."""
    tensors = [step.tensors[index] if index >= 0 else None for index in step.operator.inputs]
    wrong = _wrong(step.operator, tensors, [step.tensors[index] for index in step.operator.outputs])
    if wrong:
        raise step.refusal(wrong, "Convert the model again; its shapes do not fit together.")


def _wrong(operator: Operator, inputs: Sequence[Tensor | None], outputs: Sequence[Tensor]) -> str:
    """What does not fit, as a phrase; "" if all does."""
    name, source = operator.name, inputs[0] if inputs else None
    if name in _ALIKE and (source is None or source.count != outputs[0].count):
        return "its input and output have different sizes"
    if name in _IMAGES:
        return _image(name, inputs, outputs[0])
    if name == "CONCATENATION":
        return _concat_problem(
            [tensor for tensor in inputs if tensor is not None], outputs[0], operator.options["axis"]
        )
    if name in ("SPLIT", "SPLIT_V"):
        whole, axis = (inputs[1], inputs[0]) if name == "SPLIT" else (source, inputs[2])
        if whole is None or axis is None or axis.data is None or axis.data.size != 1:
            return "it has no axis"
        return _concat_problem(outputs, whole, int(axis.data.reshape(-1)[0]))
    if name == "TRANSPOSE":
        return _transpose_problem(inputs, outputs[0])
    if name == "SOFTMAX" and source is not None and not source.shape:
        return "its input is a scalar"
    if name in ("ADD", "SUB", "MUL") and any(t is None or len(t.shape) > len(outputs[0].shape) for t in inputs):
        return "an operand has more axes than its output"
    return ""


def _image(name: str, inputs: Sequence[Tensor | None], output: Tensor) -> str:
    source = inputs[0]
    if source is None or len(source.shape) != 4 or len(output.shape) != 4:
        return "its input or output is not [batch, height, width, channels]"
    if source.shape[0] != 1 or output.shape[0] != 1:
        return f"a batch of {source.shape[0]}; only a batch of 1 is built"
    if "POOL" in name and source.shape[3] != output.shape[3]:
        return f"{source.shape[3]} channels become {output.shape[3]}"
    weights = inputs[1] if "CONV" in name and len(inputs) > 1 else None
    if weights is not None and name == "CONV_2D" and weights.shape[:1] != output.shape[3:]:
        return f"weights {list(weights.shape)} for {output.shape[3]} output channels"
    return ""


def _concat_problem(parts: Sequence[Tensor], whole: Tensor, axis: int) -> str:
    """Whether `parts` side by side along `axis` are as large as `whole`."""
    rank = len(whole.shape)
    if not -rank <= axis < rank or any(len(part.shape) != rank for part in parts):
        return f"axis {axis} of tensors that have other axes"
    axis %= rank
    others = [size for i, size in enumerate(whole.shape) if i != axis]
    if any([size for i, size in enumerate(part.shape) if i != axis] != others for part in parts):
        return "its parts differ in more than one axis"
    if sum(part.shape[axis] for part in parts) != whole.shape[axis]:
        return f"its parts do not add up to {whole.shape[axis]}"
    return ""


def _transpose_problem(inputs: Sequence[Tensor | None], output: Tensor) -> str:
    source, order = inputs[0], inputs[1] if len(inputs) > 1 else None
    if source is None or order is None or order.data is None:
        return "it has no constant order"
    axes = [int(axis) for axis in order.data.reshape(-1)]
    if sorted(axes) != list(range(len(source.shape))):
        return f"{axes} is not an order of its axes"
    fits = output.shape == tuple(source.shape[axis] for axis in axes)
    return "" if fits else f"its output is {list(output.shape)}"
