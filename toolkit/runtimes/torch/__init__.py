"""PyTorch: what computes the reference that every bundle is compared with. Nothing is exported for it."""

from __future__ import annotations

from pathlib import Path

from edgekit.core import Abilities, Runner, Runtime
from edgekit.errors import Unsupported


class Torch(Runtime):
    """See `edgekit.core.Runtime`."""

    name = "torch"
    formats = ()
    distributions = ("torch",)
    abilities = Abilities()
    extra = "export"
    doctor = "run networks in float, to compare bundles with"

    def load(self, file: Path, threads: int) -> Runner:
        """Raises Unsupported: a reference is made of a module (`edgekit.runtimes.torch.runner`), and of no file."""
        raise Unsupported(f"torch computes references, and opens no file such as {file.name}.")


RUNTIME = Torch()
