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
from edgekit.errors import BadInput, Unsupported
from edgekit.pipeline.artifacts import too_large
from edgekit.runtimes.coreml import RUNTIME

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
    "mask of ones": (lambda x: torch.where((x > 0) & torch.ones_like(x > 0), x, x * 0.5), (4, 4)),
    "part of a mask": (lambda x: torch.where((x > 0).slice_scatter(torch.ones(4, 2) > 0, 1, 1, 3), x, -x), (4, 4)),
    "finite": (lambda x: torch.where(torch.isfinite(x / (x - x)), x, x * 2), (4, 4)),
    "no number": (lambda x: torch.where(torch.isnan((x - x) / (x - x)), x, x * 2), (4, 4)),
    "whole numbers": (lambda x: x.gather(1, x.argmax(1, keepdim=True).clamp(1, 2)), (4, 4)),
    "copy": (lambda x: torch.ops.aten.copy(x, x[:1] * 2), (4, 4)),
    "clamp": (lambda x: x.clamp(-0.5, 0.25), (4, 4)),
    "expand": (lambda x: x[:, None].expand(2, 3, 4) + x[:, :1, None], (2, 4)),
    "tanh": (lambda x: x.tanh() + x.exp() + x.sigmoid(), (3, 3)),
    "transposed convolution": (
        nn.ConvTranspose2d(4, 6, 3, stride=2, padding=1, output_padding=1, groups=2),
        (1, 4, 5, 6),
    ),
    "bilinear": (nn.Upsample(scale_factor=2, mode="bilinear", align_corners=False), (1, 3, 4, 5)),
    "bilinear, corners aligned": (nn.Upsample(scale_factor=3, mode="bilinear", align_corners=True), (1, 3, 4, 5)),
    "bilinear to a size": (lambda x: functional.interpolate(x, (7, 9), mode="bilinear"), (1, 2, 3, 4)),
    "bicubic": (lambda x: functional.interpolate(x, (7, 9), mode="bicubic"), (1, 2, 3, 4)),
    "nearest": (nn.Upsample(scale_factor=2), (1, 3, 4, 5)),
    "pixel shuffle": (nn.PixelShuffle(2), (1, 8, 3, 4)),
    "pixel unshuffle": (nn.PixelUnshuffle(2), (1, 2, 4, 6)),
    "average pool, rounded up": (nn.AvgPool2d(3, 2, ceil_mode=True), (1, 3, 6, 7)),
    "a pool larger than the image": (nn.AvgPool2d(9, ceil_mode=True), (1, 3, 2, 2)),
    "max pool, rounded up": (nn.MaxPool2d(3, 2, 1, ceil_mode=True), (1, 3, 6, 7)),
    "instance norm": (nn.InstanceNorm2d(3, affine=True), (1, 3, 5, 4)),
    "group norm": (nn.GroupNorm(2, 6), (1, 6, 5, 4)),
    "attention": (lambda x: functional.scaled_dot_product_attention(x, x * 0.5, x), (1, 2, 5, 4)),
    "einsum": (lambda x: torch.einsum("bnhd,bmhd->bhnm", x, x), (1, 3, 2, 4)),
    "gru": (Lambda(nn.GRU(8, 5, 2, batch_first=True), first=True), (1, 6, 8)),
    "gru, both directions": (Lambda(nn.GRU(8, 5, batch_first=True, bidirectional=True), first=True), (1, 6, 8)),
    "rnn": (Lambda(nn.RNN(8, 5, batch_first=True), first=True), (1, 6, 8)),
    "lstm, both directions": (Lambda(nn.LSTM(8, 5, batch_first=True, bidirectional=True), first=True), (1, 6, 8)),
    "sums so far": (lambda x: x.cumsum(1), (2, 5)),
    "largest": (lambda x: x.topk(3, 1)[0], (2, 7)),
    "order": (lambda x: x.gather(1, x.argsort(1)), (2, 7)),
    "triangle": (lambda x: x.tril(), (4, 4)),
    "one hot": (lambda x: functional.one_hot(x.argmax(1), 6).float(), (3, 6)),
    "remainder": (lambda x: torch.remainder(x, 0.3) + (x / 0.3).floor(), (3, 4)),
    "scatter": (lambda x: torch.zeros_like(x).scatter(1, x.argsort(1), x), (2, 5)),
    "windows": (lambda x: x.unfold(1, 4, 2), (2, 10)),
    "slopes": (lambda x: functional.prelu(x - 2, torch.linspace(-0.5, 0.5, 8)), (1, 8)),
    "slopes of sequences": (lambda x: functional.prelu(x - 2, torch.linspace(-0.5, 0.5, 8)), (1, 8, 3)),
    "differences": (lambda x: torch.diff(x, dim=1, prepend=x[:, :1] * 2), (2, 10)),
    "softplus, elu, prelu": (nn.Sequential(nn.Softplus(), nn.ELU(), nn.PReLU(3)), (1, 3, 4)),
    "backwards": (lambda x: x.flip(1) + x.roll(2, 1), (2, 6)),
    "grid": (lambda x: functional.grid_sample(x[None], x[:2].permute(1, 2, 0)[None], align_corners=False), (3, 4, 5)),
}


@pytest.mark.parametrize("name", OPERATORS)
def test_the_interpreter_computes_what_torch_does(tmp_path: Path, name: str) -> None:
    function, shape = OPERATORS[name]
    x = torch.randn(*shape, generator=torch.Generator().manual_seed(2))
    with torch.inference_mode():
        expected = function(x)
    part = small_part(function, shape, expected.shape)
    export(tmp_path, part=part)
    out = RUNTIME.load(tmp_path / "toy.mlpackage", 1)({"x": x.numpy()})["y"]
    assert out.shape == tuple(expected.shape)
    np.testing.assert_allclose(out, expected.numpy(), rtol=1e-5, atol=1e-5)


class Noise(nn.Module):
    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return x + torch.randn((2, 3)) * 0.0


@pytest.mark.parametrize("precision", ["fp16", "int8"])
def test_what_cannot_be_interpreted_is_written_and_says_so(tmp_path: Path, precision: str) -> None:
    """Core ML has the operator; this interpreter has not."""
    sequence = nn.Sequential(nn.Linear(3, 900), nn.Linear(900, 3), Noise())
    part = small_part(sequence, (2, 3), (2, 3))
    made = export(tmp_path, precision, part=part, feeds=[{"x": np.ones((2, 3), np.float32)}])
    runner = RUNTIME.load(tmp_path / made.file, 1)
    assert (runner.inputs, runner.outputs) == (part.inputs, part.outputs)
    assert "the operator random_normal of " in runner.unable and runner.unable.endswith("is not interpreted")
    with pytest.raises(Unsupported, match=r"cannot be run here.*random_normal"):
        runner({"x": np.ones((2, 3), np.float32)})


def test_casts_and_masks_of_strangers(tmp_path: Path) -> None:
    """``int(x.shape[0])`` in a trace, and masks that begin with `new_ones`."""

    def masked(x: torch.Tensor) -> torch.Tensor:
        size = torch.tensor([x.shape[1]])
        keep = x.new_ones((), dtype=torch.bool) & (torch.arange(int(size)) < 3)
        return torch.where(keep, x, x.new_ones(x.shape) * 0.5)

    x = torch.randn(2, 5, generator=torch.Generator().manual_seed(2))
    export(tmp_path, part=small_part(masked, (2, 5), (2, 5)))
    np.testing.assert_allclose(RUNTIME.load(tmp_path / "toy.mlpackage", 1)({"x": x.numpy()})["y"], masked(x).numpy())


class Positions(nn.Module):
    """A bias for every two steps and head, looked up in a small table: of 300 steps and 8 heads, 2.9 MB in float."""

    def __init__(self) -> None:
        super().__init__()
        self.table, self.linear = nn.Embedding(32, 8), nn.Linear(16, 16)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        steps = torch.arange(x.shape[1])
        apart = steps[None] - steps[:, None]
        far = ((apart.abs().float() / 8 + 1).log() * 4).long().clamp(0, 15)
        bias = self.table(torch.where(apart > 0, 16, 0) + far).permute(2, 0, 1)
        y = self.linear(x)
        out: torch.Tensor = ((y @ y.transpose(1, 2))[:, None] + bias[None]).softmax(-1).mean(1) @ y
        return out


@pytest.mark.parametrize("precision", ["fp32", "fp16"])
def test_what_a_small_table_grows_to_is_not_stored(tmp_path: Path, precision: str) -> None:
    torch.manual_seed(0)
    network = Positions().eval()
    made = export(tmp_path, precision, part=small_part(network, (1, 300, 16), (1, 300, 16)))
    assert sum(made.census["bytes"].values()) < 10_000, "neither the positions nor their places in the table"
    assert made.census["constants"] == {}
    x = torch.randn(1, 300, 16, generator=torch.Generator().manual_seed(2))
    with torch.inference_mode():
        expected = network(x).numpy()
    out = RUNTIME.load(tmp_path / made.file, 1)({"x": x.numpy()})["y"]
    np.testing.assert_allclose(out, expected, atol=1e-5 if precision == "fp32" else 2e-2)


def test_what_makes_a_program_larger_than_fit_expects_is_named(tmp_path: Path) -> None:
    held = torch.randn(300, 300)
    made = export(tmp_path, part=small_part(lambda x: x + held, (1, 300, 300), (1, 300, 300)))
    assert too_large([made], 300_000) == ""
    note = too_large([made], 100_000)
    assert note.startswith("360 kB where fit expects 100 kB; the largest constants: ") and note.endswith(" (360 kB)")


@pytest.mark.parametrize("precision", ["int8", "int4"])
def test_weights_that_others_share(tmp_path: Path, precision: str) -> None:
    """One table is a layer's weights, and is added; zeros are a bias, and the shift of a normalization."""

    class Shared(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            torch.manual_seed(0)
            self.weight = nn.Parameter(torch.randn(64, 64) * 0.1)
            self.norm, self.zeros = nn.LayerNorm(64), nn.Linear(64, 2304)
            self.last = nn.Linear(2304, 64)
            nn.init.zeros_(self.zeros.bias)

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            y = functional.linear(self.norm(x), self.weight) + self.weight
            return self.last(functional.layer_norm(self.zeros(y), (2304,), torch.ones(2304), torch.zeros(2304)))

    part = small_part(Shared(), (64, 64), (64, 64))
    x = np.random.default_rng(0).standard_normal((64, 64)).astype(np.float32)
    made = export(tmp_path, precision, part=part, feeds=[{"x": x}])
    forms = [layer["form"] for layer in made.census["layers"].values()]
    assert len(forms) == 3 and "float" not in forms
    truth = part.build(None)(torch.from_numpy(x)).detach().numpy()  # type: ignore[misc,arg-type]
    out = RUNTIME.load(tmp_path / made.file, 1)({"x": x})["y"]
    assert np.linalg.norm(out - truth) < {"int8": 0.03, "int4": 0.25}[precision] * np.linalg.norm(truth)


def test_a_dynamic_axis(tmp_path: Path) -> None:
    shape: tuple[int | str, ...] = (1, "time", 6)
    part = Part("toy", (TensorSpec("x", "float32", shape),), (TensorSpec("y", "float32", (1, "time", 3)),),
                {"time": Axis(1, 50, 7)}, lambda checkpoint: nn.Linear(6, 3))  # fmt: skip
    torch.manual_seed(0)
    linear = nn.Linear(6, 3)
    export(tmp_path, part=Part(part.name, part.inputs, part.outputs, part.axes, lambda checkpoint: linear))
    runner = RUNTIME.load(tmp_path / "toy.mlpackage", 1)
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
    runner = RUNTIME.load(tmp_path / made.file, 1)
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
    out = RUNTIME.load(tmp_path / "toy.mlpackage", 1)({"x": np.ones((1, 4), np.float32)})["y"]
    assert np.isinf(out).all()
