"""An .onnx file without its weights: as small to read as its graph, whatever its size.

This walks the fields that lead to tensors, skips over what tensors hold, and checks that every length ends inside its
message: so a truncated file is recognized before anything is parsed.
"""

from __future__ import annotations

import mmap
from collections.abc import Mapping
from pathlib import Path

from edgekit.errors import BadInput
from edgekit.formats.protobuf import LENGTH, Broken, fields, varint

#: Protobuf's own limit for a message.
MOST_BYTES = 2**31 - 1
#: Message -> the fields that hold messages with tensors inside.
_CHILDREN: Mapping[str, Mapping[int, str]] = {
    "model": {7: "graph", 25: "function"},
    "function": {7: "node"},
    "graph": {1: "node", 5: "tensor", 15: "sparse"},
    "sparse": {1: "tensor", 2: "tensor"},
    "node": {5: "attribute"},
    "attribute": {5: "tensor", 6: "graph", 10: "tensor", 11: "graph"},
    "tensor": {},
}
#: The fields of a tensor that hold its values.
_VALUES = {4, 5, 6, 7, 9, 10, 11}
#: Messages and values of at most this many bytes are kept as they are: scalars and shapes are worth knowing.
_SMALL = 2048
_MOST_DEPTH = 64


def skeleton(file: Path) -> bytes:
    """The bytes of `file` as ONNX, without the values of its large tensors.

    Raises:
        BadInput: it is empty, truncated, no protobuf message, or larger than a protobuf message can be.
    """
    size = file.stat().st_size
    if size == 0:
        raise BadInput(f"{file} is empty.", hint="Download or export it again.")
    if size > MOST_BYTES:
        raise BadInput(
            f"{file} has {size} bytes, and an .onnx file can have at most {MOST_BYTES} (2 GB).",
            hint="Larger weights are kept beside the file: onnx.save(model, file, save_as_external_data=True).",
        )
    with file.open("rb") as stream, mmap.mmap(stream.fileno(), 0, access=mmap.ACCESS_READ) as content:
        view = memoryview(content)
        try:
            return _strip_values(view, "model", 0)
        except Broken as exc:
            raise BadInput(
                f"{file} is not an ONNX file, or it is truncated: {exc}.", hint="Download or export it again."
            ) from None
        finally:
            view.release()


def _strip_values(view: memoryview, kind: str, depth: int) -> bytes:
    if depth > _MOST_DEPTH:
        raise Broken(f"its graphs are nested more than {_MOST_DEPTH} deep")
    if kind != "model" and len(view) <= _SMALL:
        return bytes(view)
    out = bytearray()
    children = _CHILDREN[kind]
    for number, wire, start, first, last in fields(view):
        if wire == LENGTH and number in children:
            with view[first:last] as inner:
                content = _strip_values(inner, children[number], depth + 1)
            out += varint(number << 3 | LENGTH) + varint(len(content)) + content
        elif kind != "tensor" or number not in _VALUES or last - first <= _SMALL:
            out += view[start:last]
    return bytes(out)
