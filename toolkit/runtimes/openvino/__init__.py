"""OpenVINO on x86 processors of laptops and servers, which reads ONNX files.

Its kernels for int8 convolutions are faster than onnxruntime's there (docs/vision.md). What only onnxruntime has, such
as its recurrent int8 layers, it refuses.
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from types import MappingProxyType

from edgekit.core import Abilities, Artifact, Constraint, Lowering, Model, Recipe, Runner, Runtime
from edgekit.errors import BadInput, ExportFailed, need

#: Dtypes of integers, as OpenVINO names them.
_INTEGERS = ("i8", "u8")


class Openvino(Runtime):
    """See `edgekit.core.Runtime`."""

    name = "openvino"
    formats = ("onnx",)
    distributions = ("openvino",)
    abilities = Abilities((8,), ("tensor", "channel"), activations=("static",), integer=("convolution", "product"))
    extra = "openvino"
    doctor = "run files with OpenVINO"
    process_bytes = 118_000_000
    holds = "widened"
    constraints = (
        Constraint(
            "scales of rows",
            "one scale",
            "of an axis without a fixed size it takes them along the last axis: it refuses, or gives other numbers",
        ),
    )
    #: With its first layers in float EfficientNet-Lite0 takes a tenth more time.
    costs = MappingProxyType({"first convolution": {"float": 1.1}})

    def load(self, file: Path, threads: int) -> Runner:
        """See `edgekit.core.Runtime`."""
        from edgekit.runtimes.openvino.runner import OpenvinoRunner

        return OpenvinoRunner(file, threads)

    def refuses(self, model: Model, recipe: Recipe) -> str:
        """int8 of recurrent layers, which onnxruntime alone has."""
        works = model.costs.work(recipe) if model.costs.work and recipe.precision == "int8" else ()
        recurrent = any(work.kind == "recurrent" and work.quantized for work in works)
        return "OpenVINO has no recurrent layers in int8" if recurrent else ""

    def require(self) -> None:
        """See `edgekit.core.Runtime`: its absence must show before minutes of work."""
        with need("openvino", "Exporting for OpenVINO"):
            from edgekit.runtimes.openvino import runner

            runner.import_openvino()

    def lower(self, artifact: Artifact, folder: Path, about: Lowering) -> Artifact:
        """`artifact` with the operators that OpenVINO makes of it, by dtype.

        Raises:
            ExportFailed: OpenVINO refuses it, or computes layers in float that are int8 in the file.
        """
        from edgekit.runtimes.openvino.runner import OpenvinoRunner

        try:
            found = OpenvinoRunner(folder / artifact.file, 1).products()
        except BadInput as exc:
            raise ExportFailed(
                f"OpenVINO cannot run the part {artifact.part!r}: {exc.message}",
                hint="Choose --runtime onnxruntime, which has operators that OpenVINO has not.",
            ) from exc
        wanted = sum(layer["form"] == "static" for layer in artifact.census.get("layers", {}).values())
        whole = sum(counts[dtype] for counts in found.values() for dtype in _INTEGERS)
        if whole < wanted:
            raise ExportFailed(
                f"OpenVINO would compute {wanted - whole} of {wanted} int8 layers of the part {artifact.part!r} in "
                "float.",
                hint="Report this with the version of OpenVINO: its rules for quantized graphs have changed.",
            )
        kernels = {kind: dict(sorted(counts.items())) for kind, counts in sorted(found.items())}
        return replace(artifact, census={**artifact.census, "kernels": kernels})


RUNTIME = Openvino()
