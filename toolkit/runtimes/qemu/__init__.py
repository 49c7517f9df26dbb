"""Firmware: generated C, which is compiled for this machine to prove answers, and for an emulated chip to count
instructions (`edgekit.targets.microcontroller`)."""

from __future__ import annotations

from pathlib import Path

from edgekit.core import Abilities, Runner, Runtime


class Qemu(Runtime):
    """See `edgekit.core.Runtime`."""

    name = "qemu"
    formats = ("c",)
    distributions = ()
    abilities = Abilities((8,), ("tensor", "channel"), activations=("static",), integer=("convolution", "product"))
    runs = "emulated"

    def load(self, file: Path, threads: int) -> Runner:
        """Compile a part for this machine and open it; one thread, as on the chip.

        Raises:
            BadInput: the folder was not exported by this process and has not passed `edgekit.core.Exporter.check`.
        """
        from edgekit.runtimes.qemu import build

        return build.load(file)


RUNTIME = Qemu()
