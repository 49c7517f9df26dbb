"""ExecuTorch (.pte) for phones and laptops, on XNNPACK: fp32, and int8 by PT2E.

torch.export -> annotated, calibrated and converted by torchao's PT2E -> lowered to XNNPACK -> a program, checked by our
own reader. Axes that are dynamic stay so, up to their upper bound: the program reserves memory for that.

Not here: other backends (Core ML, Qualcomm, Vulkan), and parts that are no torch module.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from edgekit.core import Artifact, Checkpoint, Feeds, Model, Progress, Recipe, Runner
from edgekit.errors import Unsupported
from edgekit.exporters.common import precision
from edgekit.quantization.plan import Wish

__all__ = ["EXPORTER", "ExecutorchExporter"]


class ExecutorchExporter:
    """See `edgekit.core.Exporter`. Options of a recipe, all for int8:

    ``form``
        "static" or "dynamic" (see `_executorch_int8`). Without it: static where convolutions do most of the work, else
        whichever is closer to float on the calibration samples.
    ``calibration``
        "min-max" or "percentile" ranges for the static form. Without it: whichever is closer to float.
    ``float_layers``
        [layer, ...]: layers that stay float, by the names in the census.
    ``float_parts``
        [part, ...]: parts that stay fp32.
    """

    name = "executorch"
    precisions = ("fp32", "int8")
    extra = "executorch"

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
        """Write ``PART.pte``, and ``PART.json`` that describes it, for every part (see `edgekit.core.Exporter`).

        Raises:
            Unsupported: a precision, an option or a part that is not possible. BadInput: calibration samples are too
            few or all the same. ExportFailed: a part cannot be exported, or the file is not what its precision says.
        """
        wish = _wish(model, recipe)
        from edgekit.exporters.executorch import export as executorch_export

        return executorch_export.export(model, checkpoint, recipe.precision, wish, calibration, out, work, progress)

    def load(self, file: Path, threads: int) -> Runner:
        """Open ``PART.pte``. Raises BadInput if it is damaged, or not what the description beside it says."""
        from edgekit.exporters.executorch import runner

        return runner.load(file, threads)


#: Option -> the values it may have, where they are few.
_CHOICES = {"form": ("static", "dynamic"), "calibration": ("min-max", "percentile")}
_OPTIONS = (*_CHOICES, "float_layers", "float_parts")


def _wish(model: Model, recipe: Recipe) -> Wish:
    """The recipe's options, checked.

    Raises:
        Unsupported: for a precision, an option, a value or a part that does not exist.
    """
    precision.check(ExecutorchExporter.name, ExecutorchExporter.precisions, recipe)
    given: dict[str, Any] = dict(recipe.options)
    for name, value in given.items():
        if name not in _OPTIONS:
            raise Unsupported(
                f"the executorch exporter has no option {name!r}.", hint=f"It has: {', '.join(_OPTIONS)}."
            )
        if name in _CHOICES and value not in _CHOICES[name]:
            raise Unsupported(
                f"the executorch exporter's option {name} has no value {value!r}.",
                hint=f"It has: {', '.join(_CHOICES[name])}.",
            )
        if name not in _CHOICES and (isinstance(value, str) or not isinstance(value, Sequence)):
            raise Unsupported(f"the executorch exporter's option {name} is a list of names, not {value!r}.")
    known = [part.name for part in model.network.parts]
    for part in given.get("float_parts", ()):
        if part not in known:
            raise Unsupported(
                f"{model.name} has no part {part!r} to set an option for.", hint=f"It has: {', '.join(known)}."
            )
    return Wish(
        form=given.get("form"),
        ranges=given.get("calibration"),
        float_layers=tuple(given.get("float_layers", ())),
        float_parts=tuple(given.get("float_parts", ())),
    )


EXPORTER = ExecutorchExporter()
