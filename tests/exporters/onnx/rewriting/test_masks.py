"""Masks and guards of attention that no finite number needs leave the graph; those that decide an answer stay."""

from __future__ import annotations

from collections import Counter
from typing import Any

import numpy as np
import onnx
import pytest
import torch
from torch.nn.functional import scaled_dot_product_attention

from edgekit.core import Axis, Part, TensorSpec
from edgekit.exporters.onnx.graph import from_torch
from edgekit.exporters.onnx.rewriting.simpler import without_needless
from edgekit.runtimes.onnxruntime.runner import OnnxRunner

S, D = 5, 8


class Attention(torch.nn.Module):
    """Two heads over x [1, S, 2 * D]; `mask`: "none", "zeros" (a constant) or "keys" (an input of 0 and 1)."""

    def __init__(self, mask: str) -> None:
        super().__init__()
        self.mask = mask
        self.inner = torch.nn.Linear(2 * D, 6 * D)
        self.register_buffer("all", torch.ones(1, 1, S, S, dtype=torch.bool))

    def forward(self, x: torch.Tensor, given: torch.Tensor | None = None) -> torch.Tensor:
        q, k, v = self.inner(x).reshape(1, -1, 3, 2, D).permute(2, 0, 3, 1, 4)
        mask = self.all if self.mask == "zeros" else None
        if given is not None:
            mask = given.to(torch.bool)[:, None, None, :]
        return scaled_dot_product_attention(q, k, v, attn_mask=mask).transpose(1, 2).flatten(2)


def made(mask: str, length: int | str = S) -> tuple[torch.nn.Module, onnx.ModelProto, onnx.ModelProto]:
    """The network, its graph as torch makes it, and the graph without what is needless."""
    torch.manual_seed(3)
    network = Attention(mask).eval()
    inputs = [TensorSpec("x", "float32", (1, length, 2 * D))]
    if mask == "keys":
        inputs.append(TensorSpec("mask", "int64", (1, length)))
    outputs = (TensorSpec("y", "float32", (1, length, 2 * D)),)
    axes = {} if isinstance(length, int) else {length: Axis(2, 64, S)}
    graph = from_torch(Part("p", tuple(inputs), outputs, axes, None), network)
    return network, graph, without_needless(graph)


def operators(graph: onnx.ModelProto) -> Counter[str]:
    return Counter(node.op_type for node in graph.graph.node)


def answers(network: torch.nn.Module, graph: onnx.ModelProto, *inputs: np.ndarray[Any, Any]) -> tuple[Any, Any]:
    feeds = dict(zip(("x", "mask"), inputs, strict=False))
    [answer] = OnnxRunner(graph.SerializeToString(), 1)(feeds).values()
    with torch.no_grad():
        return answer, network(*map(torch.from_numpy, inputs)).numpy()


@pytest.mark.parametrize("length", [S, "s"])
@pytest.mark.parametrize("mask", ["none", "keys"])
def test_a_guard_of_finite_scores_goes(mask: str, length: int | str, rng: np.random.Generator) -> None:
    network, before, after = made(mask, length)
    assert operators(before)["IsNaN"] == (mask == "keys"), "torch guards no more: this rule may go"
    assert not operators(after)["IsNaN"]
    inputs = [rng.standard_normal((1, S, 2 * D), np.float32)]
    if mask == "keys":
        inputs.append(np.array([[1, 1, 0, 1, 0]]))
    answer, truth = answers(network, after, *inputs)
    np.testing.assert_allclose(answer, truth, atol=1e-6)
    np.testing.assert_array_equal(answer, answers(network, before, *inputs)[0])


def test_a_mask_of_zeros_goes(rng: np.random.Generator) -> None:
    network, before, after = made("zeros")
    assert operators(after) == operators(made("none")[1])
    assert sum(operators(before).values()) > sum(operators(after).values())
    answer, truth = answers(network, after, rng.standard_normal((1, S, 2 * D), np.float32))
    np.testing.assert_allclose(answer, truth, atol=1e-6)


@pytest.mark.parametrize("mask", ["input", "infinite", "finite"])
def test_a_guard_stays_where_whole_rows_may_be_hidden(mask: str, rng: np.random.Generator) -> None:
    """The mask is an input that is added, or zeros and minus infinity by a condition, or the lowest number."""
    node, low = onnx.helper.make_node, np.float32(-np.inf if mask == "infinite" else np.finfo(np.float32).min)
    masks = [] if mask == "input" else [node("Where", ["hidden", "low", "zero"], ["mask"])]
    model = graph_of(
        [
            *masks,
            node("MatMul", ["x", "w"], ["scores"]),
            node("Add", ["scores", "mask"], ["masked"]),
            node("Softmax", ["masked"], ["soft"]),
            node("IsNaN", ["soft"], ["bad"]),
            node("Where", ["bad", "zero", "soft"], ["kept"]),
            node("Identity", ["kept"], ["y"]),
        ],
        {"x": 1, "mask": 1} if mask == "input" else {"x": 1, "hidden": 9},
        {"w": rng.standard_normal((3, 4), np.float32), "zero": np.float32(0), "low": low},
    )
    after = without_needless(model)
    assert operators(after)["IsNaN"] == (mask != "finite")
    hidden = np.zeros((1, 3, 4), bool)
    hidden[0, 1] = True
    feeds = {"x": rng.standard_normal((1, 3, 3), np.float32)}
    feeds |= {"mask": np.where(hidden, -np.inf, 0).astype(np.float32)} if mask == "input" else {"hidden": hidden}
    [one], [two] = (OnnxRunner(graph.SerializeToString(), 1)(feeds).values() for graph in (model, after))
    np.testing.assert_array_equal(one, two)
    assert one[0, 1].any() == (mask == "finite")


@pytest.mark.parametrize("shape", [(3, 1, 4), (2, 3, 3, 4)])
def test_zeros_that_repeat_the_scores_stay(shape: tuple[int, ...]) -> None:
    model = graph_of(
        [
            onnx.helper.make_node("MatMul", ["x", "w"], ["scores"]),
            onnx.helper.make_node("Add", ["zeros", "scores"], ["masked"]),
            onnx.helper.make_node("Softmax", ["masked"], ["y"]),
        ],
        {"x": 1},
        {"w": np.ones((3, 4), np.float32), "zeros": np.zeros(shape, np.float32)},
    )
    assert without_needless(model) is model


def graph_of(nodes: list[onnx.NodeProto], inputs: dict[str, int], held: dict[str, Any]) -> onnx.ModelProto:
    """A graph over inputs (name -> type) of [1, 3, 3] for x and [1, 3, 4], whose output is y."""
    value, shapes = onnx.helper.make_tensor_value_info, {"x": [1, 3, 3]}
    graph = onnx.helper.make_graph(
        nodes,
        "g",
        [value(name, kind, shapes.get(name, [1, 3, 4])) for name, kind in inputs.items()],
        [value("y", 1, None)],
        [onnx.numpy_helper.from_array(np.asarray(array), name) for name, array in held.items()],
    )
    return onnx.helper.make_model(graph, opset_imports=[onnx.helper.make_opsetid("", 20)], ir_version=10)
