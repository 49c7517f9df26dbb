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
    #: The first layers of a network of pictures take as long in float as in integers (docs/vision.md).
    costs = MappingProxyType({"first convolution": {"float": 1.0}})

    def load(self, file: Path, threads: int) -> Runner:
        """See `edgekit.core.Runtime`."""
        from edgekit.runtimes.onnxruntime.runner import OnnxRunner

        return OnnxRunner(file, threads)


RUNTIME = Onnxruntime()
