"""ExecuTorch (.pte) for phones and laptops, on XNNPACK: fp32, and int8 by PT2E.

torch.export -> annotated, calibrated and converted by torchao's PT2E -> lowered to XNNPACK -> a program, checked by our
own reader. Axes that are dynamic stay so, up to their upper bound: the program reserves memory for that.

Not here: other backends (Core ML, Qualcomm, Vulkan), and parts that are no torch module.
"""

from __future__ import annotations

from edgekit.core import Artifact, Encoding, Facts, Model, Recipe
from edgekit.exporters.common import options
from edgekit.exporters.common.writer import Request, Writer
from edgekit.exporters.executorch.wish import Wish

__all__ = ["EXPORTER", "ExecutorchExporter"]


#: The most uses of a recurrent layer's weights in a call.
_USES = 1000
_OPTIONS = {
    "form": options.each_part(options.values("static", "dynamic")),
    "ranges": options.each_part(options.values("min-max", "percentile")),
    "float_layers": options.each_part(options.layers),
    "float_parts": options.parts,
    "partitioners": options.values(True, False),
}


class ExecutorchExporter(Writer):
    """See `edgekit.core.Exporter`. Options of a recipe, all but the last for int8:

    ``form``
        "static" or "dynamic" (see `int8`). Without it: static where convolutions do most of the work, else
        whichever is closer to float on the calibration samples.
    ``ranges``
        "min-max" or "percentile" ranges for the static form. Without it: whichever is closer to float.
    ``float_layers``
        [layer, ...]: layers that stay float, by the names in the census.
    ``float_parts``
        [part, ...]: parts that stay fp32.
    ``partitioners``
        true: the census says what Core ML and Vulkan would take of each part in float, by ExecuTorch's partitioners.
        That takes some seconds a part.
    """

    name = "executorch"
    precisions = ("fp32", "int8")
    extra = "executorch"
    distributions = ("torch", "executorch", "torchao", "numpy")
    doctor = "export to ExecuTorch, and run it"
    rules = _OPTIONS
    demands = ("planned axes", "module")
    encoding = Encoding(sequences=0)

    def write(self, request: Request) -> list[Artifact]:
        """Write ``PART.pte``, and ``PART.json`` that describes it, for every part.

        Raises:
            Unsupported: a part that is not possible. BadInput: calibration samples are too few or all the same.
            ExportFailed: a part cannot be exported, or the file is not what its precision says.
        """
        from edgekit.exporters.executorch import export

        return export.export(request, Wish(**request.recipe.options))

    def defaults(self, model: Model, precision: str) -> Facts:
        """See `edgekit.core.Exporter`: of int8, layers that stay float."""
        layers = options.float_layers(model)
        return {"float_layers": layers} if layers and precision == "int8" else {}

    def refuses(self, model: Model, recipe: Recipe) -> str:
        """Long recurrences: of three layers of 160 steps the compiler was not done after ten minutes on one core."""
        works = model.costs.work(recipe) if model.costs.work else ()
        long = any(work.kind == "recurrent" and work.macs > _USES * max(work.weights, 1) for work in works)
        return (
            "ExecuTorch writes a recurrence out step by step, and this one is too long for its compiler" if long else ""
        )


EXPORTER = ExecutorchExporter()
