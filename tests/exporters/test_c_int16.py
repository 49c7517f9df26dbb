"""int16 activations with int8 weights: every kernel and a whole network, bit for bit equal to TensorFlow Lite Micro."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
from _c_networks import FAST, SANITIZED, Batch
from _tflite_int16 import MAKERS, network
from _tflite_models import Builder, Case, product
from ai_edge_litert import schema_py_generated as schema
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from edgekit import tflite
from edgekit.core import TensorSpec
from edgekit.errors import Unsupported
from edgekit.exporters import _c_graph
from edgekit.reference import MicroRunner

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


def differences(batch: Batch, contents: Sequence[bytes], calls: int = 4) -> list[str]:
    """What differs from the specification, as text."""
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
                    found.append(f"network {i}, {name}: {(value != actual[name]).sum()} values, by {off} at most")
    return found


@pytest.mark.parametrize("name", sorted(MAKERS))
def test_a_kernel_equals_the_specification(tmp_path_factory: pytest.TempPathFactory, name: str) -> None:
    @settings(
        max_examples=3, deadline=None, phases=[Phase.generate], suppress_health_check=list(HealthCheck), database=None
    )
    @given(st.lists(cases, min_size=12, max_size=12))
    def check(drawn: list[Case]) -> None:
        contents = [MAKERS[name](fitting(case, name), name) for case in drawn]
        batch = Batch(tmp_path_factory.mktemp("kernels") / "c", contents, "plain", SANITIZED)
        found = differences(batch, contents)
        assert not found, [drawn, found]

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


def changed(content: Case, name: str, tensor: int, **quantization: object) -> bytes:
    raise NotImplementedError


def test_an_asymmetric_activation_is_refused() -> None:
    b = Builder("int16")
    x, y = b.tensor((1, 4), scale=0.1), b.tensor((1, 4), scale=0.1)
    b.graph.tensors[x].quantization.zeroPoint = np.array([3])
    b.add("RELU", [x], [y])
    with pytest.raises(Unsupported, match="zero point 3, and int16 activations are symmetric"):
        _c_graph.lower(tflite.read(b.finish([x], [y])), "plain")
