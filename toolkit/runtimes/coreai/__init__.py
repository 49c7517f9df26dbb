"""Core AI: Apple's own runtime, which computes on Linux, too, on the processor alone.

It is a beta, and may crash: it runs in a process of its own. What the neural engine makes of a program, only an iPhone
or a Mac of system 27 tells.
"""

from __future__ import annotations

from importlib.util import find_spec
from pathlib import Path

from edgekit.core import Abilities, Runner, Runtime
from edgekit.errors import need

__all__ = ["RUNTIME", "Coreai"]


class Coreai(Runtime):
    """See `edgekit.core.Runtime`."""

    name = "coreai"
    formats = ("coreai",)
    distributions = ("coreai-core",)
    abilities = Abilities((8,), ("channel",), activations=("float",))
    extra = "coreai"
    holds = "mapped"
    runs = "simulated"
    untimed = "Core AI's runtime for Linux computes answers; how fast an iPhone is, it does not tell"

    def load(self, file: Path, threads: int) -> Runner:
        """Open ``PART.aimodel``. Raises BadInput if it is damaged or no asset that edgekit wrote."""
        with need("coreai", "Running a Core AI program"):
            if find_spec("coreai") is None:
                raise ImportError(name="coreai")
        from edgekit.runtimes.coreai.runner import CoreaiRunner

        return CoreaiRunner(file)


RUNTIME = Coreai()
