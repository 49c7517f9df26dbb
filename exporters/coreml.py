"""Core ML for iPhones: ML Programs (.mlpackage) in fp32, fp16, int8, and palettes of 64 and 16 values.

torch -> coremltools -> weights compressed -> a package that is the same bytes every time. On a Mac `load` runs Core ML.
Elsewhere it interprets the saved program (`_coreml_mil`), which proves the graph and the weights; what the neural
engine makes of them, only an iPhone or a Mac tells.
"""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from edgekit.core import Artifact, Checkpoint, Feeds, Model, Progress, Recipe, Runner
from edgekit.errors import Unsupported, need
from edgekit.exporters import _precision
from edgekit.exporters._coreml_quiet import quiet

__all__ = ["EXPORTER", "CoremlExporter"]

#: iOS version -> the first that can hold what an option asks for.
SYSTEMS = (16, 17, 18)


class CoremlExporter:
    """See `edgekit.core.Exporter`. Precisions: ``int8`` is linear with a scale for every output channel; ``int6`` and
    ``int4`` are palettes of 64 and 16 values. Activations are fp16 in all of these, and in parts that must stay float
    (frontends) fp32. Options of a recipe:

    ``ios``
        16, 17 or 18: the oldest system that must load it. Without it: 16, or what the precision needs.
    ``form``
        "palette" (the default) or "block" for int4: linear with a scale for every 32 weights of an output, iOS 18.
    """

    name = "coreml"
    precisions = ("fp32", "fp16", "int8", "int6", "int4")
    extra = "coreml"
    #: See `edgekit.core.Exporter`.
    untimed = (
        ""
        if sys.platform == "darwin"
        else "Core ML runs on Apple's systems only; here it is interpreted, which proves answers and tells no times"
    )

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
        """Write ``PART.mlpackage`` for every part of `model` into `out` (see `edgekit.core.Exporter.export`).

        Raises:
            Unsupported: a precision or an option that is not possible. ExportFailed: a part cannot be converted, or
            Core ML has no operator for it, named with the layer.
        """
        system, form = _options(recipe)
        with need("coreml", "Exporting to Core ML"), quiet():
            import coremltools  # noqa: F401
        from edgekit.exporters import _coreml_convert

        return [
            _coreml_convert.write(
                part, checkpoint, recipe.precision if part.quantize else "fp32", form, system, model, out, progress
            )
            for part in model.parts
        ]

    def load(self, file: Path, threads: int) -> Runner:
        """Open ``PART.mlpackage``. Raises BadInput if it is damaged or no program of ours."""
        with need("coreml", "Running a Core ML program"), quiet():
            import coremltools  # noqa: F401
        from edgekit.exporters import _coreml_runner

        if sys.platform == "darwin":
            return _coreml_runner.NativeRunner(file)
        return _coreml_runner.InterpretedRunner(file, threads)


def _options(recipe: Recipe) -> tuple[int, str]:
    """The oldest system and the form of int4."""
    given: dict[str, Any] = dict(recipe.options)
    _precision.check(CoremlExporter.name, CoremlExporter.precisions, recipe)
    for name in given:
        if name not in ("ios", "form"):
            raise Unsupported(f"the coreml exporter has no option {name!r}.", hint="It has: ios, form.")
    form = given.get("form", "palette")
    if form not in ("palette", "block") or (form == "block" and recipe.precision != "int4"):
        raise Unsupported(
            f"the coreml exporter's option form has no value {form!r} for {recipe.precision}.",
            hint="It has: palette, and block for int4.",
        )
    least = 18 if form == "block" else 16
    system = given.get("ios", least)
    if system not in SYSTEMS:
        raise Unsupported(f"the coreml exporter does not write for iOS {system}.", hint="ios is 16, 17 or 18.")
    if system < least:
        raise Unsupported(
            f"{form} weights need iOS {least}; iOS {system} was asked for.", hint="Use -o ios=18, or -o form=palette."
        )
    return int(system), form


EXPORTER = CoremlExporter()
