"""int16 activations with int8 weights: every kernel and a whole network, bit for bit equal to TensorFlow Lite Micro."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
from ai_edge_litert import schema_py_generated as schema
from helpers.cases.c_networks import FAST, SANITIZED, Batch, specs
from helpers.cases.tflite_int16 import MAKERS, WIDE, network, stream
from helpers.cases.tflite_models import Builder, Case
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from edgekit.core import Part, TensorSpec
from edgekit.errors import Unsupported
from edgekit.exporters.c import arena, generate
from edgekit.exporters.c.lowering import graph
from edgekit.formats.tflite import reader
from edgekit.runtimes.tflite_micro.runner import MicroRunner

pytestmark = pytest.mark.thorough

pairs = st.tuples(st.integers(1, 4), st.integers(1, 4))
cases = st.builds(
    Case,
    dtype=st.just("int16"),
    seed=st.integers(0, 10_000),
    height=st.integers(2, 11),
    width=st.integers(3, 9),
    channels=st.sampled_from([1, 2, 3, 4, 5, 8, 17, 33]),
    outputs=st.sampled_from([1, 2, 3, 4, 9, 16]),
    kernel=pairs,
    stride=st.tuples(st.integers(1, 3), st.integers(1, 3)),
    dilation=st.sampled_from([(1, 1), (1, 1), (2, 1), (2, 2)]),
    same=st.booleans(),
    activation=st.sampled_from([0, 0, 1, 3]),
    multiplier=st.sampled_from([1, 1, 2, 3]),
    zero=st.integers(-128, 127),
    per_channel=st.booleans(),
).filter(lambda case: case.same or (case.size(0) > 0 and case.size(1) > 0))


def fitting(case: Case, name: str) -> Case:
    """`case`, with what an operator does not take changed to what it takes."""
    if "POOL" in name and case.dilation != (1, 1):
        return Case(**{**vars(case), "dilation": (1, 1)})
    if name == "CONV_2D" and case.dilation != (1, 1) and case.stride != (1, 1):
        return Case(**{**vars(case), "stride": (1, 1), "same": True})
    return case


def feeds(inputs: Sequence[TensorSpec], rng: np.random.Generator) -> dict[str, NDArray[np.generic]]:
    made: dict[str, NDArray[np.generic]] = {}
    for spec in inputs:
        shape = tuple(int(size) for size in spec.shape)
        if spec.dtype == "float32":
            made[spec.name] = (rng.standard_normal(shape) * 3).astype(np.float32)
        elif rng.integers(4) == 0:  # only the extremes
            info = np.iinfo(spec.dtype)
            made[spec.name] = rng.choice(np.array([info.min, info.max], spec.dtype), shape)
        else:
            info = np.iinfo(spec.dtype)
            made[spec.name] = rng.integers(info.min, info.max + 1, shape).astype(spec.dtype)
    return made


def differences(batch: Batch, contents: Sequence[bytes], calls: int = 4) -> list[tuple[int, str]]:
    """What differs from the specification: the network's number, and how."""
    found = []
    for i, content in enumerate(contents):
        runner = batch.runner(i)
        specification = MicroRunner(content, runner.inputs, runner.outputs)
        rng = np.random.default_rng(i)
        for _ in range(calls):
            given_ = feeds(runner.inputs, rng)
            expected, actual = specification(given_), runner(given_)
            for name, value in expected.items():
                if not np.array_equal(value, actual[name]):
                    off = np.abs(value.astype(float) - actual[name]).max()
                    found.append((i, f"{name}: {(value != actual[name]).sum()} values, by {off} at most"))
    return found


#: Operators that are compiled together: a compiler's start costs more than a network.
FAMILIES = {
    "products": ("CONV_2D", "DEPTHWISE_CONV_2D", "FULLY_CONNECTED", WIDE),
    "windows": ("AVERAGE_POOL_2D", "MAX_POOL_2D", "MEAN", "SOFTMAX"),
    "two operands": ("ADD", "SUB", "MUL"),
    "one operand": ("LOGISTIC", "TANH", "RELU", "RELU6", "QUANTIZE", "DEQUANTIZE"),
    "moves": ("CONCATENATION", "PAD", "PADV2", "RESHAPE", "SPLIT", "SPLIT_V", "STRIDED_SLICE", "TRANSPOSE"),
}


def test_every_operator_has_a_test() -> None:
    assert {name for family in FAMILIES.values() for name in family} == set(MAKERS)


@pytest.mark.parametrize("family", FAMILIES)
def test_kernels_equal_the_specification(tmp_path_factory: pytest.TempPathFactory, family: str) -> None:
    @settings(
        max_examples=3, deadline=None, phases=[Phase.generate], suppress_health_check=list(HealthCheck), database=None
    )
    @given(st.lists(cases, min_size=12, max_size=12))
    def check(drawn: list[Case]) -> None:
        chosen = [(case, name) for name in FAMILIES[family] for case in drawn]
        contents = [MAKERS[name](fitting(case, name), name) for case, name in chosen]
        batch = Batch(tmp_path_factory.mktemp("kernels") / "c", contents, "plain", SANITIZED)
        found = differences(batch, contents)
        assert not found, [[chosen[number] for number in sorted({number for number, _ in found})], found]

    check()


def every_value(name: str, scale: float) -> bytes:
    b = Builder("int16")
    x, y = b.tensor((16, 4096), scale=scale), b.tensor((16, 4096), scale=1 / 32768)
    b.add(name, [x], [y])
    return b.finish([x], [y])


@pytest.mark.parametrize("name", ["LOGISTIC", "TANH"])
def test_every_argument_of_a_function(tmp_path: Path, name: str) -> None:
    scales = [2.0**-12, 2.0**-11, 2.0**-12 * 1.0005, 3e-5, 0.0003, 0.001, 0.01, 2.6, 1e-10]
    contents = [every_value(name, scale) for scale in scales]
    batch = Batch(tmp_path / "c", contents, "plain", SANITIZED)
    values = np.arange(-32768, 32768).astype(np.int16).reshape(16, 4096)
    for i, content in enumerate(contents):
        runner = batch.runner(i)
        specification = MicroRunner(content, runner.inputs, runner.outputs)
        assert np.array_equal(runner({"in0": values})["out0"], specification({"in0": values})["out0"]), scales[i]


def test_every_difference_in_a_softmax(tmp_path: Path) -> None:
    """Rows of two and of three values: every entry of both tables is read."""
    contents = []
    for width in (2, 3):
        b = Builder("int16")
        x, y = b.tensor((20000, width), scale=10 / 65535), b.tensor((20000, width), scale=1 / 32768)
        options = schema.SoftmaxOptionsT()
        options.beta = 1.0
        b.add("SOFTMAX", [x], [y], options)
        contents.append(b.finish([x], [y]))
    batch = Batch(tmp_path / "c", contents, "plain", SANITIZED)
    assert not differences(batch, contents, calls=8)


@pytest.mark.parametrize("layout", ["plain", "dsp"])
@pytest.mark.parametrize("last", ["SOFTMAX", "LOGISTIC"])
def test_a_whole_network(tmp_path: Path, layout: str, last: str) -> None:
    contents = [network(seed, last) for seed in range(4)]
    batch = Batch(tmp_path / "c", contents, layout, FAST)
    assert not differences(batch, contents, calls=100)
    varied = batch.runner(0)({"in0": np.random.default_rng(0).standard_normal((1, 12, 10, 2)).astype(np.float32)})
    assert len(np.unique(varied["out0"])) > 2


def test_a_stream_keeps_its_state(tmp_path: Path) -> None:
    content = stream()
    runner = Batch(tmp_path / "c", [content], "plain", SANITIZED).runner(0)
    rng = np.random.default_rng(0)
    for _ in range(2):
        # A new one each time: its reset sets variables to zero, not to their first values.
        specification = MicroRunner(content, runner.inputs, runner.outputs)
        for _ in range(5):
            given_ = feeds(runner.inputs, rng)
            assert np.array_equal(runner(given_)["out0"], specification(given_)["out0"])
        runner.reset()


@pytest.mark.parametrize("name", sorted(MAKERS))
def test_what_is_called_is_shipped(name: str) -> None:
    content = MAKERS[name](Case(dtype="int16", seed=4), name)
    program = graph.lower(reader.read(content), "plain")
    part = Part("network", *specs(program), {}, None)
    files, _ = generate.network_files(part, content, program, arena.plan(program))
    text = "".join(held.decode() for file, held in files.items() if file.endswith(".c") and file != "network.c")
    called = {word for layer in program.layers for word in re.findall(r"ek_\w+(?=\()", layer.call)}
    assert called
    assert all(re.search(rf"^void {function}\(", text, re.MULTILINE) for function in called)


def test_generated_code_has_no_warnings(tmp_path: Path) -> None:
    flags = (
        "-std=gnu99",
        "-O2",
        "-fPIC",
        "-shared",
        "-Wall",
        "-Wextra",
        "-Wconversion",
        "-Wdouble-promotion",
        "-Werror",
    )
    case = Case(dtype="int16", seed=1)
    contents = [network(), stream(), *(MAKERS[name](case, name) for name in ("ADD", "TANH", "PADV2", "RELU6"))]
    Batch(tmp_path / "c", contents, "plain", flags)


# --- what is refused ------------------------------------------------------------------------------------------------


def refused(b: Builder, inputs: list[int], outputs: list[int]) -> str:
    with pytest.raises(Unsupported) as caught:
        graph.lower(reader.read(b.finish(inputs, outputs)), "plain")
    return caught.value.message


@pytest.mark.parametrize("name", ["RELU", "LOGISTIC", "AVERAGE_POOL_2D", "QUANTIZE"])
def test_an_asymmetric_activation(name: str) -> None:
    b = Builder("int16")
    x, y = b.tensor((1, 4, 4, 1), scale=0.1), b.tensor((1, 4, 4, 1), scale=0.1)
    b.graph.tensors[x].quantization.zeroPoint = np.array([3])
    b.add(name, [x], [y])
    assert "zero point 3, and int16 activations are symmetric" in refused(b, [x], [y])


def test_two_types_in_one_operator() -> None:
    b = Builder("int16")
    x, y = b.tensor((1, 4), scale=0.1), b.tensor((1, 4), "int8", scale=0.1)
    b.add("ADD", [x, x], [y], schema.AddOptionsT())
    assert "mixes int16 with int8" in refused(b, [x], [y])
    b = Builder("int16")
    x, y = b.tensor((1, 4), scale=0.1), b.tensor((1, 4), "uint8", scale=0.1)
    b.add("QUANTIZE", [x], [y], schema.QuantizeOptionsT())
    assert "from int16 to uint8" in refused(b, [x], [y])


def test_a_bias_that_the_specification_reads_as_another_type() -> None:
    b = Builder("int16")
    x, y = b.tensor((1, 4, 4, 2), scale=0.01), b.tensor((1, 4, 4, 2), scale=0.01)
    weights = b.tensor((1, 1, 1, 2), scale=0.1, data=np.ones((1, 1, 1, 2), np.int8), axis=3)
    bias = b.tensor((2,), scale=0.001, data=np.ones(2, np.int32))
    options = schema.DepthwiseConv2DOptionsT()
    options.strideH = options.strideW = options.depthMultiplier = 1
    b.add("DEPTHWISE_CONV_2D", [x, weights, bias], [y], options)
    assert "its bias is int32; beside int16 activations it must be int64" in refused(b, [x], [y])


@pytest.mark.parametrize("name", ["SOFTMAX", "LOGISTIC", "TANH"])
def test_an_output_that_is_not_a_fraction_of_32768(name: str) -> None:
    b = Builder("int16")
    x, y = b.tensor((1, 4), scale=0.1), b.tensor((1, 4), scale=1 / 30000)
    b.add(name, [x], [y], schema.SoftmaxOptionsT() if name == "SOFTMAX" else None)
    assert "1/32768" in refused(b, [x], [y])


@pytest.mark.parametrize("name", ["LOGISTIC", "TANH"])
def test_an_input_beyond_the_table(name: str) -> None:
    b = Builder("int16")
    x, y = b.tensor((1, 4), scale=3.0), b.tensor((1, 4), scale=1 / 32768)
    b.add(name, [x], [y])
    assert "an input scale of 3.0 is too large" in refused(b, [x], [y])


@pytest.mark.parametrize(("scale", "bias", "what"), [(1e-7, 0, "finer"), (0.01, 1 << 47, "48 bits")])
def test_numbers_that_the_specification_does_not_promise(scale: float, bias: int, what: str) -> None:
    b = Builder("int16")
    x, y = b.tensor((1, 4), scale=0.01), b.tensor((1, 2), scale=scale)
    weights = b.tensor((2, 4), scale=0.01, data=np.ones((2, 4), np.int8))
    options = schema.FullyConnectedOptionsT()
    b.add("FULLY_CONNECTED", [x, weights, b.tensor((2,), scale=0.0001, data=np.array([bias, 0]))], [y], options)
    assert what in refused(b, [x], [y])


def test_an_addition_that_overflows() -> None:
    b = Builder("int16")
    x, y = b.tensor((1, 4), scale=1.0), b.tensor((1, 4), scale=2.0**-14)
    b.add("ADD", [x, x], [y], schema.AddOptionsT())
    assert "too fine" in refused(b, [x], [y])
