"""Core ML for iPhones: ML Programs (.mlpackage) in fp32, fp16, int8, and palettes of 64 and 16 values.

torch -> coremltools -> weights compressed -> a package that is the same bytes every time.
"""

from __future__ import annotations

from typing import Any

from edgekit.core import Artifact, Encoding, Model, Recipe
from edgekit.errors import Unsupported, need
from edgekit.exporters.common import options
from edgekit.exporters.common.writer import Request, Writer
from edgekit.exporters.coreml.compress import FORMS
from edgekit.runtimes.coreml.quiet import quiet

__all__ = ["EXPORTER", "CoremlExporter"]

SYSTEMS = (16, 17, 18)
#: Precisions that make weights smaller than fp16 does.
SMALL = ("int8", "int6", "int4")
_OPTIONS = {
    "ios": options.values(*SYSTEMS),
    "form": options.values(*FORMS),
    "keep": options.values("measured", "none"),
    "shapes": options.values("range", "enumerated"),
}


class CoremlExporter(Writer):
    """See `edgekit.core.Exporter`. Precisions: ``int8`` is linear with a scale for every output channel; ``int6`` and
    ``int4`` are palettes of 64 and 16 values. Activations are fp16 in all of these, and in parts that must stay float
    (frontends) fp32. Options of a recipe:

    ``ios``
        16, 17 or 18: the oldest system that must load it. Without it: the first that reads the form of the weights.
    ``form``
        of int6 and int4: "grouped" (the default: a palette for every 8 output channels, iOS 18) or "palette" (one a
        layer, iOS 16); of int4 also "block": linear with a scale for every 32 weights of an output, iOS 18.
    ``keep``
        "measured" (the default): layers that alone move the answers most keep more bits, or "none".
    ``shapes``
        "range" (the default), or "enumerated": axes that name their sizes have no others, which the neural engine
        plans for; other axes stay ranges.
    """

    name = "coreml"
    precisions = ("fp32", "fp16", *SMALL)
    extra = "coreml"
    distributions = ("torch", "coremltools", "scikit-learn", "numpy")
    doctor = "export to Core ML"
    rules = _OPTIONS
    demands = ("filled", "plain names", "planned axes", "module")
    #: More verbose than others. A recurrent layer stays float32 whatever the precision.
    encoding = Encoding(4000, {"": 1600}, 0, channel=4, convolution=4, block=0, rows=True, halves=True, floats=True)

    def check_recipe(self, model: Model, recipe: Recipe) -> None:
        """See `edgekit.core.Exporter`."""
        self._wish(model, recipe)

    def refuses(self, model: Model, recipe: Recipe) -> str:
        """Options that do not go together, and weights that would not become smaller."""
        try:
            self._wish(model, recipe)
        except Unsupported as exc:
            return f"{exc.message.rstrip('.')} ({exc.hint.rstrip('.')})"
        works = model.costs.work(recipe) if model.costs.work and recipe.precision in SMALL else ()
        recurrent = sum(work.weights for work in works if work.kind == "recurrent")
        if 2 * recurrent > sum(work.weights for work in works):
            return (
                "Core ML's converter keeps the weights of recurrent layers in fp32, and most of these are: in "
                f"{recipe.precision} the bundle would be no smaller"
            )
        return ""

    def write(self, request: Request) -> list[Artifact]:
        """Write ``PART.mlpackage`` for every part of the model.

        Raises:
            ExportFailed: a part cannot be converted, or Core ML has no operator for it, named with the layer.
        """
        wish = self._wish(request.model, request.recipe)
        self.require()
        from edgekit.exporters.coreml import convert

        return [
            convert.write(
                request, part, convert.Wish(**(wish if part.quantize else {**wish, "precision": "fp32", "form": ""}))
            )
            for part in request.parts
        ]

    def require(self) -> None:
        """See `edgekit.core.Exporter`."""
        with need("coreml", "Exporting to Core ML"), quiet():
            import coremltools  # noqa: F401

    def _wish(self, model: Model, recipe: Recipe) -> dict[str, Any]:
        """The fields of `edgekit.exporters.coreml.convert.Wish`, checked before anything heavy is loaded."""
        super().check_recipe(model, recipe)
        given = recipe.options
        form, least = _form(recipe.precision, given.get("form"), int(given.get("ios", SYSTEMS[-1])))
        return {
            "precision": recipe.precision,
            "form": form,
            "system": int(given.get("ios", least)),
            "keep": given.get("keep", "measured") == "measured",
            "shapes": given.get("shapes", "range"),
        }


def _form(precision: str, wanted: str | None, system: int) -> tuple[str, int]:
    """The form of the weights, and the first iOS that reads it.

    Raises:
        Unsupported: the precision has no such form, or `system` is too old for it.
    """
    having = {name: form for name, form in FORMS.items() if precision in form.precisions}
    if wanted is not None and wanted not in having:
        raise Unsupported(
            f"the coreml exporter's option form has no value {wanted!r} for {precision}.",
            hint=f"It has: {', '.join(having) or 'none'}.",
        )
    if not having:
        return "", SYSTEMS[0]
    name = wanted or next(name for name, form in having.items() if form.system <= system)
    if having[name].system > system:
        raise Unsupported(
            f"{precision} weights of the form {name} ({having[name].what}), for every layer, need iOS "
            f"{having[name].system}; iOS {system} was asked for.",
            hint=f"Use -o ios={having[name].system}, or leave the form to the exporter.",
        )
    return name, having[name].system


EXPORTER = CoremlExporter()
