"""onnxruntime-web: ONNX files in a browser, computed in WebAssembly.

On this machine the same files run in onnxruntime, which has the same operators. What a browser makes of them, and how
fast, is measured in one: ``bench --device chromium``.
"""

from __future__ import annotations

from pathlib import Path
from types import MappingProxyType

from edgekit.core import Abilities, Constraint, Runner, Runtime


class OnnxruntimeWeb(Runtime):
    """See `edgekit.core.Runtime`."""

    name = "onnxruntime-web"
    formats = ("onnx",)
    distributions = ("onnxruntime",)
    abilities = Abilities(
        (8,),
        ("tensor", "channel"),
        activations=("static", "dynamic"),
        integer=("product", "recurrent"),
    )
    extra = "run"
    process_bytes = 76_000_000
    holds = "widened"
    constraints = (
        Constraint(
            "scales of blocks",
            "a scale for each output",
            "in WebAssembly MatMulNBits takes ten times as long as float (254 ms a step of whisper-base for 24)",
        ),
        Constraint(
            "integer convolutions",
            "weights cast to float",
            "in WebAssembly efficientnet-lite0 in static int8 takes 1.4 times as long as in float",
        ),
        Constraint(
            "limits in front of a leaky ReLU",
            "a leaky ReLU right behind its convolution",
            "in WebAssembly one of its own is computed value by value, one in a convolution four values at once",
        ),
        Constraint(
            "a limit of its own",
            "a maximum and a minimum",
            "in WebAssembly Clip takes seven times as long as Max: a fifth of openwakeword-hey-jarvis's time",
        ),
    )
    #: Of the encoder of whisper-base in Chromium on one thread. What is computed in float is held in float, and counts
    #: for its memory as well: a page has a gigabyte at most, and gives none of it back.
    costs = MappingProxyType(
        {
            "product": {"dynamic": 1.0, "rows": 1.15, "int16": 2.0, "float": 2.2},
        }
    )

    def load(self, file: Path, threads: int) -> Runner:
        """See `edgekit.core.Runtime`."""
        from edgekit.runtimes.onnxruntime.runner import OnnxRunner

        return OnnxRunner(file, threads)


RUNTIME = OnnxruntimeWeb()
