"""OpenVINO on x86 processors of laptops and servers, which reads ONNX files.

Its kernels for int8 convolutions are faster than onnxruntime's there (docs/vision.md). What only onnxruntime has, such
as its recurrent int8 layers, it refuses.
"""

from __future__ import annotations

from pathlib import Path
from types import MappingProxyType

from edgekit.core import Abilities, Artifact, Constraint, Lowering, Model, Recipe, Runner, Runtime
from edgekit.errors import need


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
    places = "OpenVINO's fast kernels"
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
        """See `edgekit.core.Runtime`: asked of the network as it is compiled here.

        Raises:
            ExportFailed: OpenVINO refuses it, or computes layers in float whose int8 has fixed ranges in the file.
        """
        from edgekit.runtimes.openvino import placing

        return placing.place_part(artifact, folder, about)


RUNTIME = Openvino()
