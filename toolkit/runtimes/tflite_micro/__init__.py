"""TensorFlow Lite Micro's interpreter on this machine: what firmware of an int8 .tflite must equal, bit for bit."""

from __future__ import annotations

from pathlib import Path

from edgekit.core import Abilities, Runner, Runtime


class TfliteMicro(Runtime):
    """See `edgekit.core.Runtime`."""

    name = "tflite-micro"
    formats = ("litert",)
    distributions = ("tflite-micro",)
    abilities = Abilities((8,), ("tensor", "channel"), activations=("static",), integer=("convolution", "product"))
    extra = "micro"
    untimed = "it has the plain kernels of microcontrollers, which tell nothing of this machine or of a chip"

    def load(self, file: Path, threads: int) -> Runner:
        """See `edgekit.core.Runtime`; one thread, as on a chip."""
        from edgekit.runtimes.tflite_micro import runner

        return runner.load(file)


RUNTIME = TfliteMicro()
