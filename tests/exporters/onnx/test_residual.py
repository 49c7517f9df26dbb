"""Residual streams in graphs: rotated where that is possible, with the same outputs; else the reason is named."""

from __future__ import annotations

from typing import Any

import numpy as np
import onnx
import pytest
import torch
from helpers.cases.onnx_cases import ATTENTION, export
from torch import Tensor, nn

from edgekit.core import Part, TensorSpec
from edgekit.exporters.onnx.graph import from_torch
from edgekit.exporters.onnx.residual import rotate_stream
from edgekit.numerics.parity import relative_error
from edgekit.runtimes.onnxruntime.runner import evaluate

X = np.random.default_rng(0).standard_normal((1, 40, 128)).astype(np.float32)


class Block(nn.Module):
    """A product and a layer of two, with normalizations in front of both, or behind."""

    def __init__(self, width: int = 128, *, post: bool = False, bias: bool = True) -> None:
        super().__init__()
        self.one, self.two, self.post = nn.LayerNorm(width), nn.LayerNorm(width), post
        self.mix, self.down = nn.Linear(width, width), nn.Linear(192, width)
        self.up = nn.Linear(width, 192, bias=bias)
        for norm in (self.one, self.two):
            nn.init.normal_(norm.weight, 1, 0.5)
            nn.init.normal_(norm.bias)

    def forward(self, x: Tensor) -> Tensor:
        if self.post:
            x = self.one(x + torch.tanh(self.mix(x)))
            out: Tensor = self.two(x + self.down(torch.relu(self.up(x))))
            return out
        x = x + self.mix(self.one(x))
        return x + self.down(torch.relu(self.up(self.two(x))))


class Stack(nn.Module):
    """Blocks behind a first layer, with an outlier in the stream, and a last norm; `tail` reads what it gives."""

    def __init__(self, *, post: bool = False, tail: nn.Module | None = None, shared: bool = False) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.first = nn.Linear(128, 128)
        self.offset = nn.Parameter(torch.zeros(128))
        self.offset.data[5] = 60.0
        self.blocks = nn.ModuleList(Block(post=post, bias=bias) for bias in (True, False))
        if shared:
            self.blocks[1].mix = self.blocks[0].mix
        self.norm, self.tail = nn.LayerNorm(128), tail or nn.Linear(128, 128)

    def forward(self, x: Tensor) -> Tensor:
        x = torch.tanh(self.first(x)) + self.offset
        for block in self.blocks:
            x = block(x)
        out: Tensor = self.tail(self.norm(x))
        return out


def graph(module: nn.Module) -> onnx.ModelProto:
    part = Part("stack", ATTENTION.inputs, ATTENTION.outputs, ATTENTION.axes, lambda checkpoint: module)
    return from_torch(part, module)


@pytest.mark.parametrize("tail", [None, nn.GELU()], ids=["product", "no product"])
def test_a_rotated_graph_computes_the_same(tail: nn.Module | None) -> None:
    """Explicit products stand only where the stream begins, and where its end is read by no product."""
    plain = graph(Stack(tail=tail))
    turned, why = rotate_stream(plain)
    assert why == ""
    reference = evaluate(plain, [{"x": X}])
    assert relative_error(evaluate(turned, [{"x": X}]), reference) < 1e-5
    count = [sum(node.op_type == "MatMul" for node in one.graph.node) for one in (plain, turned)]
    assert count[1] == count[0] + (1 if tail is None else 2)
    onnx.checker.check_model(turned)


@pytest.mark.parametrize(
    ("module", "reason"),
    [
        (Stack(post=True), "post-norm: blocks.0.one"),
        (Stack(shared=True), "shared with another layer"),
        (nn.Sequential(nn.Linear(128, 64), nn.ReLU(), nn.Linear(64, 128)), "no layer normalization"),
    ],
    ids=["post-norm", "shared weights", "no norm"],
)
def test_why_it_is_not_rotated(module: nn.Module, reason: str) -> None:
    plain = graph(module)
    same, why = rotate_stream(plain)
    assert reason in why
    assert same is plain


def test_an_int8_export_says_whether_it_was_rotated(tmp_path: Any) -> None:
    outputs = (TensorSpec("y", "float32", (1, "time", 128)),)
    for post, note in ((False, "residual stream rotated"), (True, "not rotated: post-norm")):
        module = Stack(post=post)
        part = Part("stack", ATTENTION.inputs, outputs, ATTENTION.axes, lambda checkpoint, module=module: module)
        layers = export(tmp_path / str(post), "int8", given=part, calibration=[{"x": X}]).census["layers"]
        assert all(note in layer["why"] for layer in layers.values()), layers


def test_a_rotation_that_would_add_half_of_the_weights_again_is_left_out() -> None:
    torch.manual_seed(0)
    network = nn.Sequential(nn.Linear(128, 384), nn.LayerNorm(384), nn.GELU(), nn.Linear(384, 16)).eval()
    part = Part(
        "network", (TensorSpec("x", "float32", (1, 40, 128)),), (TensorSpec("y", "float32", (1, 40, 16)),), {}, None
    )
    model = from_torch(part, network)
    turned, why = rotate_stream(model)
    assert turned is model and "147,456 weights" in why
