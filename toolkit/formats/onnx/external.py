"""Weights that an .onnx file keeps in other files, read without believing where it says that they are."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path, PurePosixPath, PureWindowsPath

from edgekit.common.lazy import onnx
from edgekit.errors import BadInput, Unsupported
from edgekit.formats.onnx.skeleton import MOST_BYTES


def files(model: onnx.ModelProto) -> tuple[str, ...]:
    """The names of the files that `model` keeps weights in, as they are written there."""
    return tuple(sorted({_entries(tensor).get("location", "") for tensor in _external(model)}))


def check(model: onnx.ModelProto, folder: Path) -> None:
    """Raise BadInput where weights of `model` are not inside of a plain file of `folder`."""
    for tensor in _external(model):
        _place(tensor, folder)


def embed(model: onnx.ModelProto, folder: Path) -> None:
    """Read the weights that `model` keeps in files of `folder` into it.

    Raises:
        BadInput: a file or its tensor is not where the model says. Unsupported: together they are more than 2 GB.
    """
    places = [(tensor, *_place(tensor, folder)) for tensor in _external(model)]
    total = sum(length for _, _, _, length in places)
    if total + model.ByteSize() > MOST_BYTES:
        raise Unsupported(
            f"the weights of this .onnx file have {total} bytes; edgekit exports networks of at most 2 GB.",
            hint="Store the weights in half precision, or choose a smaller network.",
        )
    for tensor, file, offset, length in places:
        with file.open("rb") as stream:
            stream.seek(offset)
            content = stream.read(length)
        if len(content) != length:
            raise BadInput(f"{file} changed while the weight {tensor.name!r} was read.")
        tensor.raw_data = content
        del tensor.external_data[:]
        tensor.ClearField("data_location")


def _external(model: onnx.ModelProto) -> Iterator[onnx.TensorProto]:
    from edgekit.formats.onnx.graph import tensors

    return (tensor for tensor in tensors(model) if tensor.data_location == tensor.EXTERNAL)


def _entries(tensor: onnx.TensorProto) -> dict[str, str]:
    return {entry.key: entry.value for entry in tensor.external_data}


def _place(tensor: onnx.TensorProto, folder: Path) -> tuple[Path, int, int]:
    """File, offset and length of a tensor's bytes."""
    from edgekit.formats.onnx.graph import bytes_of

    entries = _entries(tensor)
    location = entries.get("location", "")
    what = f"the weight {tensor.name!r} of this .onnx file"
    plain = PurePosixPath(location)
    if (
        not location
        or plain.is_absolute()
        or PureWindowsPath(location).drive
        or "\\" in location
        or "\0" in location
        or ".." in plain.parts
    ):
        raise BadInput(f"{what} lies in {location!r}, which is not a plain path beside the file.")
    file = folder / location
    if not file.is_file():
        raise BadInput(f"{what} lies in {location!r}, and there is no such file in {folder}.", hint="Copy it there.")
    home = folder.resolve()
    if os.path.commonpath([home, file.resolve()]) != str(home):
        raise BadInput(f"{what} lies in {location!r}, which leads outside of {folder}.")
    try:
        offset, wanted = int(entries.get("offset", "0")), bytes_of(tensor)
        length = int(entries.get("length", wanted))
    except ValueError:
        raise BadInput(f"{what} has an offset or a length in {location!r} that is no number.") from None
    size = file.stat().st_size
    if offset < 0 or length < 0 or offset + length > size:
        raise BadInput(
            f"{what} takes the bytes {offset} to {offset + length} of {location!r}, which has {size}.",
            hint="The file may be truncated: copy it again.",
        )
    if length != wanted:
        raise BadInput(f"{what} has {length} bytes in {location!r}; its shape and dtype need {wanted}.")
    return file, offset, length
