"""onnxruntime on the processor: ONNX files, packed or not."""

from __future__ import annotations

from pathlib import Path
from types import MappingProxyType

from edgekit.core import Abilities, Runner, Runtime


class Onnxruntime(Runtime):
    """See `edgekit.core.Runtime`."""

    name = "onnxruntime"
    formats = ("onnx",)
    distributions = ("onnxruntime",)
    abilities = Abilities(
        (3, 4, 5, 6, 7, 8),
        ("tensor", "channel"),
        blocks=(32, 64, 128),
        activations=("static", "dynamic"),
        integer=("convolution", "product", "recurrent"),
    )
    extra = "run"
    process_bytes = 76_000_000
    holds = "widened"
    #: The first layers of a network of pictures take as long in float as in integers (docs/vision.md). Products of
    #: [64 to 750, 192 to 2048] x [192 to 2048, 192 to 2048] on one core with VNNI: rows 1.2 to 1.8, float 1.7 to 2.7,
    #: blocks 2.1 to 3.3; on a newer core blocks took 5. Blocks of few rows take what dynamic takes.
    costs = MappingProxyType(
        {
            "first convolution": {"float": 1.0},
            "product": {"dynamic": 1.0, "blockwise": 1.0, "rows": 1.35, "float": 3.0},
        }
    )

    def load(self, file: Path, threads: int) -> Runner:
        """See `edgekit.core.Runtime`."""
        from edgekit.runtimes.onnxruntime.runner import OnnxRunner

        return OnnxRunner(file, threads)


RUNTIME = Onnxruntime()
