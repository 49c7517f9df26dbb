"""llama.cpp on the processor: language models as .gguf files, through its C API."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from edgekit.core import Abilities, Runtime

if TYPE_CHECKING:
    from edgekit.runtimes.llama_cpp.runner import LlamaRunner


class LlamaCpp(Runtime):
    """See `edgekit.core.Runtime`."""

    name = "llama-cpp"
    formats = ("gguf",)
    distributions = ("llama-cpp-python",)
    abilities = Abilities(
        (8, 6, 5, 4, 3, 2, 1), blocks=(32, 256), palettes=(4,), activations=("dynamic",), integer=("product",)
    )
    extra = "slm"

    def load(self, file: Path, threads: int) -> LlamaRunner:
        """Open a .gguf. Raises BadInput if it is damaged or llama.cpp refuses it."""
        from edgekit.runtimes.llama_cpp.runner import LlamaRunner

        return LlamaRunner(file, threads)


RUNTIME = LlamaCpp()
