"""int8 recurrent layers for ONNX: what onnxruntime's operator answers, layer by layer and in both directions."""

from __future__ import annotations

import numpy as np
import onnx
import pytest
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from edgekit.core import Axis, Part, TensorSpec
from edgekit.exporters.onnx import recurrent
from edgekit.exporters.onnx.graph import constants, from_torch
from edgekit.runtimes.onnxruntime.runner import OnnxRunner

FRAMES, INPUTS, HIDDEN = 12, 10, 24


class Recurrent(nn.Module):
    """What stands before the layers is not the part's own input; rows of the weights are of unlike sizes."""

    def __init__(self, layers: int, both: bool) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.before = nn.Linear(INPUTS, INPUTS)
        self.lstm = nn.LSTM(INPUTS, HIDDEN, layers, batch_first=True, bidirectional=both)
        with torch.no_grad():
            for name, weight in self.lstm.named_parameters():
                if name.startswith("weight"):
                    weight *= torch.logspace(-1, 0.5, len(weight))[:, None]

    def forward(self, features: Tensor) -> Tensor:
        out: Tensor = self.lstm(torch.tanh(self.before(features)))[0]
        return out


def traced(module: nn.Module, width: int) -> onnx.ModelProto:
    given, answer = TensorSpec("features", "float32", (2, FRAMES, INPUTS)), (2, FRAMES, width)
    part = Part("network", (given,), (TensorSpec("out", "float32", answer),), {}, lambda checkpoint: module)
    return from_torch(part, module.eval())


def some_features(seed: int) -> NDArray[np.float32]:
    return np.random.default_rng(seed).normal(size=(2, FRAMES, INPUTS)).astype(np.float32)


def answered(model: onnx.ModelProto, features: NDArray[np.float32]) -> NDArray[np.float32]:
    return OnnxRunner(model.SerializeToString(), threads=1)({"features": features})["out"]


@pytest.mark.parametrize(("layers", "both"), [(1, False), (3, False), (1, True)])
def test_it_answers_like_float(layers: int, both: bool) -> None:
    model = traced(Recurrent(layers, both), HIDDEN * (2 if both else 1))
    small, choice = recurrent.quantize(model)
    kinds = [node.op_type for node in small.graph.node]
    assert (kinds.count("DynamicQuantizeLSTM"), kinds.count("LSTM")) == (layers, 0)
    assert {layer.form for layer in choice.values()} == {"dynamic"}
    features = some_features(0)
    expected, found = answered(model, features), answered(small, features)
    assert np.linalg.norm(found - expected) < 0.03 * np.linalg.norm(expected)
    assert not np.array_equal(found, expected)


def test_weights_are_int8_with_a_scale_a_row() -> None:
    arrays = constants(recurrent.quantize(traced(Recurrent(1, False), HIDDEN))[0])
    weights = {name: array for name, array in arrays.items() if name.endswith(".int8")}
    assert sorted(array.shape for array in weights.values()) == [(1, INPUTS, 4 * HIDDEN), (1, HIDDEN, 4 * HIDDEN)]
    for name, array in weights.items():
        assert array.dtype == np.int8
        assert arrays[name.replace(".int8", ".scales")].shape == (1, 4 * HIDDEN)
        assert np.all(np.abs(array.astype(int)).max(axis=1) == 127)  # every row uses all of its steps
    assert not any(array.dtype == np.float32 and array.size >= 4 * HIDDEN * INPUTS for array in arrays.values())


class Bare(nn.Module):
    """Two layers, the first of which reads the part's own input."""

    def __init__(self, kind: type[nn.RNNBase], both: bool = False) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.layers = kind(INPUTS, HIDDEN, 2, batch_first=True, bidirectional=both)  # type: ignore[call-arg]

    def forward(self, features: Tensor) -> Tensor:
        out: Tensor = self.layers(features)[0]
        return out


def test_the_layer_that_reads_the_input_is_stored_in_int8_and_computed_in_float() -> None:
    model = traced(Bare(nn.LSTM), HIDDEN)
    small, choice = recurrent.quantize(model, [{"features": some_features(seed)} for seed in range(3)])
    assert [layer.form for layer in choice.values()] == ["weight-only", "dynamic"]
    kinds = [node.op_type for node in small.graph.node if "LSTM" in node.op_type]
    assert kinds == ["LSTM", "DynamicQuantizeLSTM"]
    expected, found = (answered(graph, some_features(7)) for graph in (model, small))
    assert 0 < np.linalg.norm(found - expected) < 0.03 * np.linalg.norm(expected)


@pytest.mark.parametrize("kind", [nn.LSTM, nn.GRU])
def test_where_stored_weights_move_the_outputs_too_far_they_stay_float(kind: type[nn.RNNBase]) -> None:
    """Features that span decades, as powers do, and weights that make up for it: the largest hide all others."""
    module, sizes = Bare(kind), np.logspace(0, -5, INPUTS).astype(np.float32)
    with torch.no_grad():
        module.get_parameter("layers.weight_ih_l0").div_(torch.from_numpy(sizes))
    feeds = [{"features": some_features(seed) * sizes} for seed in range(3)]
    model = traced(module, HIDDEN)
    alone = [choice for choice in recurrent.quantize(model)[1].values() if choice.form == "weight-only"]
    assert len(alone) == (2 if kind is nn.GRU else 1), "without inputs nothing is measured"
    small, choice = recurrent.quantize(model, feeds)
    first, second = choice.values()
    assert first.form == "float" and first.why.startswith("stored in int8 it alone moves the outputs by ")
    assert second.form == ("weight-only" if kind is nn.GRU else "dynamic")
    expected, found = (answered(graph, feeds[0]["features"]) for graph in (model, small))
    assert np.linalg.norm(found - expected) < 0.03 * np.linalg.norm(expected)


@pytest.mark.parametrize("both", [False, True])
def test_layers_that_onnxruntime_has_in_float_only_are_stored_in_int8(both: bool) -> None:
    model = traced(Bare(nn.GRU, both), HIDDEN * (2 if both else 1))
    small, choice = recurrent.quantize(model)
    assert [layer.form for layer in choice.values()] == ["weight-only"] * 2
    assert all("in float only" in layer.why for layer in choice.values())
    arrays = constants(small)
    assert sum(array.dtype == np.int8 for array in arrays.values()) == 4
    floats = [array for array in arrays.values() if array.dtype == np.float32 and array.ndim == 3 and array.any()]
    assert not any(array.shape[2] > 1 for array in floats), "a matrix of weights; the first state is all zero"
    features = some_features(0)
    expected, out = answered(model, features), answered(small, features)
    assert 0 < np.linalg.norm(out - expected) < 0.02 * np.linalg.norm(expected)


@pytest.mark.parametrize("kind", [nn.LSTM, nn.GRU])
@pytest.mark.parametrize("both", [False, True])
def test_time_is_of_any_length(kind: type[nn.RNNBase], both: bool) -> None:
    """torch tells the recurrent layers' outputs the length of the example."""
    width = HIDDEN * (2 if both else 1)
    given, made = (
        TensorSpec(name, "float32", (2, "frames", size)) for name, size in (("features", INPUTS), ("out", width))
    )
    module = Bare(kind, both).eval()
    part = Part("network", (given,), (made,), {"frames": Axis(1, 100, FRAMES)}, lambda checkpoint: module)
    model = from_torch(part, module)
    for frames in (1, FRAMES, 40):
        features = np.random.default_rng(frames).normal(size=(2, frames, INPUTS)).astype(np.float32)
        expected = module(torch.from_numpy(features)).detach().numpy()
        np.testing.assert_allclose(answered(model, features), expected, atol=1e-5)
        assert answered(recurrent.quantize(model)[0], features).shape == (2, frames, width)
