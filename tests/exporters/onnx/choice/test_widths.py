"""Bits of products under a mean: what the outputs need most gets most, and the file takes no more than asked for."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import helper, numpy_helper

from edgekit.common.packed import pack
from edgekit.exporters.onnx import half, products
from edgekit.exporters.onnx.choice.weights import GRIDS
from edgekit.exporters.onnx.choice.widths import narrow_weights
from edgekit.numerics.parity import relative_error
from edgekit.quantization.plan import LayerPlan
from edgekit.runtimes.onnxruntime.runner import evaluate

SIDE, LOUD = 128, "product0"


def chain(count: int = 4) -> onnx.ModelProto:
    """A sum of products of one input, of which the first is by far the largest."""
    rng = np.random.default_rng(0)
    weights = [rng.standard_normal((SIDE, SIDE)).astype(np.float32) * (20 if i == 0 else 1) for i in range(count)]
    nodes = [helper.make_node("MatMul", ["x", f"w{i}"], [f"y{i}"], name=f"product{i}") for i in range(count)]
    nodes.append(helper.make_node("Sum", [f"y{i}" for i in range(count)], ["y"], name="sum"))
    graph = helper.make_graph(
        nodes,
        "chain",
        [helper.make_tensor_value_info("x", onnx.TensorProto.FLOAT, ["n", SIDE])],
        [helper.make_tensor_value_info("y", onnx.TensorProto.FLOAT, ["n", SIDE])],
        [numpy_helper.from_array(weight, f"w{i}") for i, weight in enumerate(weights)],
    )
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 20)], ir_version=10)


def calls(count: int = 6) -> list[dict[str, np.ndarray]]:
    rng = np.random.default_rng(1)
    return [{"x": rng.standard_normal((40, SIDE)).astype(np.float32)} for _ in range(count)]


def planned(form: str, bits: float, floats: tuple[str, ...] = ()) -> tuple[onnx.ModelProto, dict[str, LayerPlan]]:
    model = chain()
    choice = {f"product{i}": LayerPlan(form, "chosen") for i in range(4)}
    choice |= {name: LayerPlan("float", "far") for name in floats}
    return model, narrow_weights(model, choice, calls(), bits, lambda done, total: None)


def bits_of(form: str) -> float:
    return GRIDS[form].coded or 8


@pytest.mark.parametrize("form", ["blockwise", "rows", "dynamic"])
def test_what_moves_the_outputs_most_has_most_bits(form: str) -> None:
    plans = planned(form, 5.5)[1]
    widths = {node: bits_of(plan.form) for node, plan in plans.items()}
    assert widths[LOUD] == max(widths.values()) > min(widths.values())
    assert "with weights of 4 bits it alone moves the outputs by" in plans[LOUD].why


@pytest.mark.parametrize("form", ["blockwise", "rows", "dynamic"])
@pytest.mark.parametrize("bits", [3.5, 4.5, 5.5, 6.5, 8])
def test_the_file_takes_no_more_than_asked_for(form: str, bits: float, tmp_path: Path) -> None:
    model, plans = planned(form, bits)
    made = products.quantize(model, {node: plan.form for node, plan in plans.items()})
    pack(b"".join(tensor.raw_data for tensor in made.graph.initializer), tmp_path / "held.gz")
    assert (tmp_path / "held.gz").stat().st_size <= (bits + 0.1) / 8 * 4 * SIDE * SIDE + 6000
    errors = relative_error(evaluate(made, calls()), evaluate(model, calls()))
    assert errors < 0.01 + 0.6 * 2.0 ** (2 - bits)  # activations have 8 bits


def test_products_in_float_stay_so_and_do_not_count() -> None:
    plans = planned("rows", 4.5, floats=(LOUD,))[1]
    assert plans[LOUD] == LayerPlan("float", "far")
    assert {bits_of(plan.form) for node, plan in plans.items() if node != LOUD} <= {4.0, 4.25, 4.5}


def test_where_all_products_are_in_float_nothing_changes() -> None:
    plans = planned("rows", 5, floats=tuple(f"product{i}" for i in range(4)))[1]
    assert {plan.form for plan in plans.values()} == {"float"}


def test_with_too_few_bits_all_have_the_fewest() -> None:
    assert {bits_of(plan.form) for plan in planned("rows", 2)[1].values()} == {2.5}


def _operator(name: str) -> str:
    return "Add" if name == "added" else "MatMul"


def test_what_stays_float_is_stored_in_int8() -> None:
    """By the axis along which the sizes differ; scales and what is small stay as they are."""
    rng = np.random.default_rng(0)
    wide = (rng.standard_normal((750, 750)) * np.exp(3 * rng.standard_normal((1, 750)))).astype(np.float32)
    held = {"wide": wide, "tall": wide.T.copy(), "small": wide[:600], "some.scales": wide + 1, "added": wide + 2}
    graph = helper.make_graph(
        [
            helper.make_node("Add" if name == "added" else "MatMul", ["x", name], [f"y{i}"])
            for i, name in enumerate(held)
        ],
        "held",
        [helper.make_tensor_value_info("x", onnx.TensorProto.FLOAT, None)],
        [helper.make_tensor_value_info(f"y{i}", onnx.TensorProto.FLOAT, None) for i in range(len(held))],
        [numpy_helper.from_array(array, name) for name, array in held.items()],
    )
    made = half.store_in_bytes(
        helper.make_model(graph, opset_imports=[helper.make_opsetid("", 20)], ir_version=10),
        keep=lambda name: name.endswith(".scales"),
    )
    arrays = {tensor.name: numpy_helper.to_array(tensor) for tensor in made.graph.initializer}
    assert {name for name, array in arrays.items() if array.dtype == np.int8} == {"wide.int8", "tall.int8"}
    for name in ("wide", "tall"):
        assert arrays[f"{name}.scales"].size == 750
        back = arrays[f"{name}.int8"] * arrays[f"{name}.scales"]
        assert relative_error([{"w": back}], [{"w": held[name]}]) < 0.01
    np.testing.assert_array_equal(arrays["small"], held["small"])
