"""Whether a bundle can be packaged with the installed runtime for Android, and what the package states about it."""

from __future__ import annotations

import json
from pathlib import Path

from edgekit.common.packed import plain
from edgekit.core import Bundle, Facts
from edgekit.errors import BadInput, Unsupported
from edgekit.formats.protobuf import LENGTH, NUMBER, fields, read_varint
from edgekit.targets.android.forms.gradle import app_of
from edgekit.targets.android.forms.tools import RUNTIME
from edgekit.targets.common.apps import App
from edgekit.targets.common.assets import write_assets

#: Newest format and newest standard operators of ONNX that `RUNTIME` is known to read (those of its release 1.23 and
#: later); operators of com.microsoft have no versions.
_FORMAT, _OPERATORS = 11, 23
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


def asset_files(bundle: Bundle, runtime: str, root: str, work: Path) -> tuple[dict[str, bytes | Path], int]:
    """The model's assets, written into the folder `work`, by their names in an archive, below `root`; and their size.

    Errors: see `edgekit.targets.common.assets.write_assets`.
    """
    assets = work / "assets"
    assets.mkdir()
    size = sum(write_assets(bundle, assets).values())
    files: dict[str, bytes | Path] = {
        f"{root}/{path.relative_to(assets).as_posix()}": path for path in assets.rglob("*") if path.is_file()
    }
    return {**files, f"{root}/packaged.json": json.dumps(package_facts(bundle, runtime), indent=1).encode()}, size


def versions_of(model: Path) -> tuple[int, int]:
    """ONNX's format (IR version) and the version of its standard operators. Raises BadInput for a damaged file."""
    ir = opset = 0
    try:
        content = model.read_bytes()
        for number, wire, _, first, last in fields(content):
            if (number, wire) == (_IR_VERSION, NUMBER):
                ir, _ = read_varint(content, first)
            elif (number, wire) == (_OPSET_IMPORT, LENGTH):
                said = content[first:last]
                known = {field.number: field for field in fields(said)}
                domain = said[known[_DOMAIN].first : known[_DOMAIN].last] if _DOMAIN in known else b""
                if domain in (b"", b"ai.onnx") and _VERSION in known:
                    opset, _ = read_varint(said, known[_VERSION].first)
        if not ir or not opset:
            raise ValueError("it does not say of which version it is")
    except ValueError as exc:
        raise BadInput(f"{model.name} is not an ONNX file, or is damaged: {exc}.") from exc
    return ir, opset
