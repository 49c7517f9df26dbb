"""Forms for runtimes whose blocks or integer convolutions are slow: exact activations, weights rounded by inputs."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx
import pytest
from helpers.toys.tiny_vision import PART, SIZE, Tiny, export, pictures
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper

from edgekit.exporters.onnx import EXPORTER, products
from edgekit.exporters.onnx.convolutions.rounding import round_convolutions
from edgekit.exporters.onnx.graph import from_torch
from edgekit.exporters.onnx.linear import with_stored
from edgekit.numerics.parity import relative_error
from edgekit.runtimes.onnxruntime.runner import OnnxRunner
from edgekit.runtimes.torch.runner import TorchRunner


def product(weight: NDArray[np.float32], version: int) -> onnx.ModelProto:
    values = [helper.make_tensor_value_info(name, TensorProto.FLOAT, ["batch", "rows", None]) for name in "xy"]
    node = helper.make_node("MatMul", ["x", "weight"], ["y"], name="product")
    graph = helper.make_graph([node], "one", values[:1], values[1:], [numpy_helper.from_array(weight, "weight")])
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", version)], ir_version=10)


@pytest.mark.parametrize("version", [13, 20])
@pytest.mark.parametrize("shape", [(1, 1), (2, 5)])
def test_activations_of_16_bits(rng: np.random.Generator, version: int, shape: tuple[int, int]) -> None:
    """Beside large values the others keep their digits, which a scale for a row of bytes takes from them."""
    steps = rng.integers(-126, 127, (64, 48)).astype(np.float32)
    steps[0] = 127  # so that rounding changes nothing: each column's scale is 1
    x = rng.standard_normal((*shape, 64)).astype(np.float32)
    x[..., 3] *= 300
    exact = x.astype(np.float64) @ steps
    away = {}
    for form in ("int16", "rows"):
        model = products.quantize(product(steps, version), {"product": form})
        onnx.checker.check_model(model, full_check=False)
        y = OnnxRunner(model.SerializeToString(), 1)({"x": x})["y"]
        # What the large value alone makes is left out: it would hide the rest.
        away[form] = np.linalg.norm(y - exact) / np.linalg.norm(exact - x[..., 3:4] * steps[3])
    assert away["int16"] < 0.005 < 0.1 < away["rows"]


def test_a_row_of_zeros(rng: np.random.Generator) -> None:
    model = products.quantize(product(rng.standard_normal((64, 48)).astype(np.float32), 20), {"product": "int16"})
    assert not OnnxRunner(model.SerializeToString(), 1)({"x": np.zeros((1, 2, 64), np.float32)})["y"].any()


def test_weights_of_convolutions_are_rounded_by_their_inputs() -> None:
    """In few steps rounding to nearest shifts every channel; by inputs the shift goes into the bias."""
    graph, fresh = from_torch(PART, Tiny()), pictures(20, seed=5)
    reference = [TorchRunner(PART, Tiny())(feed) for feed in fresh]
    away = []
    for model in (graph, round_convolutions(graph, pictures(40), lambda done, total: None)):
        stored, choice = with_stored(model)
        assert {layer.form for layer in choice.values()} == {"weight-only"}
        runner = OnnxRunner(stored.SerializeToString(), 1)
        away.append(relative_error([runner(feed) for feed in fresh], reference))
    assert away[1] < 0.8 * away[0]


def test_a_network_of_convolutions_without_integers(tmp_path: Path) -> None:
    census = export(EXPORTER, tmp_path, {"network": pictures(40)}, runtime="onnxruntime-web").census
    assert {layer["form"] for layer in census["layers"].values()} >= {"weight-only"}
    assert not {"QLinearConv", "ConvInteger"} & census["operators"].keys() and census["bytes"]["int8"] > SIZE
