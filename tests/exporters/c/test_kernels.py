"""Every kernel on its own, over random shapes, bit for bit equal to TensorFlow Lite Micro; with sanitizers on."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from helpers.cases.c_networks import SANITIZED, Batch
from helpers.cases.tflite_models import MAKERS, Case
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from edgekit.core import TensorSpec
from edgekit.exporters.c.layouts import layout as c_layout
from edgekit.exporters.c.lowering import graph
from edgekit.runtimes.tflite_micro.runner import MicroRunner

pytestmark = pytest.mark.thorough

sizes = st.integers(1, 9)
pairs = st.tuples(st.integers(1, 4), st.integers(1, 4))
cases = st.builds(
    Case,
    seed=st.integers(0, 10_000),
    height=st.integers(2, 11),
    width=st.integers(3, 9),
    channels=st.sampled_from([1, 2, 3, 4, 5, 7, 8, 12, 16, 17, 24, 33]),
    outputs=st.sampled_from([1, 2, 3, 4, 6, 8, 9, 16, 19]),
    kernel=pairs,
    stride=st.tuples(st.integers(1, 3), st.integers(1, 3)),
    dilation=st.sampled_from([(1, 1), (1, 1), (1, 1), (2, 1), (2, 2)]),
    same=st.booleans(),
    activation=st.sampled_from([0, 0, 1, 3]),
    multiplier=st.sampled_from([1, 1, 1, 2, 3]),
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


def random_feeds(inputs: Sequence[TensorSpec], rng: np.random.Generator) -> dict[str, NDArray[Any]]:
    feeds: dict[str, NDArray[Any]] = {}
    for spec in inputs:
        shape = tuple(int(size) for size in spec.shape)
        if spec.dtype == "float32":
            feeds[spec.name] = (rng.standard_normal(shape) * 3).astype(np.float32)
        else:
            feeds[spec.name] = rng.integers(-128, 128, shape).astype(spec.dtype)
    return feeds


def differences(folder: Path, contents: Sequence[bytes], layout: str) -> list[str]:
    """What differs from the specification, as text; three inputs a network."""
    batch = Batch(folder, contents, layout, SANITIZED)
    found = []
    for i, content in enumerate(contents):
        runner = batch.runner(i)
        specification = MicroRunner(content, runner.inputs, runner.outputs)
        rng = np.random.default_rng(i)
        for _ in range(3):
            feeds = random_feeds(runner.inputs, rng)
            expected, actual = specification(feeds), runner(feeds)
            for name, value in expected.items():
                if not np.array_equal(value, actual[name]):
                    off = np.abs(value.astype(float) - actual[name]).max()
                    found.append(f"network {i}, {name}: {(value != actual[name]).sum()} values, by {off} at most")
    return found


#: Layouts concern products only.
PRODUCTS = ("CONV_2D", "DEPTHWISE_CONV_2D", "FULLY_CONNECTED")
EVERY = [(name, "plain") for name in sorted(MAKERS)] + [(name, "dsp") for name in PRODUCTS]


def test_every_operator_has_a_test() -> None:
    """But those without values: state, which test_c_real.py runs in real networks, and aliases of RESHAPE."""
    state = {"ASSIGN_VARIABLE", "CALL_ONCE", "READ_VARIABLE", "VAR_HANDLE"}
    assert set(graph.OPERATORS) - set(MAKERS) - state == {"EXPAND_DIMS", "PADV2", "SQUEEZE"}
    assert c_layout.LAYOUTS == ("plain", "dsp", "helium"), "Helium's kernels are tested in test_c_mve.py"


@pytest.mark.parametrize(("name", "layout"), EVERY)
def test_a_kernel_equals_the_specification(tmp_path_factory: pytest.TempPathFactory, name: str, layout: str) -> None:
    @settings(
        max_examples=2, deadline=None, phases=[Phase.generate], suppress_health_check=list(HealthCheck), database=None
    )
    @given(st.lists(cases, min_size=10, max_size=10))
    def check(drawn: list[Case]) -> None:
        folder = tmp_path_factory.mktemp("kernels") / "c"
        contents = [MAKERS[name](fitting(case, name), name) for case in drawn]
        found = differences(folder, contents, layout)
        assert not found, [drawn, found]

    check()
