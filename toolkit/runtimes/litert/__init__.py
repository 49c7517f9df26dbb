"""LiteRT on the processor: .tflite files, with a description beside each."""

from __future__ import annotations

from pathlib import Path

from edgekit.core import Abilities, Runner, Runtime


class Litert(Runtime):
    """See `edgekit.core.Runtime`."""

    name = "litert"
    formats = ("litert",)
    distributions = ("ai-edge-litert",)
    abilities = Abilities(
        (8,),
        ("tensor", "channel"),
        activations=("static", "dynamic", "float"),
        integer=("convolution", "product", "recurrent"),
    )
    extra = "litert"
    process_bytes = 56_500_000
    holds = "copied"

    def load(self, file: Path, threads: int) -> Runner:
        """See `edgekit.core.Runtime`."""
        from edgekit.runtimes.litert import runner

        return runner.load(file, threads)


RUNTIME = Litert()
