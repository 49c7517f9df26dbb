"""Qualcomm's HTP: what its compiler takes, and what it computes wrongly. (A stand-in; loads files on the CPU.)"""

from __future__ import annotations

from pathlib import Path

from edgekit.core import Abilities, Constraint, Runner, Runtime


class Qnn(Runtime):
    """See `edgekit.core.Runtime`."""

    name = "qnn"
    formats = ("onnx",)
    distributions = ("onnxruntime",)
    abilities = Abilities(
        (8,), ("tensor", "channel"), activations=("static", "static-16"), integer=("convolution", "product")
    )
    extra = "run"
    constraints = (
        Constraint(
            "ranges of each call",
            "ranges fixed by calibration",
            "the compiler leaves MatMulIntegerToFloat and MatMulNBits of two axes on the CPU, in 22 pieces of "
            "all-minilm-l6-v2",
        ),
        Constraint(
            "float results of integer layers",
            "quantized results",
            "a Gemm or a convolution that reads integers and gives float stays on the CPU",
        ),
        Constraint(
            "integer products of sequences",
            "convolutions of one position",
            "MatMul of activations of 16 bits is 45 dB away, or noise (-3 dB), on the simulator; a convolution is 84",
        ),
        Constraint(
            "a cast from bytes to float",
            "a cast through int32",
            "the direct cast gives 1 for every value but 0, on the simulator",
        ),
        Constraint(
            "a convolution of moved inputs",
            "an operator between",
            "Conv 10 x 4 of an input whose channels come last is noise (1.2 dB), on the simulator",
        ),
        Constraint(
            "16-bit steps of a normalization",
            "an operator between",
            "a convolution of LayerNormalization in steps of 16 bits is noise (-1 dB), on the simulator",
        ),
        Constraint(
            "int4 without a zero point",
            "a zero point of zeros",
            "such weights come out as noise (-10 dB), on the simulator",
        ),
        Constraint(
            "scales along the depth",
            "a scale for each output",
            "MatMul with a scale for every input is 12 dB away, on the simulator",
        ),
        Constraint("a single scale of blocks", "float weights", "MatMulNBits with one scale gives 0, on the simulator"),
    )

    def load(self, file: Path, threads: int) -> Runner:
        """See `edgekit.core.Runtime`."""
        from edgekit.runtimes.onnxruntime.runner import OnnxRunner

        return OnnxRunner(file, threads)


RUNTIME = Qnn()
