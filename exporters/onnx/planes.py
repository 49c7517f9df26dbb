"""Weights of 2 to 7 bits in a file, which onnxruntime unpacks to bytes when it loads the model.

Its kernels multiply weights of 8 and of 4 bits, and the width that is good enough for a network mostly lies between
them. So steps are stored as planes of 4, 2 and 1 bits, and operators behind them put the bytes together: onnxruntime
computes what depends on constants alone once, when a session begins, and keeps the result as a constant. The file has
the bytes of the width, and a product the speed of 8 bits. The price is paid when a session begins: that takes
longer, and what the operators make on the way stays in memory, some 5.5 bytes a weight (whisper-base: a peak of 602 MB
for 213).

The lowest bit of a step is moved up to fill a byte, so the scale becomes less by as many powers of 2: nothing is lost.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import helper

__all__ = ["WHOLE", "stored"]

#: Bits of a step as kernels take it.
WHOLE = 8
#: Plane widths, the widest first: any number of bits below 8 is a sum of some of them.
_PLANES = (4, 2, 1)


def stored(name: str, values: NDArray[np.uint8], bits: int, added: dict[str, NDArray[Any]]) -> list[onnx.NodeProto]:
    """Nodes that make the tensor `name`, uint8 of the shape of `values`: each of them times 2 ** (8 - bits).

    Args:
        values: below 2 ** bits. bits: 2 to 7. added: gets the planes.
    """
    flat = (values << (WHOLE - bits)).astype(np.uint8).reshape(-1)
    nodes, planes, top = list[onnx.NodeProto](), list[str](), WHOLE
    for width in (width for width in _PLANES if width & bits):
        top -= width
        plane = f"{name}.plane{width}"
        added[plane] = _packed(flat, top, width)
        nodes += _unpacked(plane, len(flat), top, width, added)
        planes.append(f"{plane}.flat")
    while len(planes) > 1:
        left, right = planes[:2]
        nodes.append(helper.make_node("BitwiseOr", [left, right], [f"{left}.or"], name=f"{left}.or"))
        planes[:2] = [f"{left}.or"]
    added[f"{name}.shape"] = np.array(values.shape, np.int64)
    return [*nodes, helper.make_node("Reshape", [planes[0], f"{name}.shape"], [name], name=f"{name}.reshape")]


def _packed(values: NDArray[np.uint8], place: int, width: int) -> NDArray[np.uint8]:
    """The bits of `values` from `place` on, `width` of each: field k of all bytes holds the k-th part of the values."""
    count = WHOLE // width
    fields = np.zeros(-(-len(values) // count) * count, np.uint8)
    fields[: len(values)] = values >> place & ((1 << width) - 1)
    shifts = np.arange(0, WHOLE, width, dtype=np.uint8)[:, None]
    packed: NDArray[np.uint8] = np.bitwise_or.reduce(fields.reshape(count, -1) << shifts, axis=0)
    return packed


def _unpacked(plane: str, count: int, place: int, width: int, added: dict[str, NDArray[Any]]) -> list[onnx.NodeProto]:
    """``PLANE.flat``, uint8 [count]: the fields of a plane one after another, each at its place in a byte."""
    mask, nodes, fields = f"bits.{place}.{width}", list[onnx.NodeProto](), list[str]()
    added[mask] = np.array(((1 << width) - 1) << place, np.uint8)
    for field in range(0, WHOLE, width):
        own, moved = f"{plane}.{field}", plane
        if by := place - field:
            amount, moved = f"bits.by{abs(by)}", f"{own}.moved"
            added[amount] = np.array(abs(by), np.uint8)
            direction = "LEFT" if by > 0 else "RIGHT"
            nodes.append(helper.make_node("BitShift", [plane, amount], [moved], name=moved, direction=direction))
        nodes.append(helper.make_node("BitwiseAnd", [moved, mask], [own], name=own))
        fields.append(own)
    flat = f"{plane}.flat"
    joined = f"{plane}.all" if count % len(fields) else flat
    nodes.append(helper.make_node("Concat", fields, [joined], name=joined, axis=0))
    if joined != flat:
        added[f"{plane}.count"], added["bits.start"] = np.array([count], np.int64), np.array([0], np.int64)
        nodes.append(helper.make_node("Slice", [joined, "bits.start", f"{plane}.count"], [flat], name=flat))
    return nodes
