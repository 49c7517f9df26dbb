"""Static int8 for ONNX on a small network of convolutions: what onnxruntime makes of it, and what decides."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
import torch
from helpers.toys.tiny_vision import LAYERS, PART, SIZE, Tiny, export, pictures, quiet
from numpy.typing import NDArray
from torch import Tensor, nn

from edgekit.core import Feeds, Part, TensorSpec
from edgekit.errors import BadInput, Unsupported
from edgekit.exporters.onnx import EXPORTER
from edgekit.exporters.onnx.convolutions import places, qdq, static
from edgekit.exporters.onnx.graph import constants, from_torch
from edgekit.numerics.parity import relative_error
from edgekit.quantization import choice as choice_room
from edgekit.quantization.plan import Wish
from edgekit.runtimes.onnxruntime.runner import OnnxRunner
from edgekit.runtimes.torch.runner import TorchRunner

#: Whatever measurement decides.
AUTO = Wish(float_layers=None)


@pytest.fixture(scope="module")
def graph() -> onnx.ModelProto:
    return from_torch(PART, Tiny())


@pytest.fixture(scope="module")
def made(graph: onnx.ModelProto) -> static.Made:
    return static.make(graph, pictures(40), "network", AUTO, quiet)


def answers(runner: Any, feeds: Sequence[Feeds]) -> dict[str, NDArray[Any]]:
    return {"logits": np.concatenate([runner(feed)["logits"] for feed in feeds])}


def moved(model: onnx.ModelProto) -> float:
    fresh = pictures(20, seed=5)
    runner = OnnxRunner(model.SerializeToString(), 1)
    return relative_error([answers(runner, fresh)], [answers(TorchRunner(PART, Tiny()), fresh)])


def test_it_answers_like_float(made: static.Made) -> None:
    onnx.checker.check_model(made[0], full_check=True)
    assert moved(made[0]) < 0.05


def test_onnxruntime_computes_all_of_it_in_integers(made: static.Made) -> None:
    found = static.operators(made[0])
    assert found["QLinearConv"] == 4
    assert found["QLinearAdd"] == found["QGemm"] == found["QLinearGlobalAveragePool"] == 1
    assert not set(found) & {
        "Conv",
        "FusedConv",
        "Gemm",
        "MatMul",
        "Add",
        "Clip",
        "Relu",
        "Cast",
        "Sub",
        "Div",
        "QuantizeLinear",
    }
    assert made[2]["fused"] == dict(found)


def test_weights_are_signed_by_channel_and_activations_unsigned(made: static.Made) -> None:
    model = made[0]
    arrays = constants(model)
    inputs = {node.op_type: node for node in model.graph.node}
    assert {arrays[n.input[2]].dtype for n in model.graph.node if n.op_type == "QuantizeLinear"} == {np.dtype("uint8")}
    casts = {node.output[0]: arrays[node.input[0]] for node in model.graph.node if node.op_type == "Cast"}
    weights = [n for n in model.graph.node if n.op_type == "DequantizeLinear" and n.input[1] in casts]
    assert len(weights) == LAYERS
    for node in weights:
        values = arrays[node.input[0]]
        assert values.dtype == np.int8
        assert casts[node.input[1]].shape == (len(values),)
        assert np.abs(values).reshape(len(values), -1).max(1).min() > 120  # every channel has its own scale
    assert "Sub" not in inputs  # the pixels are the quantized tensor


def test_one_scale_for_all_the_weights_of_a_layer(graph: onnx.ModelProto, made: static.Made) -> None:
    """It is integers all the same, and worse here, where the channels are so unlike; but nothing becomes float."""
    model, choice, facts = static.make(
        graph, pictures(40), "network", Wish(ranges=made[2]["ranges"], float_layers=None, weights="per-tensor"), quiet
    )
    onnx.checker.check_model(model, full_check=True)
    arrays = constants(model)
    casts = {node.output[0]: arrays[node.input[0]] for node in model.graph.node if node.op_type == "Cast"}
    assert [scale.shape for scale in casts.values()] == [()] * LAYERS
    assert {layer.form for layer in choice.values()} == {"static"}
    assert (facts["weights"], made[2]["weights"]) == ("per-tensor", "per-channel")
    assert facts["fused"] == made[2]["fused"]
    assert moved(made[0]) < moved(model) < 0.05


def test_no_range_reaches_beyond_the_limit_of_a_relu6(graph: onnx.ModelProto) -> None:
    """Not one that is wider than what was seen: no step is lost, and no Clip is kept."""
    plan = places.places(places.rewrite_for_int8(graph))
    ranges: dict[str, tuple[float, float]] = dict.fromkeys(plan.tensors_to_calibrate, (-8.0, 8.0))
    wide = qdq.quantize(plan, ranges)
    assert "Clip" not in [node.op_type for node in wide.graph.node]
    scales = [float(array) for array in constants(wide).values() if array.dtype == np.float32 and not array.shape]
    assert scales.count(np.float32(6 / 255)) == 2
    ranges = {name: (0.0, 5.0) if "relu6" in name else ends for name, ends in ranges.items()}
    kinds = [node.op_type for node in qdq.quantize(plan, ranges).graph.node]
    assert "Clip" not in kinds


def test_a_dead_channel_does_not_overflow() -> None:
    class Dead(Tiny):
        def __init__(self) -> None:
            super().__init__()
            with torch.no_grad():
                self.wide.weight[3] = 1e-12
                self.wide.bias[3] = 4.0

    found, *_ = static.make(from_torch(PART, Dead()), pictures(40), "network", AUTO, quiet)
    runner = OnnxRunner(found.SerializeToString(), 1)
    fresh = pictures(5, seed=3)
    assert relative_error([answers(runner, fresh)], [answers(TorchRunner(PART, Dead()), fresh)]) < 0.05


@pytest.mark.parametrize("keep", [("first/Conv",), 2])
def test_layers_that_stay_float(graph: onnx.ModelProto, keep: Any) -> None:
    model, choice, facts = static.make(graph, pictures(40), "network", Wish(ranges="min-max", float_layers=keep), quiet)
    floats = {name: layer.why for name, layer in choice.items() if layer.form == "float"}
    assert len(floats) == (keep if isinstance(keep, int) else 1)
    assert all("recipe" in why if isinstance(keep, tuple) else "alone" in why for why in floats.values())
    found = static.operators(model)
    assert sum(found[name] for name in ("Conv", "FusedConv", "Gemm", "MatMul")) == len(floats)
    assert facts["ranges"] == "min-max"


def test_error_demands_float(graph: onnx.ModelProto, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(static, "MOST", 1e-4)
    monkeypatch.setattr(choice_room, "MOST_FLOATS", 2)
    _, choice, facts = static.make(graph, pictures(40), "network", AUTO, quiet)
    assert sum(layer.form == "float" for layer in choice.values()) == 2
    assert any("2 in float" in name for name in facts["errors"])


def test_the_first_layers_of_a_network_of_pictures(graph: onnx.ModelProto) -> None:
    """A convolution of the pixels and the depthwise one behind it; none of few channels further inside."""

    class Narrow(Tiny):
        def __init__(self) -> None:
            super().__init__()
            self.narrow, self.own = nn.Conv2d(32, 3, 1), nn.Conv2d(3, 3, 3, padding=1, groups=3)
            self.back = nn.Conv2d(3, 3, 3, padding=1)

        def forward(self, pixels: Tensor) -> Tensor:
            x = self.own(self.narrow(self.first(pixels.permute(0, 3, 1, 2).float())))
            out: Tensor = self.back(x).flatten(1)[:, :10]
            return out

    assert places.head(places.places(places.rewrite_for_int8(graph))) == ["first/Conv", "depthwise/Conv"]
    assert places.head(places.places(places.rewrite_for_int8(from_torch(PART, Narrow())))) == ["first/Conv"]


def test_a_runtime_whose_first_layers_are_faster_in_integers(graph: onnx.ModelProto) -> None:
    for head, tried in ((True, True), (False, False)):
        _, _, facts = static.make(graph, pictures(40), "network", Wish(float_layers=None, head=head), quiet)
        assert any("2 in float" in name for name in facts["errors"]) is tried


def test_an_unknown_layer(graph: onnx.ModelProto) -> None:
    with pytest.raises(Unsupported, match="no layer 'last'"):
        static.make(graph, pictures(40), "network", Wish(float_layers=("last",)), quiet)


def test_samples_that_say_nothing(graph: onnx.ModelProto) -> None:
    with pytest.raises(BadInput, match="'network'; there were 7"):
        static.make(graph, pictures(7), "network", AUTO, quiet)


# --- through the exporter --------------------------------------------------------------------------------------------


def test_convolutions_choose_the_static_form(tmp_path: Path) -> None:
    artifact = export(EXPORTER, tmp_path, {"network": pictures(40)})
    census = artifact.census
    assert (census["weighted_int8"], census["weighted_float"]) == (LAYERS, 0)
    assert census["calibration"]["samples"] == 40
    assert len(census["calibration"]["sha256"]) == 64
    assert {layer["form"] for layer in census["layers"].values()} == {"static"}
    first = (tmp_path / "out" / artifact.file).read_bytes()
    export(EXPORTER, tmp_path, {"network": pictures(40)})
    assert (tmp_path / "out" / artifact.file).read_bytes() == first
    other = export(EXPORTER, tmp_path, {"network": pictures(40, seed=1)})
    assert other.census["calibration"]["sha256"] != census["calibration"]["sha256"]


@pytest.mark.parametrize(
    "options",
    [
        {"ranges": {"network": "widest"}},
        {"float_layers": {"encoder": 2}},
        {"form": {"network": "int7"}},
        {"weights": "per-row"},
    ],
)
def test_options_that_do_not_exist(tmp_path: Path, options: dict[str, Any]) -> None:
    with pytest.raises(Unsupported):
        export(EXPORTER, tmp_path, {"network": pictures(40)}, **options)


def test_what_spans_many_decades_stays_float() -> None:
    """Weights of an attention times squares: a step of the largest product is more than most products are."""

    class Attention(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            torch.manual_seed(0)
            self.first, self.second = nn.Conv1d(4, 8, 1), nn.Conv1d(8, 8, 1)

        def forward(self, x: Tensor) -> Tensor:
            x = self.first(x)
            weights = torch.softmax(self.second(x), dim=2)
            out: Tensor = (weights * x.square()).sum(2) + (x + self.second(x)).mean(2)
            return out

    answer = TensorSpec("out", "float32", (1, 8))
    part = Part("network", (TensorSpec("x", "float32", (1, 4, 16)),), (answer,), {}, lambda checkpoint: Attention())
    plan = places.places(from_torch(part, Attention().eval()))
    nodes = list(plan.model.graph.node)
    (weighted,) = (node for node in nodes if node.op_type == "Mul" and "softmax" in node.input[0] + node.input[1])
    assert weighted.output[0] not in plan.roots
    residual = next(node for node in nodes if node.op_type == "Add")
    assert {*residual.input, *residual.output} <= plan.roots.keys()


def test_float_layers_side_by_side_have_nothing_in_int8_between_them() -> None:
    torch.manual_seed(0)
    sizes = ((3, 8), (8, 8), (8, 4))
    layers = [layer for pair in sizes for layer in (nn.Conv2d(*pair, 3), nn.LeakyReLU(0.2))]
    ends = (TensorSpec("x", "float32", (1, 3, 12, 12)),), (TensorSpec("y", "float32", (1, 4, 6, 6)),)
    module = nn.Sequential(*layers).eval()
    plan = places.places(places.rewrite_for_int8(from_torch(Part("toy", *ends, {}, lambda checkpoint: module), module)))
    ranges: dict[str, tuple[float, float]] = dict.fromkeys(plan.tensors_to_calibrate, (-4.0, 4.0))
    first, second, _ = plan.products
    pairs = [
        sum(node.op_type == "QuantizeLinear" for node in qdq.quantize(plan, ranges, kept).graph.node)
        for kept in ((), (first,), (first, second), (second,), tuple(plan.products))
    ]
    assert pairs == [6, 4, 2, 4, 0]


def test_convolutions_in_three_dimensions_alone() -> None:
    """Their weights are rounded to nearest, and nothing is recorded to round them by."""
    ends = (TensorSpec("x", "float32", (1, 1, 5, 8, 8)),), (TensorSpec("y", "float32", (1, 8, 3, 6, 6)),)
    module = nn.Conv3d(1, 8, 3).eval()
    model = from_torch(Part("toy", *ends, {}, lambda checkpoint: module), module)
    feeds = [{"x": np.random.default_rng(i).normal(size=(1, 1, 5, 8, 8)).astype(np.float32)} for i in range(20)]
    made = static.make(model, feeds, "toy", AUTO, quiet)[0]
    assert static.operators(made)["QLinearConv"] == 1
    answer = OnnxRunner(made.SerializeToString(), 1)(feeds[0])["y"]
    assert relative_error([{"y": answer}], [{"y": module(torch.from_numpy(feeds[0]["x"])).detach().numpy()}]) < 0.02


class Detector(nn.Module):
    """As the newer YOLOs end: SiLU, halves of channels, and a Concat in which boxes in pixels meet scores up to 1."""

    def __init__(self) -> None:
        super().__init__()
        torch.manual_seed(2)
        self.first, self.second = nn.Conv2d(3, 16, 3, stride=2, padding=1), nn.Conv2d(16, 16, 3, padding=1)
        self.boxes, self.scores = nn.Conv2d(16, 4, 1), nn.Conv2d(24, 5, 1)

    def forward(self, pixels: Tensor) -> Tensor:
        x = nn.functional.silu(self.first((pixels.permute(0, 3, 1, 2).float() - 127) / 128) * 8)
        left, right = x.chunk(2, 1)
        y = nn.functional.silu(self.second(x))
        scores = self.scores(torch.cat([y, left * right], 1)).flatten(2).sigmoid()
        return torch.cat([self.boxes(y).flatten(2).softmax(1) * 640, scores], 1)


def test_scores_beside_boxes_keep_their_scale() -> None:
    part = replace(PART, outputs=(TensorSpec("logits", "float32", (1, 9, (SIZE // 2) ** 2)),))
    model, choice, facts = static.make(from_torch(part, Detector()), pictures(40), "network", AUTO, quiet)
    assert {layer.form for layer in choice.values()} == {"static"}
    assert facts["ranges"] == "wide", "fresh scores may be higher than all that calibrated"
    assert facts["fused"]["QLinearConv"] == LAYERS - 1
    fresh = pictures(10, seed=5)
    truth, made = (
        np.stack([runner(feed)["logits"][0] for feed in fresh])
        for runner in (TorchRunner(part, Detector()), OnnxRunner(model.SerializeToString(), 1))
    )
    assert np.ptp(truth[:, 4:]) > 0.5
    assert np.abs(made - truth)[:, 4:].max() < 0.08
    assert np.abs(made - truth)[:, :4].max() < 0.05 * 640
