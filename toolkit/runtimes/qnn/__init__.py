"""Qualcomm's neural processor (HTP) through onnxruntime: ONNX files, compiled ahead for a chip.

Here Qualcomm's simulator computes what the processor would. It proves answers; it has no times, and it does not tell
one chip from another. The libraries are under a licence of Qualcomm's own (docs/accelerators.md).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from types import MappingProxyType

from edgekit.core import Abilities, Artifact, Case, Constraint, Feeds, Lowering, Model, Recipe, Runner, Runtime
from edgekit.errors import Unsupported, need

__all__ = ["PACKAGE", "RUNTIME", "Qnn"]

PACKAGE = "onnxruntime-qnn"
#: Least signal to noise (dB) beside the processor, with the same file: of float, of activations of 16 and of 8 bits.
_FLOAT, _WIDE, _BYTES = 40.0, 50.0, 22.0


class Qnn(Runtime):
    """See `edgekit.core.Runtime`."""

    name = "qnn"
    formats = ("onnx",)
    distributions = ("onnxruntime", PACKAGE)
    abilities = Abilities(
        (8,), ("tensor", "channel"), activations=("static", "static-16"), integer=("convolution", "product")
    )
    extra = "qnn"
    doctor = "export for Qualcomm's neural processor, and ask its simulator"
    runs = "simulated"
    untimed = "Qualcomm's processor is simulated here, which proves answers and tells no times"
    process_bytes = 330_000_000
    holds = "mapped"
    terms = MappingProxyType(
        {
            PACKAGE: "Qualcomm's AI Stack License (Qualcomm_LICENSE.pdf in the package), not MIT as its metadata says: "
            "to develop, benchmark, and redistribute inside an application only; it advises against identifying people "
            "by biometrics"
        }
    )
    cpu = "onnxruntime"
    places = "Qualcomm HTP"
    #: Context binaries of five networks beside their files: 1.0 (22 MB) to 1.6 (0.2 MB), efficientnet-lite0 1.2.
    compiled = 1.2
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
            "a negation of five axes",
            "a product with -1",
            "Neg of more than four axes stays on the CPU, and cuts proteinmpnn in two",
        ),
        Constraint(
            "a sigmoid in coarse steps",
            "an exponential where it is an answer",
            "Sigmoid in float has steps of 0.0005 on the simulator, and gives 0 for a probability of 0.0001",
        ),
        Constraint(
            "products and sums with scalars",
            "weights of convolutions that hold them",
            "each value is rounded to half precision: the recogniser of pp-ocr-v4 is 38 dB away, and 43 with fewer",
        ),
        Constraint(
            "a gelu in coarse steps",
            "an exponential in its place",
            "Gelu in float has steps of 0.0005 times its input, and 8.008 of 8, on the simulator: the encoder of "
            "whisper-tiny-en is 34 dB away, and 50 without",
        ),
        Constraint(
            "an exponential far from 0",
            "bounds of 80",
            "Exp of less than -88 gives -131,000, and of more than 88 gives 0, on the simulator",
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

    def require(self) -> None:
        """See `edgekit.core.Runtime`: its absence must show before minutes of work."""
        with need("qnn", "Exporting for Qualcomm's processor"):
            import onnxruntime_qnn  # noqa: F401

    def refuses(self, model: Model, recipe: Recipe) -> str:
        """See `edgekit.core.Runtime`: single precision."""
        return "Qualcomm's processor computes floats in half precision: take fp16" if recipe.precision == "fp32" else ""

    def least_signal(self, recipe: Recipe, quantized: bool) -> float:
        """See `edgekit.core.Runtime`: its float is half precision."""
        if not quantized:
            return _FLOAT
        return _WIDE if recipe.options.get("activations") == 16 else _BYTES

    def lower(self, artifact: Artifact, folder: Path, about: Lowering) -> Artifact:
        """See `edgekit.core.Runtime`: context binaries for the chip, one for each of the part's usual sizes.

        Raises:
            Unsupported: no board is named, or one without such a processor.
        """
        if about.board is None or about.board.runtime != self.name:
            raise Unsupported(
                "Qualcomm's compiler needs to know the chip.", hint="Name it, such as: --runtime qnn --board sm8650"
            )
        from edgekit.runtimes.qnn import lowering

        return lowering.lower(artifact, folder, about, about.board)

    def load(self, file: Path, threads: int) -> Runner:
        """Open ``PART.onnx``: on the simulator where there is a context binary beside it, else on the processor."""
        from edgekit.runtimes.qnn import runner

        return runner.load(file, threads)

    def find_wrong_layer(self, file: Path, feeds: Feeds) -> str:
        """See `edgekit.core.Runtime`: by bisection over prefixes of the graph."""
        from edgekit.runtimes.qnn import bisection, runner

        return bisection.find_wrong_layer(file, feeds, runner.unit_of(file))

    def cases(self, parts: Mapping[str, tuple[Path, Sequence[Feeds], bool]], recipe: Recipe) -> Iterable[Case]:
        """See `edgekit.core.Runtime`: the forms that the simulator computes wrongly, their repairs, and the parts."""
        from edgekit.runtimes.qnn import forms

        return forms.list_cases(
            {part: (file, feeds, self.least_signal(recipe, whole)) for part, (file, feeds, whole) in parts.items()}
        )


RUNTIME = Qnn()
