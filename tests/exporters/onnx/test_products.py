"""The int8 forms of the ONNX exporter that need no calibrated ranges."""

from __future__ import annotations

import re
from collections.abc import Mapping
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
import torch
from helpers.cases.onnx_cases import ATTENTION, CHECKPOINT, VOCABULARY, WIDTH, Toy, export, feeds, model, part
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from onnx import numpy_helper
from torch import Tensor, nn

from edgekit.common.packed import pack
from edgekit.core import Artifact, Part, Recipe, TensorSpec
from edgekit.errors import ExportFailed, Unsupported
from edgekit.exporters.onnx import EXPORTER, finding, products
from edgekit.exporters.onnx.choice.weights import GRIDS, record_inputs
from edgekit.exporters.onnx.finding import BLOCK
from edgekit.exporters.onnx.forms import pack_steps
from edgekit.exporters.onnx.graph import constants
from edgekit.numerics.parity import LIMITS, PARTLY_4_BITS, part_error, relative_error
from edgekit.quantization.choice import Bounds
from edgekit.quantization.latencies import Shape
from edgekit.quantization.plan import LayerPlan
from edgekit.quantization.weights.gptq import nearest
from edgekit.runtimes.onnxruntime import RUNTIME
from edgekit.runtimes.onnxruntime.runner import OnnxRunner, evaluate
from edgekit.runtimes.torch.runner import TorchRunner

# --- int8 ------------------------------------------------------------------------------------------------------------


def initializers(file: Path) -> dict[str, NDArray[Any]]:
    return {tensor.name: numpy_helper.to_array(tensor) for tensor in onnx.load(file).graph.initializer}


@settings(max_examples=50, deadline=None)
@given(
    st.integers(1, 300),
    st.integers(1, 9),
    st.floats(1e-20, 1e20),
    st.integers(0, 1000),
)
def test_blockwise_values_are_within_half_a_step(inputs: int, outputs: int, scale: float, seed: int) -> None:
    weight = (np.random.default_rng(seed).standard_normal((inputs, outputs)) * scale).astype(np.float32)
    weight[:, 0] = 0
    values, scales = pack_steps(nearest(weight, GRIDS["blockwise"]))
    blocks = -(-inputs // BLOCK)
    assert (values.shape, values.dtype) == ((outputs, blocks, BLOCK), np.uint8)
    assert (scales.shape, scales.dtype) == ((outputs, blocks), np.float32)
    back = ((values.astype(np.float64) - 128) * scales[..., None]).reshape(outputs, -1)
    assert not back[:, inputs:].any()
    error = np.abs(back[:, :inputs] - weight.T)
    step = np.repeat(scales, BLOCK, axis=1)[:, :inputs].astype(np.float64)
    assert (error <= 0.5001 * step).all()
    # And no coarser than it must be: the largest weight of a block has the largest value.
    largest = np.abs(values.astype(int) - 128).max(-1)
    assert (largest[1:] == 127).all()
    assert not back[0].any()


@pytest.mark.parametrize("form", ["blockwise", "dynamic"])
@pytest.mark.parametrize("size", [(1, 1), (7, 5), (128, 64), (130, 33), (200, 256)])
def test_the_forms_against_numpy(form: str, size: tuple[int, int]) -> None:
    """One product, its rounding redone with numpy; K need not be a multiple of the block."""
    from edgekit.exporters.onnx.products import quantize

    inputs, outputs = size
    rng = np.random.default_rng(0)
    weight = rng.standard_normal(size).astype(np.float32)
    x = rng.standard_normal((1, 20, inputs)).astype(np.float32)
    graph = onnx.helper.make_graph(
        [onnx.helper.make_node("MatMul", ["x", "w"], ["y"], name="product")],
        "toy",
        [onnx.helper.make_tensor_value_info("x", onnx.TensorProto.FLOAT, [1, "n", inputs])],
        [onnx.helper.make_tensor_value_info("y", onnx.TensorProto.FLOAT, [1, "n", outputs])],
        [numpy_helper.from_array(weight, "w")],
    )
    plain = onnx.helper.make_model(graph, opset_imports=[onnx.helper.make_opsetid("", 20)], ir_version=10)
    model = quantize(plain, {"product": form})
    assert "w" not in {tensor.name for tensor in model.graph.initializer}
    actual = OnnxRunner(model.SerializeToString(), 1)({"x": x})["y"]
    if form == "dynamic":
        low, high = min(float(x.min()), 0.0), max(float(x.max()), 0.0)
        step = np.float32((high - low) / 255)
        zero = np.rint(np.clip(-low / step, 0, 255))
        rounded = np.clip(np.rint(x / step) + zero, 0, 255) - zero
        scales = np.abs(weight).max(0) / 127
        expected = (rounded.astype(np.int64) @ np.rint(weight / scales).astype(np.int64)) * (step * scales)
        # onnxruntime may round one activation the other way where it lies between two steps.
        np.testing.assert_allclose(actual, expected, atol=1.5 * step * np.abs(weight).max(), rtol=1e-5)
    else:
        values, scales = pack_steps(nearest(weight, GRIDS["blockwise"]))
        back = ((values.astype(np.float32) - 128) * scales[..., None]).reshape(outputs, -1)[:, :inputs]
        exact = x @ back.T
        # Activations are rounded to 8 bits a row and block: an error of a half step each, which add up like noise.
        bound = 4 * np.sqrt(inputs) * np.abs(x).max() / 127 / 2 * np.abs(back).max()
        np.testing.assert_allclose(actual, exact, atol=max(bound, 1e-6))
    error = relative_error([{"y": actual}], [{"y": x @ weight}])
    assert error < 0.03


@pytest.mark.parametrize("size", [(32, 5), (128, 64), (130, 33)])
def test_four_bits_against_numpy(size: tuple[int, int]) -> None:
    """What is stored is what is multiplied: half a byte a weight, scales in half precision."""
    from edgekit.exporters.onnx.products import quantize

    weight = np.random.default_rng(0).standard_normal(size).astype(np.float32)
    x = np.random.default_rng(1).standard_normal((1, 9, size[0])).astype(np.float32)
    graph = onnx.helper.make_graph(
        [onnx.helper.make_node("MatMul", ["x", "w"], ["y"], name="product")],
        "toy",
        [onnx.helper.make_tensor_value_info("x", onnx.TensorProto.FLOAT, [1, "n", size[0]])],
        [onnx.helper.make_tensor_value_info("y", onnx.TensorProto.FLOAT, [1, "n", size[1]])],
        [numpy_helper.from_array(weight, "w")],
    )
    plain = onnx.helper.make_model(graph, opset_imports=[onnx.helper.make_opsetid("", 20)], ir_version=10)
    model = quantize(plain, {"product": "four-bit"})
    arrays = constants(model)
    blocks = -(-size[0] // 32)
    assert (arrays["product.int8"].shape, arrays["product.int8"].dtype) == ((size[1], blocks, 16), np.uint8)
    assert arrays["product.scales"].dtype == np.float16
    made = nearest(weight, GRIDS["four-bit"]).weights()
    assert relative_error([{"w": made}], [{"w": weight}]) < 0.1
    actual = OnnxRunner(model.SerializeToString(), 1)({"x": x})
    assert relative_error([actual], [{"y": x @ made}]) < 0.01


@pytest.mark.parametrize("calls", [2, 6])
def test_weights_are_rounded_by_inputs_where_these_are_enough(calls: int) -> None:
    graph = onnx.helper.make_graph(
        [onnx.helper.make_node("MatMul", ["x", "w"], ["y"], name="product")],
        "toy",
        [onnx.helper.make_tensor_value_info("x", onnx.TensorProto.FLOAT, [1, "n", 64])],
        [onnx.helper.make_tensor_value_info("y", onnx.TensorProto.FLOAT, [1, "n", 24])],
        [numpy_helper.from_array(np.random.default_rng(0).standard_normal((64, 24)).astype(np.float32), "w")],
    )
    plain = onnx.helper.make_model(graph, opset_imports=[onnx.helper.make_opsetid("", 20)], ir_version=10)
    rng = np.random.default_rng(1)
    basis = rng.standard_normal((16, 64))
    inputs = [{"x": (rng.standard_normal((1, 30, 16)) @ basis).astype(np.float32)} for _ in range(calls)]
    [product] = finding.products(plain)
    made = record_inputs(plain, ["product"], inputs).of("product", product.weight, "four-bit").weights()
    near = nearest(product.weight, GRIDS["four-bit"]).weights()
    assert (made == near).all() == (calls == 2)


def test_a_table_that_is_looked_up_too_keeps_its_rows() -> None:
    """Inputs of products lie in 8 of 64 dimensions: what rounding does to the rest matters to the look-up alone."""
    rng = np.random.default_rng(0)
    table = rng.standard_normal((256, 128)).astype(np.float32)
    nodes = [
        onnx.helper.make_node("Gather", ["table", "tokens"], ["row"], name="lookup"),
        onnx.helper.make_node("Transpose", ["table"], ["turned"], perm=[1, 0], name="turn"),
        onnx.helper.make_node("MatMul", ["x", "turned"], ["y"], name="product"),
    ]
    graph = onnx.helper.make_graph(
        nodes,
        "toy",
        [
            onnx.helper.make_tensor_value_info("x", onnx.TensorProto.FLOAT, [1, "n", 128]),
            onnx.helper.make_tensor_value_info("tokens", onnx.TensorProto.INT64, [1, "n"]),
        ],
        [
            onnx.helper.make_tensor_value_info("y", onnx.TensorProto.FLOAT, [1, "n", 256]),
            onnx.helper.make_tensor_value_info("row", onnx.TensorProto.FLOAT, [1, "n", 128]),
        ],
        [numpy_helper.from_array(table, "table")],
    )
    plain = onnx.helper.make_model(graph, opset_imports=[onnx.helper.make_opsetid("", 20)], ir_version=10)
    basis = rng.standard_normal((8, 128))
    inputs = [
        {"x": (rng.standard_normal((1, 60, 8)) @ basis).astype(np.float32), "tokens": np.zeros((1, 60), np.int64)}
        for _ in range(6)
    ]
    [product] = finding.products(plain)
    assert product.table == "table"
    made = record_inputs(plain, ["product"], inputs).of("product", product.weight, "four-bit").weights()
    near = nearest(product.weight, GRIDS["four-bit"]).weights()
    table_errors = [relative_error([{"w": one}], [{"w": product.weight}]) for one in (made, near)]
    x = np.concatenate([feed["x"][0] for feed in inputs])
    truth = [{"y": x @ product.weight}]
    assert relative_error([{"y": x @ made}], truth) < 0.6 * relative_error([{"y": x @ near}], truth)
    assert table_errors[0] < 1.15 * table_errors[1]


@pytest.mark.parametrize("form", ["table-4", "four-bit", "table-5.25", "blockwise-6"])
def test_a_tied_table_in_fewer_bits(tmp_path: Path, form: str) -> None:
    """The look-up and the projection read the same weights, which the file holds once."""
    export(tmp_path, "fp32")
    model = products.quantize(onnx.load(tmp_path / "toy.onnx"), {"table:1": form})
    held = b"".join(array.tobytes() for name, array in constants(model).items() if name.startswith("MatMul."))
    pack(held, tmp_path / "held.gz")
    bits = GRIDS[form].coded or GRIDS[form].bits
    assert (tmp_path / "held.gz").stat().st_size <= VOCABULARY * WIDTH * (bits + 0.7) / 8
    calls = [(feeds(time=60, new=3), TorchRunner(part(), Toy())(feeds(time=60, new=3)))]
    assert part_error(OnnxRunner(model.SerializeToString(), 1), calls) < 2 * LIMITS["int8"]


def test_bits_that_a_recipe_asks_for(tmp_path: Path) -> None:
    artifact = export(tmp_path, "int8", options={"bits": {"toy": 4.5}})
    forms = {layer["form"] for layer in artifact.census["layers"].values()}
    assert len(forms) > 1 and max(GRIDS[form].coded for form in forms) > 4
    assert artifact.file == "toy.onnx.gz" and not (tmp_path / "toy.onnx").exists()
    calls = [(feeds(time=60, new=3), TorchRunner(part(), Toy())(feeds(time=60, new=3)))]
    assert part_error(RUNTIME.load(tmp_path / "toy.onnx.gz", 1), calls) < LIMITS[PARTLY_4_BITS]


def single(weight: np.ndarray) -> onnx.ModelProto:
    """A product of 60 rows with `weight`, [128, 64]."""
    graph = onnx.helper.make_graph(
        [onnx.helper.make_node("MatMul", ["x", "w"], ["y"], name="product")],
        "toy",
        [onnx.helper.make_tensor_value_info("x", onnx.TensorProto.FLOAT, [1, 60, 128])],
        [onnx.helper.make_tensor_value_info("y", onnx.TensorProto.FLOAT, [1, 60, 64])],
        [numpy_helper.from_array(weight, "w")],
    )
    return onnx.helper.make_model(graph, opset_imports=[onnx.helper.make_opsetid("", 20)], ir_version=10)


def test_a_form_that_was_asked_for_is_rounded_by_inputs_too() -> None:
    rng = np.random.default_rng(0)
    weight, basis = rng.standard_normal((128, 64)).astype(np.float32), rng.standard_normal((8, 128))
    plain = single(weight)
    inputs = [{"x": (rng.standard_normal((1, 60, 8)) @ basis).astype(np.float32)} for _ in range(6)]
    made, choice, weights = products.choose_uniform(plain, inputs, "four-bit")
    assert choice["product"].form == "four-bit"
    truth = evaluate(plain, inputs)
    errors = [
        relative_error(evaluate(products.quantize(made, {"product": "four-bit"}, rounded), inputs), truth)
        for rounded in (weights, products.choose_uniform(plain, [], "four-bit")[2])
    ]
    assert errors[0] < 0.6 * errors[1]


@pytest.mark.parametrize(("rows", "forms"), [(True, {"rows"}), (False, {"float"})])
def test_a_runtime_without_scales_for_rows(rows: bool, forms: set[str]) -> None:
    """A large value in one row leaves the others too few steps, unless each row has a scale."""
    rng = np.random.default_rng(0)
    weight = rng.standard_normal((128, 64)).astype(np.float32)
    plain = single(weight)
    inputs = [{"x": rng.standard_normal((1, 60, 128)).astype(np.float32)} for _ in range(6)]
    for feed in inputs:
        feed["x"][0, 7, rng.integers(128)] = 25
    bounds = products.bounds_of({}, careful=False, absent=() if rows else ("rows",))
    plans = products.choose(plain, inputs, lambda done, total: None, partial(products.choose_within_bounds, bounds))[1]
    assert {plan.form for plan in plans.values()} == forms


def test_forms_that_are_allotted_by_shapes() -> None:
    rng = np.random.default_rng(0)
    plain = single(rng.standard_normal((128, 64)).astype(np.float32))
    inputs = [{"x": rng.standard_normal((1, 60, 128)).astype(np.float32)} for _ in range(3)]
    seen: dict[str, Shape] = {}

    def chooser(moved: Any, many: Mapping[str, Shape], few: Mapping[str, Shape]) -> dict[str, LayerPlan]:
        seen.update(many)
        assert not few and 0 < moved("product", "rows") < 0.1
        return {node: LayerPlan("rows", "allotted") for node in many}

    plans = products.choose(plain, inputs, lambda done, total: None, chooser)[1]
    assert seen == {"product": Shape(60, 128, 64)} and plans["product"].form == "rows"


@pytest.mark.parametrize(("option", "value"), [("bits", 5), ("time", 0.5)])
@pytest.mark.parametrize("form", ["static", "dynamic"])
def test_options_of_a_part_whose_form_is_settled(tmp_path: Path, form: str, option: str, value: float) -> None:
    with pytest.raises(Unsupported, match="no products of matrices whose forms could be chosen"):
        export(tmp_path, "int8", options={option: {"toy": value}, "form": {"toy": form}})


@pytest.mark.parametrize("value", [{"toy": 0}, {"toy": 9}, {"toy": "x"}, {"toy": True}, {"other": 5}, "toy"])
def test_bits_that_make_no_sense(tmp_path: Path, value: Any) -> None:
    with pytest.raises(Unsupported):
        export(tmp_path, "int8", options={"bits": value})


class Outlier(nn.Module):
    """One robust layer, and one that meets an activation a thousand times larger than the others."""

    def __init__(self) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.robust, self.sensitive = nn.Linear(128, 128), nn.Linear(128, 128)
        self.register_buffer("gain", torch.ones(128))
        self.gain[5] = 3000.0
        with torch.no_grad():
            self.sensitive.weight[:, 5] = 0.0

    def forward(self, x: Tensor) -> Tensor:
        out: Tensor = self.sensitive(torch.tanh(self.robust(x)) * self.gain)
        return out


def test_a_product_that_stays_float_is_stored_in_half(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(products, "BOUNDS", Bounds({"dynamic": 0.0, "rows": 0.0}))
    graph = onnx.load(tmp_path / export(tmp_path, "fp32").file)
    names = [p.node for p in finding.products(graph) if not p.table]
    graph, choice, _ = products.choose(
        graph, [feeds(time=60, new=30)], lambda *_: None, partial(products.choose_within_bounds, products.BOUNDS)
    )
    assert [choice[name].form for name in names] == ["float"] * len(names)
    held = constants(products.quantize(graph, {name: layer.form for name, layer in choice.items()}))
    assert [name for name, array in held.items() if array.dtype == np.uint8] == ["table:1.int8"]


def test_the_measured_choice(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    # One layer alone is all of a toy's error; in a network of twenty it is a twentieth.
    monkeypatch.setattr(products, "BOUNDS", Bounds({"dynamic": 0.02, "blockwise": 1.0}))
    monkeypatch.setattr(
        products.linear, "equalize_inputs", lambda graph, nodes, feeds: graph
    )  # it would mend the outlier
    given = Part("outlier", ATTENTION.inputs, ATTENTION.outputs, ATTENTION.axes, lambda checkpoint: Outlier())
    x = np.random.default_rng(0).standard_normal((1, 50, 128)).astype(np.float32)
    layers = export(tmp_path, "int8", given=given, calibration=[{"x": x}]).census["layers"]
    assert layers["robust"]["form"] == "dynamic", layers
    assert re.fullmatch(
        r"dynamic alone moves the outputs by [01]\.\d%; residual stream not rotated: no layer normalization.*",
        layers["robust"]["why"],
    )
    assert layers["sensitive"]["form"] == "blockwise"
    assert re.fullmatch(r"dynamic .* by \d+\.\d%, blockwise by \d+\.\d%; .*", layers["sensitive"]["why"])
    few = export(tmp_path / "few", "int8", given=given, calibration=[{"x": x[:, :16]}]).census["layers"]
    assert {layer["form"] for layer in few.values()} == {"blockwise"}
    assert "16 row(s) a call" in few["robust"]["why"]


def test_two_products_of_one_input_quantize_it_once(tmp_path: Path) -> None:
    class Two(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            torch.manual_seed(0)
            self.left, self.right = nn.Linear(128, 128), nn.Linear(128, 64)

        def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
            return self.left(x), self.right(x)

    outputs = (*ATTENTION.outputs, TensorSpec("z", "float32", (1, "time", 64)))
    given = Part("two", ATTENTION.inputs, outputs, ATTENTION.axes, lambda checkpoint: Two())
    x = np.random.default_rng(0).standard_normal((1, 50, 128)).astype(np.float32)
    dynamic = {"form": {"two": "dynamic"}}
    census = export(tmp_path, "int8", given=given, calibration=[{"x": x}], options=dynamic).census
    assert census["operators"]["DynamicQuantizeLinear"] == 1
    assert census["operators"]["MatMulIntegerToFloat"] == 2


@pytest.mark.parametrize("calibration", [[], None])
def test_int8_needs_inputs_to_measure(tmp_path: Path, calibration: Any) -> None:
    work = tmp_path / "work"
    work.mkdir()
    given = {} if calibration is None else {"toy": calibration}

    def run(precision: str, options: dict[str, Any]) -> list[Artifact]:
        recipe = Recipe("onnxruntime", precision, options)
        return EXPORTER.export(model(part()), CHECKPOINT, recipe, given, tmp_path, work, lambda *_: None)

    with pytest.raises(ExportFailed, match="no recorded input"):
        run("int8", {})
    assert run("int8", {"form": {"toy": "blockwise"}})
    assert run("fp16", {})
