"""Core ML: on a Mac Apple's runtime; elsewhere the saved program is interpreted (`interpreter/`).

That proves the graph and the weights. What the neural engine makes of them, only an iPhone or a Mac tells.
"""

from __future__ import annotations

import sys
from pathlib import Path

from edgekit.core import Abilities, Runner, Runtime
from edgekit.errors import need

_MAC = sys.platform == "darwin"


class Coreml(Runtime):
    """See `edgekit.core.Runtime`."""

    name = "coreml"
    formats = ("coreml",)
    distributions = ("coremltools",)
    abilities = Abilities((8, 4), ("channel",), blocks=(32,), palettes=(6, 4), activations=("float",))
    extra = "coreml"
    holds = "mapped"
    runs = "native" if _MAC else "interpreted"
    untimed = (
        ""
        if _MAC
        else "Core ML runs on Apple's systems only; here it is interpreted, which proves answers and tells no times"
    )

    def load(self, file: Path, threads: int) -> Runner:
        """Open ``PART.mlpackage``. Raises BadInput if it is damaged or no program that edgekit wrote."""
        from edgekit.runtimes.coreml.quiet import quiet

        with need("coreml", "Running a Core ML program"), quiet():
            import coremltools  # noqa: F401
        from edgekit.runtimes.coreml import runner

        return runner.NativeRunner(file) if _MAC else runner.InterpretedRunner(file, threads)


RUNTIME = Coreml()
