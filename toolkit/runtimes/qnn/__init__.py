"""Qualcomm's neural processor (HTP) through onnxruntime: ONNX files, compiled ahead for a chip.

Here Qualcomm's simulator computes what the processor would. It proves answers; it has no times, and it does not tell
one chip from another. The libraries are under a licence of Qualcomm's own (docs/accelerators.md).
"""

from __future__ import annotations

from pathlib import Path
from types import MappingProxyType

from edgekit.core import Abilities, Artifact, Feeds, Lowering, Model, Recipe, Runner, Runtime
from edgekit.errors import Unsupported, need

__all__ = ["PACKAGE"]

PACKAGE = "onnxruntime-qnn"


class Qnn(Runtime):
    """See `edgekit.core.Runtime`."""

    name = "qnn"
    formats = ("onnx",)
    distributions = (PACKAGE, "onnxruntime")
    abilities = Abilities((8,), ("tensor", "channel"), activations=("static",), integer=("convolution", "product"))
    extra = "qnn"
    doctor = "export for Qualcomm's neural processor, and ask its simulator"
    runs = "simulated"
    untimed = "Qualcomm's processor is simulated here, which proves answers and tells no times"
    process_bytes = 330_000_000
    holds = "mapped"
    cpu = "onnxruntime"
    #: A float part of any recipe counts as fp16.
    least = MappingProxyType({"fp16": 40.0, "int8": 22.0})

    def require(self) -> None:
        """See `edgekit.core.Runtime`: its absence must show before minutes of work."""
        with need("qnn", "Exporting for Qualcomm's processor"):
            import onnxruntime_qnn  # noqa: F401

    def refuses(self, model: Model, recipe: Recipe) -> str:
        """See `edgekit.core.Runtime`: single precision."""
        return "Qualcomm's processor computes floats in half precision: take fp16" if recipe.precision == "fp32" else ""

    def lower(self, artifact: Artifact, folder: Path, about: Lowering) -> Artifact:
        """See `edgekit.core.Runtime`: context binaries for the chip, one for each of the part's usual sizes.

        Raises:
            Unsupported: no board is named, or one without such a processor.
        """
        if about.board is None or about.board.runtime != self.name:
            raise Unsupported(
                "Qualcomm's compiler needs to know the chip.", hint="Name it, such as: --runtime qnn --board sm8650"
            )
        from edgekit.runtimes.qnn import lowering

        return lowering.lower(artifact, folder, about, about.board)

    def load(self, file: Path, threads: int) -> Runner:
        """Open ``PART.onnx``: on the simulator where there is a context binary beside it, else on the processor."""
        from edgekit.runtimes.qnn import runner

        return runner.load(file, threads)

    def find_wrong_layer(self, file: Path, feeds: Feeds) -> str:
        """See `edgekit.core.Runtime`: by bisection over prefixes of the graph."""
        from edgekit.runtimes.qnn import bisection, runner

        return bisection.find_wrong_layer(file, feeds, runner.unit_of(file))


RUNTIME = Qnn()
