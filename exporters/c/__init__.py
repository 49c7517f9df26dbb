"""C for microcontrollers: an int8 .tflite becomes C99 without an interpreter, a heap or a library.

read (of a float network: the int8 that `edgekit.exporters.litert` makes of it) → lower to layers → plan the arena →
write C → compile on this machine → equal to TensorFlow Lite Micro bit for bit, on real inputs and random ones.
Frontends come as hand-written C with generated tables (`frontend.py`).

Float networks are taken where the model's declaration says `integers`: it then states flash and RAM, too. Not here:
float arithmetic inside a network, and what a chip needs around it (`edgekit.targets` packs that).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

from edgekit.core import Artifact, Checkpoint, Model, Progress, Recipe, Runner
from edgekit.errors import need
from edgekit.exporters.c.layouts import LAYOUTS
from edgekit.exporters.common import options
from edgekit.exporters.common.writer import Request, Writer

__all__ = ["EXPORTER", "CExporter"]


_OPTIONS = {"layout": options.values(*LAYOUTS), "flash": options.number, "ram": options.number}

_FLOATS = (
    "C is made of a .tflite that needs integer inputs and outputs, and weights of 8 bits. Make that first, with "
    "--runtime litert --precision int8 -o io=int8, then export the network.tflite in its bundle"
)


class CExporter(Writer):
    """See the module. Options of a recipe: ``layout`` ("plain", "dsp"), ``flash`` and ``ram`` (budgets in bytes)."""

    name = "c"
    precisions = ("int8",)
    extra = "micro"
    distributions = ("tflite-micro", "numpy")
    doctor = "export to c (firmware)"
    rules = _OPTIONS
    demands = ("integers",)
    plans_memory = True
    generates_code = True

    def write(self, request: Request) -> list[Artifact]:
        """Write ``src/PART.c`` and what it needs for every part, and ``golden/*.npy`` for the firmware's self-test.

        Raises:
            OverBudget: the network does not fit; checked before anything is generated. Unsupported: an operator or a
            part that is not built. ParityFailed: the C differs from the specification. ExportFailed: it does not
            compile.
        """
        from edgekit.exporters.c import export

        return export.export(request)

    def reference(self, model: Model, checkpoint: Checkpoint, work: Path, progress: Progress) -> Mapping[str, Runner]:
        """The specification of a ready network: TensorFlow Lite Micro, bit for bit."""
        from edgekit.runtimes.tflite_micro.runner import of_part

        return {part.name: of_part(checkpoint, part) for part in model.network.parts if part.build is None}

    def require(self) -> None:
        """See `edgekit.core.Exporter`: the specification."""
        with need("micro", "Exporting to C"):
            import tflite_micro  # noqa: F401

    def ladder(self, model: Model, recipe: Recipe) -> Sequence[Recipe]:
        """Nothing: there is one precision, and what does not fit in it does not fit."""
        return ()

    def refuses(self, model: Model, recipe: Recipe) -> str:
        """Networks that do not come as integers, unless their declaration says that they may be computed so."""
        if model.network.integers:
            return ""
        works = model.costs.work(recipe) if model.costs.work else ()
        if any(work.kind == "attention" for work in works):
            return "C has no products of sequences, of which this network is made"
        specs = [spec for part in model.network.parts for spec in (*part.inputs, *part.outputs)]
        floats = any(spec.dtype.startswith("float") for spec in specs)
        return _FLOATS if floats or model.network.ready else ""

    def check(self, model: Model, bundle: Path) -> None:
        """See that the C in a bundle of `model` is what this edgekit generates; raises BadInput, naming the file."""
        from edgekit.exporters.c import trust

        trust.check(model, bundle / "src")


EXPORTER = CExporter()
