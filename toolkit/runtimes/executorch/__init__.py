"""ExecuTorch with XNNPACK on the processor: .pte files, with a description beside each."""

from __future__ import annotations

from pathlib import Path

from edgekit.core import Abilities, Artifact, Lowering, Runner, Runtime


class Executorch(Runtime):
    """See `edgekit.core.Runtime`."""

    name = "executorch"
    formats = ("executorch",)
    distributions = ("executorch",)
    abilities = Abilities((8,), ("channel",), activations=("static", "dynamic"), integer=("convolution", "product"))
    extra = "executorch"
    #: With torch, which comes with the runtime here, and not on a phone: there 170 MB less (not measured).
    process_bytes = 244_000_000
    places = "XNNPACK"

    def load(self, file: Path, threads: int) -> Runner:
        """See `edgekit.core.Runtime`."""
        from edgekit.runtimes.executorch import runner

        return runner.load(file, threads)

    def lower(self, artifact: Artifact, folder: Path, about: Lowering) -> Artifact:
        """See `edgekit.core.Runtime`: counted in the file."""
        from edgekit.runtimes.executorch import placing

        return placing.place_part(artifact, folder)


RUNTIME = Executorch()
