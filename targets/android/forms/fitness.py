"""Whether a bundle can be packaged with the installed runtime for Android, and what the package states about it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from edgekit.common.packed import plain
from edgekit.core import Bundle, Facts
from edgekit.errors import BadInput, Unsupported
from edgekit.targets.android.forms.gradle import app_of
from edgekit.targets.android.forms.tools import RUNTIME
from edgekit.targets.common.apps import App

#: Newest format and newest standard operators of ONNX that `RUNTIME` is known to read (those of its release 1.23 and
#: later); operators of com.microsoft have no versions.
_FORMAT, _OPERATORS = 11, 23
_VARINT, _WIDE, _BYTES, _NARROW = 0, 1, 2, 5
#: Fields of ONNX's ModelProto and OperatorSetIdProto.
_IR_VERSION, _OPSET_IMPORT, _DOMAIN, _VERSION = 1, 8, 1, 2


def check_bundle(bundle: Bundle, what: str) -> App:
    """The class that apps get for the bundle.

    Raises:
        Unsupported: the bundle cannot become `what` ("an app", "a library"). BadInput: a broken graph.
    """
    exporter = bundle.manifest.recipe.exporter
    if exporter != "onnx":
        raise Unsupported(
            f"{bundle.path.name} cannot become {what}: only bundles of the exporter onnx can, not of {exporter}.",
            hint=f"edgekit export {bundle.manifest.model.export_argument} --target android --runtime onnxruntime",
        )
    app = app_of(bundle)
    for part in bundle.manifest.parts:
        with plain(bundle.path / part.file) as file:
            ir, opset = versions_of(file)
        if ir > _FORMAT or opset > _OPERATORS:
            raise Unsupported(
                f"the part {part.name!r} has format {ir} and operators {opset} of ONNX; onnxruntime {RUNTIME.revision} "
                f"for Android is known to read up to {_FORMAT} and {_OPERATORS}."
            )
    return app


def package_facts(bundle: Bundle, runtime: str) -> Facts:
    """What a package says of itself beside what the bundle says: which runtime it has, and which proved the bundle."""
    proven = str(bundle.manifest.versions.get("onnxruntime", "unknown"))
    note = "" if proven == runtime else f"proven with {proven}, packaged with {runtime}: run the self-test"
    return {"bundle": bundle.manifest.digest, "runtime": f"onnxruntime {runtime}", "proven": proven, "note": note}


def versions_of(model: Path) -> tuple[int, int]:
    """ONNX's format (IR version) and the version of its standard operators. Raises BadInput for a damaged file."""
    ir, opset = 0, 0
    try:
        for field, value in _fields(model.read_bytes()):
            if field == _IR_VERSION and isinstance(value, int):
                ir = value
            elif field == _OPSET_IMPORT and isinstance(value, bytes):
                said = dict(_fields(value))
                if said.get(_DOMAIN, b"") in (b"", b"ai.onnx"):
                    opset = int(said.get(_VERSION, 0))
        if not ir or not opset:
            raise ValueError("it does not say of which version it is")
    except (IndexError, ValueError) as exc:
        raise BadInput(f"{model.name} is not an ONNX file, or is damaged: {exc}.") from exc
    return ir, opset


def _fields(data: bytes) -> Iterator[tuple[int, int | bytes]]:
    """Number and value of the fields of a protocol buffer."""
    at = 0
    while at < len(data):
        key, at = _number(data, at)
        kind = key & 7
        if not key >> 3:
            raise ValueError("a field has no number")
        if kind == _VARINT:
            value, at = _number(data, at)
            yield key >> 3, value
            continue
        size = {_WIDE: 8, _NARROW: 4}.get(kind, -1)
        if kind == _BYTES:
            size, at = _number(data, at)
        if size < 0 or at + size > len(data):
            raise ValueError("a field lies outside the file")
        yield key >> 3, data[at : at + size]
        at += size


def _number(data: bytes, at: int) -> tuple[int, int]:
    value = 0
    for shift in range(0, 70, 7):
        byte = data[at]
        value, at = value | (byte & 127) << shift, at + 1
        if byte < 128:
            return value, at
    raise ValueError("a number is too long")
