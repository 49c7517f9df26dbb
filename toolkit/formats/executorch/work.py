"""What operators of a .pte multiply: for shares of a network, which numbers of operators say nothing of."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

from edgekit.formats.flatbuffer import Table

#: Portable operators that multiply and add up.
PRODUCTS = ("mm", "bmm", "linear", "addmm", "convolution")


def multiplications_of_portable(name: str, arguments: Sequence[Table]) -> int:
    """Multiplications of values that are added up then, in a call of a portable operator.

    Args:
        arguments: its values, what it returns last.

    Raises:
        LookupError: it is given other values than such an operator takes.
    """
    operator = name.partition(".")[0].removeprefix("aten::")
    if operator not in PRODUCTS:
        return 0
    shapes = [value.numbers("sizes") if value.kind == "Tensor" else [] for value in arguments]
    if operator == "convolution":
        turned = arguments[6].number("bool_val")
        return math.prod(shapes[0] if turned else shapes[-1]) * math.prod(shapes[1][1:])
    return math.prod(shapes[-1]) * math.prod(shapes[operator == "addmm"][-1:])


def multiplications_of_xnnpack(operator: Table, shapes: Mapping[str, Sequence[int]]) -> int:
    """The same of an operator of XNNPACK. shapes: of its tensors, by the names of their fields in `operator`."""
    kind = operator.kind
    if kind in ("FullyConnected", "BatchMatrixMultiply"):
        return math.prod(shapes["output_id"]) * math.prod(shapes["input1_id"][-1:])
    if kind == "ScaledDotProductAttention":
        return 2 * math.prod(shapes["query_id"]) * math.prod(shapes["key_id"][-2:-1])
    if "group_input_channels" not in operator.fields:
        return 0
    taps = operator.number("kernel_height") * operator.number("kernel_width")
    if kind == "ConvTranspose2d":
        return int(math.prod(shapes["input1_id"]) * taps * operator.number("group_output_channels"))
    return int(math.prod(shapes["output_id"]) * taps * operator.number("group_input_channels"))
