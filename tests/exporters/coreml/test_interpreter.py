"""The interpreter of saved Core ML programs against torch, operator by operator; shapes that are free or listed."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from helpers.cases.coreml_cases import Lambda, export, small_part
from torch import nn
from torch.nn import functional

from edgekit.core import Axis, Part, TensorSpec
from edgekit.errors import BadInput
from edgekit.exporters.coreml import EXPORTER

pytestmark = pytest.mark.thorough


torch.manual_seed(1)
OPERATORS: dict[str, tuple[Any, Sequence[int]]] = {
    "conv1d": (nn.Conv1d(4, 6, 3, stride=2, padding=1, dilation=2), (1, 4, 20)),
    "conv2d": (nn.Conv2d(4, 8, (3, 5), stride=(2, 1), padding=(1, 0), groups=4), (1, 4, 9, 11)),
    "same": (nn.Conv2d(3, 4, 5, padding="same"), (1, 3, 7, 8)),
    "batch norm": (nn.BatchNorm2d(5).eval(), (1, 5, 3, 4)),
    "layer norm": (nn.LayerNorm(7), (2, 3, 7)),
    "linear": (nn.Linear(6, 3), (2, 6)),
    "lstm": (Lambda(nn.LSTM(8, 5, batch_first=True), first=True), (1, 6, 8)),
    "gelu": (nn.GELU(), (3, 5)),
    "gelu tanh": (nn.GELU(approximate="tanh"), (3, 5)),
    "softmax": (lambda x: x.softmax(1), (2, 5, 3)),
    "relu6": (nn.ReLU6(), (4, 9)),
    "leaky relu": (nn.LeakyReLU(0.2), (4, 9)),
    "silu": (nn.SiLU(), (4, 9)),
    "hard sigmoid": (nn.Hardsigmoid(), (4, 9)),
    "hard swish": (nn.Hardswish(), (4, 9)),
    "log mel": (lambda x: (x.square() + 1e-6).log(), (2, 9)),
    "norm": (lambda x: functional.normalize(x, dim=-1), (2, 9)),
    "mean and deviation": (lambda x: torch.cat([x.mean(2), (x.square().mean(2) + 1).sqrt()], 1), (1, 3, 8)),
    "max and min": (lambda x: x.amax(1) - x.amin(1), (2, 7)),
    "matmul": (lambda x: x @ x.transpose(-1, -2), (2, 3, 4)),
    "split": (lambda x: x.split([2, 3], 1)[1] * 2, (1, 5, 2)),
    "chunks": (lambda x: torch.stack(x.chunk(3, 1), 0).sum(0), (1, 6, 2)),
    "slices": (lambda x: x[:, 1:-1:2, 3], (2, 9, 5)),
    "reflect": (lambda x: functional.pad(x, (3, 2), mode="reflect"), (1, 2, 8)),
    "pad": (lambda x: functional.pad(x, (1, 0, 2, 3), value=0.5), (1, 2, 4, 4)),
    "average pool": (nn.AvgPool2d(2), (1, 3, 6, 8)),
    "max pool": (nn.MaxPool2d(3, 2, 1), (1, 3, 7, 9)),
    "reshape": (lambda x: x.reshape(2, 3, 4).permute(2, 0, 1).flatten(1), (6, 4)),
    "maximum": (lambda x: torch.maximum(x, x.flip(0) * 0.5) / 3, (4, 4)),
    "power": (lambda x: (x.abs() + 0.1) ** 1.5, (4, 4)),
    "where": (lambda x: torch.where(x > 0, x, x * 0.1), (4, 4)),
    "clamp": (lambda x: x.clamp(-0.5, 0.25), (4, 4)),
    "expand": (lambda x: x[:, None].expand(2, 3, 4) + x[:, :1, None], (2, 4)),
    "tanh": (lambda x: x.tanh() + x.exp() + x.sigmoid(), (3, 3)),
}


@pytest.mark.parametrize("name", OPERATORS)
def test_the_interpreter_computes_what_torch_does(tmp_path: Path, name: str) -> None:
    function, shape = OPERATORS[name]
    x = torch.randn(*shape, generator=torch.Generator().manual_seed(2))
    with torch.inference_mode():
        expected = function(x)
    part = small_part(function, shape, expected.shape)
    export(tmp_path, part=part)
    out = EXPORTER.load(tmp_path / "toy.mlpackage", 1)({"x": x.numpy()})["y"]
    assert out.shape == tuple(expected.shape)
    np.testing.assert_allclose(out, expected.numpy(), rtol=1e-5, atol=1e-5)


def test_a_dynamic_axis(tmp_path: Path) -> None:
    shape: tuple[int | str, ...] = (1, "time", 6)
    part = Part("toy", (TensorSpec("x", "float32", shape),), (TensorSpec("y", "float32", (1, "time", 3)),),
                {"time": Axis(1, 50, 7)}, lambda checkpoint: nn.Linear(6, 3))  # fmt: skip
    torch.manual_seed(0)
    linear = nn.Linear(6, 3)
    export(tmp_path, part=Part(part.name, part.inputs, part.outputs, part.axes, lambda checkpoint: linear))
    runner = EXPORTER.load(tmp_path / "toy.mlpackage", 1)
    for time in (1, 7, 50):
        x = np.random.default_rng(time).standard_normal((1, time, 6)).astype(np.float32)
        with torch.inference_mode():
            np.testing.assert_allclose(runner({"x": x})["y"], linear(torch.from_numpy(x)).numpy(), rtol=1e-5, atol=1e-6)


def test_shapes_that_are_enumerated(tmp_path: Path) -> None:
    shape: tuple[int | str, ...] = (1, "time", 6)
    linear = nn.Linear(6, 3)
    part = Part("toy", (TensorSpec("x", "float32", shape),), (TensorSpec("y", "float32", (1, "time", 3)),),
                {"time": Axis(1, 50, 7, sizes=(10, 20))}, lambda checkpoint: linear)  # fmt: skip
    made = export(tmp_path, "fp32", {"shapes": "enumerated"}, part=part)
    assert made.census["sizes"] == {"time": (10, 20)}
    runner = EXPORTER.load(tmp_path / made.file, 1)
    for time in (10, 20):
        x = np.random.default_rng(time).standard_normal((1, time, 6)).astype(np.float32)
        with torch.inference_mode():
            np.testing.assert_allclose(runner({"x": x})["y"], linear(torch.from_numpy(x)).numpy(), rtol=1e-5, atol=1e-6)
    with pytest.raises(BadInput, match="made for 10, 20"):
        runner({"x": np.zeros((1, 15, 6), np.float32)})
    described = program_shapes(tmp_path / made.file)
    assert described == [[1, 10, 6], [1, 20, 6]]
    assert export(tmp_path / "range", part=part).census["sizes"] == {}


def program_shapes(file: Path) -> list[list[int]]:
    """The shapes that the saved program lists for its input."""
    import coremltools as ct

    kind = ct.models.MLModel(str(file), skip_model_load=True).get_spec().description.input[0].type.multiArrayType
    return sorted([list(shape.shape) for shape in kind.enumeratedShapes.shapes])


def test_half_precision_overflows_as_it_would_on_a_phone(tmp_path: Path) -> None:
    part = small_part(lambda x: (x * 300.0) * 300.0, (1, 4), (1, 4))
    export(tmp_path, "fp16", part=part)
    out = EXPORTER.load(tmp_path / "toy.mlpackage", 1)({"x": np.ones((1, 4), np.float32)})["y"]
    assert np.isinf(out).all()
