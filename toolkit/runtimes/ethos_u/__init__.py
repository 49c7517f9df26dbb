"""Arm's Ethos-U beside a Cortex-M: Vela, Arm's compiler, says what the processor beside it has left to do.

The files are those of firmware, whose C the Cortex-M computes; the .tflite beside the C is what Vela compiles. No model
of the Ethos-U runs here, so what it computes is not measured: its cycles are Vela's estimate.
"""

from __future__ import annotations

from pathlib import Path

from edgekit.core import Abilities, Artifact, Lowering, Runner, Runtime
from edgekit.errors import need

__all__ = ["RUNTIME", "EthosU"]


class EthosU(Runtime):
    """See `edgekit.core.Runtime`."""

    name = "ethos-u"
    formats = ("c",)
    distributions = ("ethos-u-vela",)
    abilities = Abilities((8,), ("tensor", "channel"), activations=("static",), integer=("convolution", "product"))
    extra = "ethos-u"
    doctor = "compile for Arm Ethos-U"
    runs = "emulated"
    cpu = "qemu"
    places = "Ethos-U"

    def load(self, file: Path, threads: int) -> Runner:
        """The part on the Cortex-M, which computes the same (see `cpu`)."""
        from edgekit.registry import find

        return find("runtimes", self.cpu).load(file, threads)

    def require(self) -> None:
        """See `edgekit.core.Runtime`: the compiler."""
        with need("ethos-u", "Compiling for an Ethos-U"):
            import ethosu.vela  # noqa: F401

    def lower(self, artifact: Artifact, folder: Path, about: Lowering) -> Artifact:
        """Write ``ethos-u/PART.tflite``, for Arm's driver, of the .tflite beside the part's C; a frontend has none.

        Raises:
            ExportFailed: Vela refuses it, takes too long, or writes what cannot be read. MissingExtra: no Vela.
        """
        from edgekit.runtimes.ethos_u.compiling import place_part

        self.require()
        return place_part(artifact, folder, about.board.unit if about.board and about.board.unit else "Ethos-U55-128")


RUNTIME = EthosU()
