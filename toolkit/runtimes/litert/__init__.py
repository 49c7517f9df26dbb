"""LiteRT on the processor: .tflite files, with a description beside each."""

from __future__ import annotations

from pathlib import Path

from edgekit.core import Abilities, Artifact, Lowering, Runner, Runtime


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
    places = "XNNPACK"

    def load(self, file: Path, threads: int) -> Runner:
        """See `edgekit.core.Runtime`."""
        from edgekit.runtimes.litert import runner

        return runner.load(file, threads)

    def lower(self, artifact: Artifact, folder: Path, about: Lowering) -> Artifact:
        """See `edgekit.core.Runtime`: asked of the interpreter. Raises BadInput: LiteRT refuses the file."""
        from edgekit.runtimes.litert import placing

        return placing.place_part(artifact, folder)


RUNTIME = Litert()
