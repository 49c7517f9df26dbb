"""LiteRT (.tflite) for phones and microcontrollers: fp32, fp16 storage, int8; and ready .tflite files as they are.

torch → litert-torch → a tidy fp32 file → ai-edge-quantizer → buffers inside, checked by our own reader. Image networks
take NHWC pixels where their module does (`x.permute(0, 3, 1, 2)` first): the converter folds the transposes away.

A part's only axis stays dynamic where it may be padded (`dynamic`). Not here: other dynamic axes, and frontends that
are no torch module.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from edgekit.core import Artifact, Checkpoint, Encoding, Facts, Json, Model, Progress, Recipe, Runner
from edgekit.errors import Unsupported
from edgekit.exporters.common import options
from edgekit.exporters.common.writer import Request, Writer
from edgekit.exporters.litert.wish import Wish, unkept_axes

__all__ = ["EXPORTER", "LitertExporter"]


#: Layers that stay float in the second int8 of the ladder.
_FLOATS = 4
_OPTIONS = {
    "form": options.each_part(options.values("static", "dynamic", "weight-only")),
    "ranges": options.each_part(options.values("min-max", "percentile")),
    "io": options.values("float", "int8"),
    "weights": options.values("per-channel", "per-tensor"),
    "float_layers": options.each_part(options.layers_or_count),
    "float_parts": options.parts,
    "sizes": options.sizes,
}


class LitertExporter(Writer):
    """See `edgekit.core.Exporter`. Options of a recipe, all for int8 but the last:

    ``form``
        "static", "dynamic" or "weight-only" (see `int8`). Without it: static where convolutions do most of the
        work, else whichever of static and dynamic is closer to float on the calibration samples.
    ``ranges``
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
    distributions = ("torch", "litert-torch", "ai-edge-quantizer", "ai-edge-litert", "numpy")
    doctor = "export to LiteRT"
    rules = _OPTIONS
    takes = ("tflite",)
    demands = ("fixed axes", "one axis", "planned axes", "module")
    #: A recurrence is written out, some fifty operators a step; a convolution's bias has a zero point and a scale of
    #: its own; what lies beyond an end is a table; a normalization is a factor and a sum.
    encoding = Encoding(sequences=0, convolution=14, block=0, mirrored=1, normed=2)

    def check_recipe(self, model: Model, recipe: Recipe) -> None:
        """See `edgekit.core.Exporter`."""
        super().check_recipe(model, recipe)
        _wish(recipe)

    def defaults(self, model: Model, precision: str) -> Facts:
        """See `edgekit.core.Exporter`: fixed sizes, and the form of int8."""
        axes = {name: axis.fixed for part in model.network.parts for name, axis in part.axes.items() if axis.fixed}
        facts: dict[str, Json] = {"sizes": axes} if axes else {}
        if precision == "int8":
            calls = {part.name: "dynamic" for part in model.network.parts if part.int8 == "calls"}
            layers = options.float_layers(model)
            facts |= {**({"form": calls} if calls else {}), **({"float_layers": layers} if layers else {})}
        return facts

    def careful(self, model: Model, recipe: Recipe) -> Sequence[Facts]:
        """The most sensitive layers in float."""
        return [{"float_layers": _FLOATS}]

    def refuses(self, model: Model, recipe: Recipe) -> str:
        """Axes that nobody fixes, but one that may be padded."""
        sizes = recipe.options.get("sizes", {})
        free = {axis for part in model.network.parts for axis in unkept_axes(part, sizes)}
        return f"LiteRT takes fixed shapes only, and {', '.join(sorted(free))} vary" if free else ""

    def reference(self, model: Model, checkpoint: Checkpoint, work: Path, progress: Progress) -> Mapping[str, Runner]:
        """The ready .tflite in LiteRT itself: parity then says that nothing was changed, and that it runs."""
        from edgekit.exporters.litert.export import ready_file
        from edgekit.formats import tflite
        from edgekit.runtimes.litert.runner import open_runner

        runners = {}
        for part in model.network.parts:
            if part.build is None and (content := ready_file(checkpoint, part)) is not None:
                graph = tflite.read(content, dynamic=True)
                runners[part.name] = open_runner(content, 1, (part.inputs, part.outputs), checkpoint.path.name, graph)
        return runners

    def write(self, request: Request) -> list[Artifact]:
        """Write ``PART.tflite``, and ``PART.json`` that describes it, for every part.

        Raises:
            Unsupported: an axis that is not possible. BadInput: calibration samples are too few or all the same.
            ExportFailed: a part cannot be converted, or the file is not what its precision says.
        """
        from edgekit.exporters.litert import export

        return export.export(request, _wish(request.recipe))


def _wish(recipe: Recipe) -> Wish:
    """Checked options of a recipe. Raises Unsupported where they do not go together."""
    wish = Wish(**recipe.options)
    if wish.io != "int8":
        return wish
    if {*(wish.form.values() if isinstance(wish.form, Mapping) else [wish.form or "static"])} != {"static"}:
        raise Unsupported('"io": "int8" needs the static form: others compute with float activations.')
    return replace(wish, form="static")


EXPORTER = LitertExporter()
