"""Graphs made ready for int8 products, and made quick afterwards: the same answers in other operators."""

from __future__ import annotations

from collections import Counter
from typing import Any, cast

import numpy as np
import onnx
import pytest
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from edgekit.core import Part, TensorSpec
from edgekit.errors import ExportFailed
from edgekit.exporters.onnx import census, finding, linear, products
from edgekit.exporters.onnx.choice.weights import record_inputs
from edgekit.exporters.onnx.graph import constants, from_torch
from edgekit.numerics.parity import relative_error
from edgekit.quantization.weights import gptq
from edgekit.runtimes.onnxruntime.runner import OnnxRunner

ROWS, WIDTH, WORDS = 24, 64, 200


class Block(nn.Module):
    """A table, a normalization with a few large channels, products behind it, a classifier of one row."""

    def __init__(self) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.table = nn.Embedding(WORDS, WIDTH)
        self.norm, self.last = nn.LayerNorm(WIDTH), nn.LayerNorm(WIDTH)
        self.up, self.down, self.head = nn.Linear(WIDTH, 128), nn.Linear(128, WIDTH), nn.Linear(WIDTH, 5)
        with torch.no_grad():
            self.norm.weight[3] = 40.0

    def forward(self, tokens: Tensor) -> Tensor:
        x = self.norm(self.table(tokens))
        x = self.last(x + self.down(nn.functional.gelu(self.up(x))))
        out: Tensor = self.head(x[:, 0])
        return out


PART = Part(
    "block", (TensorSpec("tokens", "int64", (1, ROWS)),), (TensorSpec("scores", "float32", (1, 5)),), {},
    lambda checkpoint: Block(),
)  # fmt: skip


@pytest.fixture(scope="module")
def graph() -> onnx.ModelProto:
    return from_torch(PART, Block().eval())


def feeds(count: int = 4) -> list[dict[str, NDArray[Any]]]:
    rng = np.random.default_rng(0)
    return [{"tokens": rng.integers(0, WORDS, (1, ROWS))} for _ in range(count)]


def answers(model: onnx.ModelProto) -> NDArray[np.float32]:
    runner = OnnxRunner(model.SerializeToString(), 1)
    return np.concatenate([runner(feed)["scores"] for feed in feeds()])


def away(model: onnx.ModelProto, graph: onnx.ModelProto) -> float:
    truth = answers(graph)
    return float(np.linalg.norm(answers(model) - truth) / np.linalg.norm(truth))


def kinds(model: onnx.ModelProto) -> Counter[str]:
    return Counter(node.op_type for node in model.graph.node)


def test_weights_count_not_their_bytes() -> None:
    """Masks and positions in half take as much room as twice as many weights in int8."""
    census.check({"float16": 200, "int8": 120}, [], "part", "int8", True)
    with pytest.raises(ExportFailed, match="only 44% of its weights"):
        census.check({"float16": 200, "int8": 80}, [], "part", "int8", True)


def test_a_gemm_is_a_product_and_a_sum(graph: onnx.ModelProto) -> None:
    assert kinds(graph)["Gemm"] == 1
    made = linear.with_products(graph)
    assert kinds(made)["Gemm"] == 0
    assert len(finding.products(made)) == 3
    assert away(made, graph) < 1e-6


def test_nodes_without_names_get_their_own(graph: onnx.ModelProto) -> None:
    bare = onnx.ModelProto()
    bare.CopyFrom(graph)
    for node in bare.graph.node:
        node.name = ""
    names = [node.name for node in linear.with_products(bare).graph.node]
    assert all(names)
    assert len(set(names)) == len(names)


def test_a_table_is_stored_in_int8(graph: onnx.ModelProto) -> None:
    made, choice = linear.with_tables(graph)
    assert [layer.form for layer in choice.values()] == ["weight-only"]
    [table] = [array for name, array in constants(made).items() if array.dtype == np.int8]
    assert table.shape == (WORDS, WIDTH)
    assert 0 < away(made, graph) < 0.02


def test_a_table_takes_the_bits_that_are_asked_for(graph: onnx.ModelProto) -> None:
    whole, _ = linear.with_tables(graph)
    made, choice = linear.with_tables(graph, 4.5)
    [layer] = choice.values()
    assert "4.5 bits a weight" in layer.why
    [steps] = [array for name, array in constants(made).items() if array.dtype == np.int8]
    assert steps.shape == (WORDS, WIDTH) and 4.0 < gptq.entropy(steps) <= 4.5
    assert away(whole, graph) < away(made, graph) < 0.2


class _Patches(nn.Module):
    """Weights that have no integer product beside matrices."""

    def __init__(self, kind: str) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.patches, self.out = nn.Conv2d(3, 32, 8, stride=8), nn.Linear(32, 64)
        if kind == "ConvTranspose":
            self.patches = nn.ConvTranspose2d(3, 32, 8, stride=8)  # type: ignore[assignment]
        self.heads = nn.Parameter(torch.randn(4, 32, 32)) if kind == "Einsum" else None

    def forward(self, image: Tensor) -> Tensor:
        out: Tensor = self.patches(image).flatten(2).transpose(1, 2)
        if self.heads is not None:
            out = torch.einsum("btc,hcd->bhtd", out, self.heads).sum(1)
        return cast(Tensor, self.out(out))


@pytest.mark.parametrize(
    ("kind", "side", "shapes"),
    [
        ("Conv", 32, {(32, 3, 8, 8)}),
        ("ConvTranspose", 4, {(3, 32, 8, 8)}),
        ("Einsum", 32, {(32, 3, 8, 8), (4, 32, 32)}),
    ],
)
def test_weights_without_an_integer_product_are_stored_in_int8(kind: str, side: int, shapes: set[Any]) -> None:
    network, image = _Patches(kind).eval(), (1, 3, side, side)
    tokens = network(torch.zeros(image)).shape[1]
    spec, out = TensorSpec("image", "float32", image), TensorSpec("y", "float32", (1, tokens, 64))
    plain = from_torch(Part("toy", (spec,), (out,), {}, lambda checkpoint: network), network)
    made, choice = linear.with_stored(plain)
    assert {layer.form for layer in choice.values()} == {"weight-only"} and kind in str(choice)
    assert {array.shape for array in constants(made).values() if array.dtype == np.int8} == shapes
    feed = {"image": np.random.default_rng(0).standard_normal(image).astype(np.float32)}
    truth, got = (OnnxRunner(one.SerializeToString(), 1)(feed)["y"] for one in (plain, made))
    assert 0 < np.linalg.norm(got - truth) < 0.02 * np.linalg.norm(truth)


def test_large_channels_are_evened_out(graph: onnx.ModelProto) -> None:
    plain = linear.with_products(graph)
    names = [product.node for product in finding.products(plain)]
    even = linear.equalize_inputs(plain, names, feeds())
    assert 1 <= kinds(even)["Mul"] - kinds(plain)["Mul"] <= 3
    assert away(even, graph) < 1e-5
    forms = dict.fromkeys(names, "dynamic")
    assert away(products.quantize(even, forms), graph) < 0.5 * away(products.quantize(plain, forms), graph)


@pytest.mark.parametrize("form", ["dynamic", "rows"])
def test_biases_and_sums_are_where_kernels_are_quick(graph: onnx.ModelProto, form: str) -> None:
    plain = linear.with_products(graph)
    made = products.quantize(plain, {product.node: form for product in finding.products(plain)})
    integer = [node for node in made.graph.node if node.op_type == "MatMulIntegerToFloat"]
    assert len(integer) == 3
    assert {len(node.input) for node in integer} == ({7} if form == "dynamic" else {6})
    # In front of the normalization, and of the Gelu where the product does not add its bias.
    assert kinds(made)["Sum"] == (1 if form == "dynamic" else 2)
    assert away(made, graph) < 0.05


def test_a_row_with_an_outlier_costs_no_other_row() -> None:
    rng = np.random.default_rng(0)
    x = rng.standard_normal((20, 64)).astype(np.float32)
    x[4] *= 1000
    weight = rng.standard_normal((64, 32)).astype(np.float32)
    node = onnx.helper.make_node("MatMul", ["x", "w"], ["y"], name="product")
    ends = [onnx.helper.make_tensor_value_info(name, 1, [20, size]) for name, size in (("x", 64), ("y", 32))]
    graph = onnx.helper.make_graph([node], "toy", ends[:1], ends[1:], [onnx.numpy_helper.from_array(weight, "w")])
    plain = onnx.helper.make_model(graph, opset_imports=[onnx.helper.make_opsetid("", 20)], ir_version=10)
    truth, errors = x @ weight, {}
    for form in ("dynamic", "rows"):
        runner = OnnxRunner(products.quantize(plain, {"product": form}).SerializeToString(), 1)
        off = np.linalg.norm(runner({"x": x})["y"] - truth, axis=1) / np.linalg.norm(truth, axis=1)
        errors[form] = float(np.delete(off, 4).max())
    assert errors["rows"] < 0.02 < 0.2 < errors["dynamic"]


@pytest.mark.parametrize("single", [True, False])
def test_rows_of_a_list_and_of_a_batch(single: bool) -> None:
    """A call of one list of rows, as speech is, and a call of many, whose rows are counted when it comes."""
    rng = np.random.default_rng(0)
    weight = rng.standard_normal((64, 32)).astype(np.float32)
    node = onnx.helper.make_node("MatMul", ["x", "w"], ["y"], name="product")
    lead = 1 if single else "batch"
    ends = [onnx.helper.make_tensor_value_info(name, 1, [lead, "n", size]) for name, size in (("x", 64), ("y", 32))]
    graph = onnx.helper.make_graph([node], "toy", ends[:1], ends[1:], [onnx.numpy_helper.from_array(weight, "w")])
    plain = onnx.helper.make_model(graph, opset_imports=[onnx.helper.make_opsetid("", 20)], ir_version=10)
    calls = [{"x": np.maximum(rng.standard_normal((1, 200, 64)), -0.2).astype(np.float32)}]
    weights = record_inputs(plain, ["product"], calls)
    assert weights.inputs("product").single == single
    assert weights.inputs("product").zero < 40
    made = products.quantize(plain, {"product": "rows"}, weights)
    runner = OnnxRunner(made.SerializeToString(), 1)
    for x in (calls[0]["x"], np.ones((1 if single else 3, 5, 64), np.float32)):
        assert relative_error([runner({"x": x})], [{"y": x @ weight}]) < 0.015


def test_products_of_one_input_in_unlike_forms() -> None:
    """Each form has its own scales of the input, under its own names."""
    rng = np.random.default_rng(0)
    x, weights = rng.standard_normal((20, 64)).astype(np.float32), rng.standard_normal((2, 64, 32)).astype(np.float32)
    nodes = [onnx.helper.make_node("MatMul", ["x", f"w{i}"], [f"y{i}"], name=f"product{i}") for i in (0, 1)]
    ends = [
        onnx.helper.make_tensor_value_info(name, 1, [20, size]) for name, size in (("x", 64), ("y0", 32), ("y1", 32))
    ]
    held = [onnx.numpy_helper.from_array(weights[i], f"w{i}") for i in (0, 1)]
    graph = onnx.helper.make_graph(nodes, "toy", ends[:1], ends[1:], held)
    plain = onnx.helper.make_model(graph, opset_imports=[onnx.helper.make_opsetid("", 20)], ir_version=10)
    made = products.quantize(plain, {"product0": "dynamic", "product1": "rows"})
    answers = OnnxRunner(made.SerializeToString(), 1)({"x": x})
    assert relative_error([answers], [{f"y{i}": x @ weights[i] for i in (0, 1)}]) < 0.015


@pytest.mark.parametrize("form", ["dynamic", "rows", "int16"])
def test_outliers_are_multiplied_in_float(form: str) -> None:
    """A large channel and a large weight, by which int8 alone loses the others' digits; two products read them."""
    rng = np.random.default_rng(0)
    weights = {name: rng.standard_normal((256, 32)).astype(np.float32) for name in ("one", "other")}
    weights["one"][9, 5] = 300
    nodes = [onnx.helper.make_node("MatMul", ["x", name], [f"{name}.y"], name=name) for name in weights]
    sizes = (("x", 256), ("one.y", 32), ("other.y", 32))
    ends = [onnx.helper.make_tensor_value_info(name, 1, [1, "n", size]) for name, size in sizes]
    held = [onnx.numpy_helper.from_array(value, name) for name, value in weights.items()]
    graph = onnx.helper.make_graph(nodes, "toy", ends[:1], ends[1:], held)
    plain = onnx.helper.make_model(graph, opset_imports=[onnx.helper.make_opsetid("", 20)], ir_version=10)
    x = rng.standard_normal((1, 300, 256)).astype(np.float32)
    x[..., 3] *= 80
    truth = [{f"{name}.y": x @ weight for name, weight in weights.items()}]
    forms = dict.fromkeys(weights, form)
    made = products.quantize(plain, forms, record_inputs(plain, list(weights), [{"x": x}]))
    whole = products.quantize(plain, forms)
    near, far = (relative_error([OnnxRunner(model.SerializeToString(), 1)({"x": x})], truth) for model in (made, whole))
    assert near < 0.01 and far > 2 * near
    assert Counter(node.op_type for node in made.graph.node)["Gather"] == 1  # both products read what was cut once
    small = constants(made)["one.outliers"]
    np.testing.assert_allclose(np.sort(np.abs(small).max(axis=1))[-1], 300)
