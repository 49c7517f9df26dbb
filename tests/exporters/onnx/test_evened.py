"""Channels of an ONNX graph evened out: the same function, and less lost in int8 where they are unlike."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import onnx
import pytest
import torch
import torch.nn.functional as F
from helpers.toys.tiny_stream import CHANNELS, PART, TinyStream, sounds
from helpers.toys.tiny_vision import quiet
from torch import Tensor, nn

from edgekit.core import Feeds, Part, TensorSpec
from edgekit.exporters.onnx.convolutions import static
from edgekit.exporters.onnx.convolutions.evened import equalize_channels
from edgekit.exporters.onnx.graph import constants, from_torch
from edgekit.quantization.candidates import Truth
from edgekit.quantization.plan import Wish
from edgekit.quantization.weights import streams
from edgekit.runtimes.onnxruntime.runner import evaluate


@pytest.fixture(scope="module")
def graph() -> onnx.ModelProto:
    return from_torch(PART, TinyStream().eval())


def apart(one: onnx.ModelProto, other: onnx.ModelProto, feeds: Sequence[Feeds]) -> float:
    return Truth(evaluate(other, feeds)).error(evaluate(one, feeds))


def test_the_function_is_the_same_and_the_stream_is_more_alike(graph: onnx.ModelProto) -> None:
    made = equalize_channels(graph, sounds(20))
    assert made is not None
    assert apart(made, graph, sounds(10, seed=1)) < 1e-5
    before, after = constants(graph), constants(made)
    changed = {name for name in after if not np.array_equal(after[name], before[name])}
    normal = [node for node in graph.graph.node if node.op_type == "BatchNormalization"]
    assert len(normal) == 2 and {name for node in normal for name in node.input[1:3]} < changed
    gain = normal[0].input[1]
    assert np.ptp(np.log10(np.abs(after[gain]))) < 0.5 * np.ptp(np.log10(np.abs(before[gain])))


def test_int8_loses_less_by_it(graph: onnx.ModelProto, monkeypatch: pytest.MonkeyPatch) -> None:
    fresh, wish = sounds(20, seed=3), Wish(ranges="min-max")
    made, _, facts = static.make(graph, sounds(40), "network", wish, quiet)
    assert facts["evened"]["after"] < 0.8 * facts["evened"]["before"]
    monkeypatch.setattr(streams, "_UNLIKE", float("inf"))
    plain, _, others = static.make(graph, sounds(40), "network", wish, quiet)
    assert "evened" not in others
    assert apart(made, graph, fresh) < 0.6 * apart(plain, graph, fresh)


def test_alike_channels_stay_as_they_are() -> None:
    assert equalize_channels(from_torch(PART, TinyStream(unlike=0.1).eval()), sounds(10)) is None


def test_it_is_not_taken_where_it_does_not_help(graph: onnx.ModelProto, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(streams, "_HELPS", 0.0)
    _, _, facts = static.make(graph, sounds(40), "network", Wish(ranges="min-max"), quiet)
    assert "evened" not in facts


class Unscalable(nn.Module):
    """What makes the stream is read by something that a factor would change."""

    def __init__(self, read: Any) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.first, self.second = nn.Conv1d(12, CHANNELS, 1), nn.Conv1d(CHANNELS, 8, 1)
        self.read = read
        with torch.no_grad():
            self.first.weight *= torch.logspace(0, -2, CHANNELS)[:, None, None]

    def forward(self, features: Tensor) -> Tensor:
        out: Tensor = self.second(self.read(self.first(features))).mean(2)
        return out


@pytest.mark.parametrize(
    "read",
    [
        torch.tanh,
        F.relu6,
        lambda x: x + 1,
        lambda x: x * x,
        lambda x: F.pad(x, (1, 1), value=0.5),
        lambda x: x + x[:1, :1],
        lambda x: x + F.conv1d(x, torch.ones(1, CHANNELS, 1)),
    ],
    ids=["tanh", "relu6", "constant", "square", "padded", "first channel", "one channel"],
)
def test_what_has_a_scale_of_its_own_stops_it(read: Any) -> None:
    part = Part(
        "network",
        (TensorSpec("features", "float32", (1, 12, 40)),),
        (TensorSpec("vector", "float32", (1, 8)),),
        {},
        lambda checkpoint: Unscalable(read),
    )
    assert equalize_channels(from_torch(part, Unscalable(read).eval()), sounds(10)) is None


def test_a_convolution_of_one_position_gives_float(graph: onnx.ModelProto) -> None:
    """Its result is read by nothing in int8, so it need not be quantized; the layer keeps its name."""
    made, layers, facts = static.make(graph, sounds(40), "network", Wish(), quiet)
    assert layers["vector/Conv"].form == "static"
    kinds = {node.name: node.op_type for node in made.graph.node}
    assert kinds["vector/Conv"] == kinds["gate/Conv"] == "Gemm"
    assert facts["fused"]["QGemm"] == 2
