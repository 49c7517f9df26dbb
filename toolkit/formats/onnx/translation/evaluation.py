"""An operator's use, computed."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from torch import Tensor

from edgekit.common.lazy import np
from edgekit.formats.onnx.graph import Node
from edgekit.formats.onnx.translation import operators
from edgekit.formats.onnx.translation.registry import KNOWN, OPERATORS, Operator
from edgekit.formats.onnx.translation.values import Held, Value, to_tensor


def operator_names() -> tuple[str, ...]:
    """The operators that are translated; those of another domain have its name in front."""
    assert operators
    return tuple(sorted(OPERATORS))


def evaluate(node: Node, values: Sequence[Value | None]) -> tuple[Value | None, ...]:
    """The outputs of `node` for its inputs, in their order; None for an output that is not computed.

    Raises:
        Unsupported: nothing here computes the operator, or not in this form.
    """
    if node.kind in KNOWN and all(value is None or isinstance(value, Held) for value in values):
        compute, plain = KNOWN[node.kind]
        arrays = [value.array if isinstance(value, Held) else None for value in values]
        if not any(
            array is not None and array.dtype == object and place in plain for place, array in enumerate(arrays)
        ):
            out = compute(node, *arrays)
            return tuple(Held(array) for array in out) if isinstance(out, tuple) else (Held(np.asarray(out)),)
    operator = OPERATORS.get(node.kind)
    if operator is None:
        raise node.refusal("edgekit has no translation of it")
    out = operator.compute(node, *_arguments(node, operator, values))
    return tuple(out) if isinstance(out, (tuple, list)) else (out,)


def _arguments(node: Node, operator: Operator, values: Sequence[Value | None]) -> list[Any]:
    if operator.raw:
        return list(values)
    rank = max((value.dim() for value in values if isinstance(value, Tensor)), default=-1)
    out: list[Any] = []
    for place, value in enumerate(values):
        if value is None:
            out.append(None)
        elif place in operator.numbers:
            if isinstance(value, Tensor):
                raise node.refusal(f"its input {node.inputs[place]!r} depends on data, and not on shapes alone")
            out.append(value.array)
        elif operator.scalars and isinstance(value, Held) and value.array.size == 1 and value.array.ndim <= rank:
            item = value.array.reshape(-1)[0]
            out.append(item.item() if isinstance(item, np.generic) else item)
        else:
            out.append(to_tensor(value))
    return out
