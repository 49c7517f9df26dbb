"""ONNX for onnxruntime: fp32, fp16 storage, and int8 chosen layer by layer from real inputs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from edgekit.core import Artifact, Checkpoint, Feeds, Model, Part, Progress, Recipe, Runner
from edgekit.errors import ExportFailed, Unsupported, need

if TYPE_CHECKING:
    import onnx
    from numpy.typing import NDArray


class OnnxExporter:
    """See `edgekit.core.Exporter`. Options of a recipe:

    ``forms``
        {part: "dynamic" | "blockwise"}: the int8 form of the products of a part, instead of the measured choice. What
        shares its weights with an embedding stays blockwise.
    ``float_parts``
        [part, ...]: parts that stay fp32 although the precision is int8.
    """

    name = "onnx"
    precisions = ("fp32", "fp16", "int8")
    extra = "export"

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
            Unsupported: the precision is not one of `precisions`, or an option is not known.
            ExportFailed: a part cannot be traced, or the file is not what its precision says.
        """
        if recipe.precision not in self.precisions:
            raise Unsupported(
                f"the onnx exporter has no precision {recipe.precision!r}.",
                hint=f"It has: {', '.join(self.precisions)}.",
            )
        _check_options(model, recipe)
        with need("export", "Exporting to ONNX"):
            import onnx
            import onnxscript  # noqa: F401  torch imports it late; its absence must show now
            import torch  # noqa: F401
        artifacts = []
        for part in model.parts:
            graph = self._reference(part, checkpoint, work, progress)
            float_part = not part.quantize or part.name in recipe.options.get("float_parts", ())
            precision = "fp32" if float_part else recipe.precision
            artifacts.append(self._write(part, graph, precision, recipe, calibration.get(part.name, ()), out, progress))
            del graph
        _ = onnx
        return artifacts

    def load(self, file: Path, threads: int) -> Runner:
        """Open ``PART.onnx``. Raises BadInput if onnxruntime refuses it."""
        from edgekit.exporters._onnx_runner import OnnxRunner

        return OnnxRunner(file, threads)

    def _reference(self, part: Part, checkpoint: Checkpoint, work: Path, progress: Progress) -> onnx.ModelProto:
        """The fp32 graph, made once an export however many recipes are tried."""
        import onnx

        from edgekit.exporters._onnx_graph import from_torch

        file = work / f"{part.name}.fp32.onnx"
        if not file.exists():
            if part.build is None:
                raise ExportFailed(f"the part {part.name!r} is not a torch graph; the onnx exporter cannot write it.")
            progress(f"tracing {part.name}", 0, 0)
            onnx.save(from_torch(part, part.build(checkpoint)), file)
        return onnx.load(file)

    def _write(
        self,
        part: Part,
        graph: onnx.ModelProto,
        precision: str,
        recipe: Recipe,
        feeds: Sequence[Feeds],
        out: Path,
        progress: Progress,
    ) -> Artifact:
        import onnx

        from edgekit.exporters import _onnx_census, _onnx_fp16

        choice: dict[str, tuple[str, str]] = {}
        if precision == "fp16":
            graph = _onnx_fp16.store_in_half(graph)
        elif precision == "int8":
            graph, choice = self._int8(part, graph, recipe, feeds, progress)
        facts = _onnx_census.census(graph)
        _onnx_census.check(facts, part.name, precision, part.quantize)
        facts["compute"] = "fp32" if precision == "fp16" else precision
        facts["layers"] = {name: {"form": form, "why": why} for name, (form, why) in choice.items()}
        onnx.save(graph, out / f"{part.name}.onnx")
        return Artifact(part.name, f"{part.name}.onnx", facts)

    def _int8(
        self, part: Part, graph: onnx.ModelProto, recipe: Recipe, feeds: Sequence[Feeds], progress: Progress
    ) -> tuple[onnx.ModelProto, dict[str, tuple[str, str]]]:
        from edgekit.exporters import _onnx_fp16, _onnx_int8

        forced = recipe.options.get("forms", {}).get(part.name)
        if forced:
            tied = ("blockwise", _onnx_int8.TIED)
            choice = {p.node: tied if p.table else (forced, "the recipe says so") for p in _onnx_int8.products(graph)}
        elif not feeds:
            raise ExportFailed(f"the part {part.name!r} has no recorded input to choose its int8 layers by.")
        else:
            choice = _onnx_int8.choose(
                graph, feeds, _evaluate, lambda done, total: progress(f"measuring layers of {part.name}", done, total)
            )
        graph = _onnx_int8.quantize(graph, {name: form for name, (form, _) in choice.items()})
        # What stays float (convolutions, positions, sensitive layers) is stored in half; scales keep all their digits.
        return _onnx_fp16.store_in_half(graph, keep=lambda name: name.endswith(".scales")), choice


def _check_options(model: Model, recipe: Recipe) -> None:
    """Raises Unsupported for an option, a part or a form that does not exist."""
    for name in recipe.options:
        if name not in ("forms", "float_parts"):
            raise Unsupported(f"the onnx exporter has no option {name!r}.", hint="It has: forms, float_parts.")
    forms, parts = recipe.options.get("forms", {}), [part.name for part in model.parts]
    for name in (*forms, *recipe.options.get("float_parts", ())):
        if name not in parts:
            raise Unsupported(
                f"{model.name} has no part {name!r} to set an option for.", hint=f"It has: {', '.join(parts)}."
            )
    for form in forms.values():
        if form not in ("blockwise", "dynamic"):
            raise Unsupported(f"the onnx exporter has no int8 form {form!r}.", hint="It has: blockwise, dynamic.")


def _evaluate(model: onnx.ModelProto, feeds: Sequence[Feeds]) -> list[dict[str, NDArray[Any]]]:
    import os

    from edgekit.exporters._onnx_runner import OnnxRunner

    runner = OnnxRunner(model.SerializeToString(), threads=os.cpu_count() or 1)
    return [runner(feed) for feed in feeds]


EXPORTER = OnnxExporter()
