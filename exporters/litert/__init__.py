"""LiteRT (.tflite) for phones and microcontrollers: fp32, fp16 storage, int8; and ready .tflite files as they are.

torch → litert-torch → a tidy fp32 file → ai-edge-quantizer → buffers inside, checked by our own reader. Image networks
take NHWC pixels where their module does (`x.permute(0, 3, 1, 2)` first): the converter folds the transposes away.

Not here: axes that litert-torch cannot keep dynamic (it can hardly keep any), and frontends that are no torch module.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from edgekit.core import Artifact, Checkpoint, Feeds, Model, Progress, Recipe, Runner
from edgekit.errors import Unsupported
from edgekit.exporters.common import precision
from edgekit.exporters.litert.wish import Wish

__all__ = ["EXPORTER", "LitertExporter"]


class LitertExporter:
    """See `edgekit.core.Exporter`. Options of a recipe, all for int8 but the last:

    ``form``
        "static", "dynamic" or "weight-only" (see `_litert_int8`). Without it: static where convolutions do most of the
        work, else whichever of static and dynamic is closer to float on the calibration samples.
    ``calibration``
        "min-max" or "percentile" ranges for the static form. Without it: whichever is closer to float.
    ``io``
        "float" (the part's own dtypes) or "int8": inputs and outputs without float, as microcontrollers want them. The
        runner takes and gives the part's dtypes in either case.
    ``weights``
        "per-channel" or "per-tensor" scales of weights in the static form. Without it: per channel.
    ``float_layers``
        [layer, ...]: layers that stay float, by the names in the census; or a number: so many of the most sensitive.
    ``float_parts``
        [part, ...]: parts that stay fp32.
    ``sizes``
        {axis: size}: dynamic axes that become fixed, at any precision.
    """

    name = "litert"
    precisions = ("fp32", "fp16", "int8")
    extra = "litert"

    def refuses(self, model: Model, recipe: Recipe) -> str:
        """See `edgekit.core.Exporter`: axes that nobody fixes."""
        free = {axis for part in model.network.parts for axis in part.axes} - set(recipe.options.get("sizes", {}))
        return f"LiteRT takes fixed shapes only, and {', '.join(sorted(free))} vary" if free else ""

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
        """Write ``PART.tflite``, and ``PART.json`` that describes it, for every part (see `edgekit.core.Exporter`).

        Raises:
            Unsupported: a precision, an option or an axis that is not possible. BadInput: calibration samples are too
            few or all the same. ExportFailed: a part cannot be converted, or the file is not what its precision says.
        """
        wish = _wish(model, recipe)
        from edgekit.exporters.litert import export as litert_export

        return litert_export.export(model, checkpoint, recipe.precision, wish, calibration, out, work, progress)

    def load(self, file: Path, threads: int) -> Runner:
        """Open ``PART.tflite``. Raises BadInput if it is damaged or LiteRT refuses it."""
        from edgekit.exporters.litert import runner

        return runner.load(file, threads)


#: Option -> the values it may have, where they are few.
_CHOICES = {
    "form": ("static", "dynamic", "weight-only"), "calibration": ("min-max", "percentile"), "io": ("float", "int8"),
    "weights": ("per-channel", "per-tensor"),
}  # fmt: skip
_OPTIONS = (*_CHOICES, "float_layers", "float_parts", "sizes")


def _wish(model: Model, recipe: Recipe) -> Wish:
    """The recipe's options, checked.

    Raises:
        Unsupported: for a precision, an option, a value, a part or an axis that does not exist.
    """
    precision.check(LitertExporter.name, LitertExporter.precisions, recipe)
    given: dict[str, Any] = dict(recipe.options)
    for name, value in given.items():
        if name not in _OPTIONS:
            raise Unsupported(f"the litert exporter has no option {name!r}.", hint=f"It has: {', '.join(_OPTIONS)}.")
        if name in _CHOICES and value not in _CHOICES[name]:
            raise Unsupported(
                f"the litert exporter's option {name} has no value {value!r}.",
                hint=f"It has: {', '.join(_CHOICES[name])}.",
            )
    _check_names(model.name, "part", given.get("float_parts", ()), [part.name for part in model.network.parts])
    axes = {name: axis for part in model.network.parts for name, axis in part.axes.items()}
    sizes = given.get("sizes", {})
    _check_names(model.name, "dynamic axis", sizes, list(axes))
    for name, size in sizes.items():
        axis = axes[name]
        if not isinstance(size, int) or not axis.least <= size <= axis.most or size % axis.multiple:
            raise Unsupported(
                f"the axis {name!r} of {model.name} cannot have the size {size!r}.",
                hint=f"It may have {axis.least} to {axis.most} in steps of {axis.multiple}.",
            )
    if given.get("io") == "int8" and given.get("form", "static") != "static":
        raise Unsupported('"io": "int8" needs the static form: others compute with float activations.')
    layers = given.get("float_layers", ())
    return Wish(
        form="static" if given.get("io") == "int8" else given.get("form"),
        ranges=given.get("calibration"),
        io=given.get("io", "float"),
        float_layers=layers if isinstance(layers, int) else tuple(layers),
        float_parts=tuple(given.get("float_parts", ())),
        sizes=dict(sizes),
        weights=given.get("weights", "per-channel"),
    )


def _check_names(model: str, what: str, names: Any, known: Sequence[str]) -> None:
    for name in names:
        if name not in known:
            raise Unsupported(
                f"{model} has no {what} {name!r} to set an option for.", hint=f"It has: {', '.join(known) or 'none'}."
            )


EXPORTER = LitertExporter()
