"""Numbers that are nearly 0 and keep a logarithm finite: the rules of the optimizer take them for 0."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from edgekit.core import Part, TensorSpec
from edgekit.exporters.onnx.graph import from_torch
from edgekit.runtimes.onnxruntime.runner import OnnxRunner


class Logarithm(torch.nn.Module):
    def __init__(self, weight: bool) -> None:
        super().__init__()
        self.least: torch.Tensor | float = torch.nn.Parameter(torch.tensor(1e-10)) if weight else 1e-10

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return torch.log(x * x + self.least)


@pytest.mark.parametrize("weight", [False, True])
def test_a_number_that_is_nearly_zero_is_still_added(weight: bool) -> None:
    specs = TensorSpec("x", "float32", (1, 4)), TensorSpec("y", "float32", (1, 4))
    made = from_torch(Part("p", specs[:1], specs[1:], {}, None), Logarithm(weight))
    (answer,) = OnnxRunner(made.SerializeToString(), 1)({"x": np.array([[0, 1, 2, 0]], np.float32)}).values()
    np.testing.assert_allclose(answer[0], np.log(np.array([1e-10, 1, 4, 1e-10])), atol=1e-4)
    assert not [node for node in made.graph.node if node.op_type == "Constant"]
