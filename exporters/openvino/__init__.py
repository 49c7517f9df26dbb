"""OpenVINO, for laptops and servers with x86 processors: the files of the `onnx` exporter, run by OpenVINO.

OpenVINO reads ONNX, so there is no format of its own here: the same graph, quantized by the same code, but that the
first layers are int8 here, too. Its kernels for int8 convolutions are faster than onnxruntime's on x86
(docs/vision.md). What only onnxruntime has, such as its recurrent int8 layers, is refused.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from edgekit.core import Abilities, Artifact, Checkpoint, Exporter, Feeds, Model, Progress, Recipe, Runner
from edgekit.errors import BadInput, ExportFailed, need
from edgekit.exporters import onnx
from edgekit.exporters.common import options

#: Times of products are measured in onnxruntime, so the option `time` is not for OpenVINO.
OPTIONS = {name: rule for name, rule in onnx.OPTIONS.items() if name != "time"}
#: Dtypes of integers, as OpenVINO names them.
_INTEGERS = ("i8", "u8")


class _Files(onnx.OnnxExporter):
    """Its first layers are int8, too: OpenVINO takes a tenth less time for EfficientNet-Lite0 so. Scales of
    QuantizeLinear for an axis without a fixed size it takes along the last axis: it refuses, or gives other numbers."""

    head, rows = False, False


class OpenvinoExporter(Exporter):
    """See `edgekit.core.Exporter`. Precisions and options of a recipe are those of `OnnxExporter`, but for `time`."""

    name = "openvino"
    precisions = onnx.OnnxExporter.precisions
    extra = "openvino"
    distributions = ("openvino", *onnx.OnnxExporter.distributions)
    abilities = Abilities((8,), ("tensor", "channel"), activations=("static",), integer=("convolution", "product"))
    doctor = "export for OpenVINO, and run it"
    runtime = "openvino"
    process_bytes = 118_000_000

    def export(
        self,
        model: Model,
        checkpoint: Checkpoint,
        recipe: Recipe,
        calibration: Mapping[str, Sequence[Feeds]],
        out: Path,
        work: Path,
        progress: Progress,
    ) -> list[Artifact]:
        """Write ``PART.onnx`` for every part of `model` into `out` (see `edgekit.core.Exporter.export`).

        Raises:
            Unsupported: a precision or an option that is not known. ExportFailed: a part cannot be traced, OpenVINO
            refuses it, or computes layers in float that are int8 in the file. MissingExtra: OpenVINO is absent.
        """
        self.check_recipe(model, recipe)
        self.require()
        same = replace(recipe, exporter=_Files.name)
        made = _Files().export(model, checkpoint, same, calibration, out, work, progress)
        return [checked(artifact, out) for artifact in made]

    def require(self) -> None:
        """See `edgekit.core.Exporter`: its absence must show before minutes of work."""
        with need("openvino", "Exporting for OpenVINO"):
            from edgekit.exporters.openvino import runner

            runner.opened()

    def check_recipe(self, model: Model, recipe: Recipe) -> None:
        """See `edgekit.core.Exporter`."""
        options.check(self, OPTIONS, model, recipe)

    def load(self, file: Path, threads: int) -> Runner:
        """Open ``PART.onnx``, packed or not. Raises BadInput if OpenVINO refuses it."""
        from edgekit.exporters.openvino.runner import OpenvinoRunner

        return OpenvinoRunner(file, threads)


def checked(artifact: Artifact, out: Path) -> Artifact:
    """`artifact` with what OpenVINO makes of it in its census."""
    from edgekit.exporters.openvino.runner import OpenvinoRunner

    try:
        found = OpenvinoRunner(out / artifact.file, 1).products()
    except BadInput as exc:
        raise ExportFailed(
            f"OpenVINO cannot run the part {artifact.part!r}: {exc.message}",
            hint="Choose --exporter onnx: onnxruntime has operators that OpenVINO has not.",
        ) from exc
    wanted = sum(layer["form"] == "static" for layer in artifact.census.get("layers", {}).values())
    whole = sum(counts[dtype] for counts in found.values() for dtype in _INTEGERS)
    if whole < wanted:
        raise ExportFailed(
            f"OpenVINO would compute {wanted - whole} of {wanted} int8 layers of the part {artifact.part!r} in float.",
            hint="Report this with the version of OpenVINO: its rules for quantized graphs have changed.",
        )
    told = {kind: dict(sorted(counts.items())) for kind, counts in sorted(found.items())}
    return replace(artifact, census={**artifact.census, "openvino": told})


EXPORTER = OpenvinoExporter()
