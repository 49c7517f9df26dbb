"""Names in a graph: inputs and outputs have the part's own, whatever the tensors inside are called."""

from __future__ import annotations

import numpy as np
import onnx
import torch
from torch import Tensor, nn

from edgekit.core import Part, TensorSpec
from edgekit.exporters.onnx.graph import from_torch
from edgekit.runtimes.onnxruntime.runner import OnnxRunner


class Words(nn.Module):
    """torch calls the result of the table "embedding", and the sum "add"."""

    def __init__(self) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.table = nn.Embedding(10, 4)

    def forward(self, tokens: Tensor) -> tuple[Tensor, Tensor]:
        x = self.table(tokens)
        return (x + 1).mean(1), x * 2


PART = Part(
    "words",
    (TensorSpec("tokens", "int64", (1, 3)),),
    (TensorSpec("embedding", "float32", (1, 4)), TensorSpec("add", "float32", (1, 3, 4))),
    {},
    lambda checkpoint: Words(),
)


def test_an_output_may_have_a_name_that_occurs_inside() -> None:
    module = Words().eval()
    model = from_torch(PART, module)
    assert [value.name for value in model.graph.output] == ["embedding", "add"]
    made = [name for node in model.graph.node for name in node.output]
    assert len(set(made)) == len(made)
    onnx.checker.check_model(model, full_check=True)
    tokens = np.array([[1, 5, 9]])
    answer = OnnxRunner(model.SerializeToString(), 1)({"tokens": tokens})
    with torch.no_grad():
        for name, value in zip(("embedding", "add"), module(torch.from_numpy(tokens)), strict=True):
            np.testing.assert_allclose(answer[name], value.numpy(), rtol=1e-5, atol=1e-6)


def test_a_table_may_have_the_name_of_an_input() -> None:
    part = Part("words", (TensorSpec("module.table.weight", "int64", (1, 3)),), PART.outputs, {}, PART.build)
    model = from_torch(part, Words().eval())
    assert model.graph.input[0].name == "module.table.weight"
    names = [tensor.name for tensor in model.graph.initializer]
    assert "module.table.weight" not in names
    answer = OnnxRunner(model.SerializeToString(), 1)({"module.table.weight": np.array([[1, 5, 9]])})
    assert answer["embedding"].shape == (1, 4)


class GivesBack(nn.Module):
    def forward(self, x: Tensor, mask: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        y = x * 2
        return mask, y, y


def test_an_input_may_be_an_output_as_it_is() -> None:
    inputs = (TensorSpec("x", "float32", (1, 3)), TensorSpec("mask", "bool", (1, 3)))
    outputs = (TensorSpec("kept", "bool", (1, 3)), *(TensorSpec(name, "float32", (1, 3)) for name in ("y", "again")))
    model = from_torch(Part("words", inputs, outputs, {}, lambda checkpoint: GivesBack()), GivesBack())
    feeds = {"x": np.array([[1, 2, 3]], np.float32), "mask": np.array([[True, False, True]])}
    answer = OnnxRunner(model.SerializeToString(), 1)(feeds)
    assert np.array_equal(answer["kept"], feeds["mask"])
    assert np.array_equal(answer["y"], 2 * feeds["x"]) and np.array_equal(answer["again"], answer["y"])
