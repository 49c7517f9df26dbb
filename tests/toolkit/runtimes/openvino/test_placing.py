"""What OpenVINO computes by slow kernels, or in float though it is int8 in the file, is counted and named."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from helpers.absence import skip_without
from onnx import TensorProto, helper, numpy_helper

from edgekit.bundles.places import describe, placement_of, warnings
from edgekit.core import Artifact, Lowering, Part, Placement
from edgekit.errors import ParityFailed
from edgekit.gate.placing import check_placed
from edgekit.runtimes.openvino import RUNTIME
from edgekit.runtimes.openvino.placing import find_kernels

skip_without("openvino", "OpenVINO is")

DRAWN = np.random.default_rng(0)
WIDE, NARROW = DRAWN.standard_normal((8, 24)).astype(np.float32), DRAWN.standard_normal((24, 8)).astype(np.float32)


def place(
    folder: Path, nodes: Sequence[Any], weights: dict[str, Any], forms: dict[str, str], rows: int = 4
) -> Artifact:
    """Of a network from "x" [rows, 8] to "y", called with so many rows."""
    graph = helper.make_graph(
        nodes,
        "g",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, ["rows", 8])],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, None)],
        [numpy_helper.from_array(value, name) for name, value in weights.items()],
    )
    onnx.save(
        helper.make_model(graph, opset_imports=[helper.make_opsetid("", 21)], ir_version=10), folder / "network.onnx"
    )
    call = {"x": DRAWN.uniform(1, 2, (rows, 8)).astype(np.float32)}
    census = {"layers": {name: {"form": form, "why": ""} for name, form in forms.items()}}
    about = Lowering(Part("network", (), (), {}, None), None, [(call, {})])
    return RUNTIME.lower(Artifact("network", "network.onnx", census), folder, about)


def placed(artifact: Artifact) -> Placement:
    placement = placement_of(artifact.census)
    assert placement is not None
    return placement


def product(name: str, x: str, weights: str, y: str) -> Any:
    return helper.make_node("MatMul", [x, weights], [y], name=name)


def dynamic(name: str, x: str, y: str) -> tuple[list[Any], dict[str, Any]]:
    """A product of [8, 24] whose activations are quantized as they come."""
    scale = np.abs(WIDE).max(0) / 127
    weights = {"w8": np.round(WIDE / scale).astype(np.int8), "scale": scale.astype(np.float32)}
    nodes = [
        helper.make_node("DynamicQuantizeLinear", [x], ["q", "step", "zero"], name="quantize"),
        helper.make_node("MatMulInteger", ["q", "w8", "zero"], ["whole"], name=name),
        helper.make_node("Cast", ["whole"], ["cast"], to=TensorProto.FLOAT, name="cast"),
        helper.make_node("Mul", ["cast", "step"], ["stepped"], name="step"),
        helper.make_node("Mul", ["stepped", "scale"], [y], name="scale"),
    ]
    return nodes, weights


def test_a_whole_network_is_one_piece_of_which_nothing_is_said(tmp_path: Path) -> None:
    nodes = [product("wide", "x", "w", "a"), helper.make_node("Relu", ["a"], ["b"]), product("narrow", "b", "v", "y")]
    placement = placed(place(tmp_path, nodes, {"w": WIDE, "v": NARROW}, {"wide": "float", "narrow": "float"}))
    assert (placement.unit, placement.fidelity, placement.pieces) == (RUNTIME.places, "counted", 1)
    assert (placement.multiplications, placement.weights, placement.left) == (1.0, 1.0, {})
    assert placement.by.startswith("openvino ") and placement.proof is None
    assert describe("network", placement) == [] and warnings(placement) == []


def test_a_reference_kernel_is_named_and_tears_the_network(tmp_path: Path) -> None:
    nodes = [
        product("wide", "x", "w", "a"),
        helper.make_node("Abs", ["a"], ["b"], name="abs"),
        helper.make_node("Log", ["b"], ["c"], name="log"),
        product("narrow", "c", "v", "y"),
    ]
    placement = placed(place(tmp_path, nodes, {"w": WIDE, "v": NARROW}, {}))
    assert (placement.multiplications, placement.pieces) == (1.0, 2)
    assert [*placement.left] == ["log"] and "ref" in placement.left["log"]
    said = describe("network", placement)
    assert "2 pieces" in said[0] and any("log" in line for line in said[1:])


@pytest.mark.parametrize("rows", [2, 16])
def test_int8_that_is_computed_in_float_is_not_there(tmp_path: Path, rows: int) -> None:
    """OpenVINO has no integer kernels for activations that are quantized as they come. The other two products are
    there; that of activations grows with the square of the rows, so shares are of the sizes of the call."""
    quantized, weights = dynamic("wide", "x", "a")
    nodes = [
        *quantized,
        product("narrow", "a", "v", "b"),
        helper.make_node("Transpose", ["b"], ["t"], perm=[1, 0], name="turn"),
        product("pairs", "b", "t", "y"),
    ]
    artifact = place(tmp_path, nodes, {**weights, "v": NARROW}, {"wide": "dynamic", "narrow": "float"}, rows)
    placement = placed(artifact)
    there = rows * 24 * 8 + rows * rows * 8
    assert placement.multiplications == pytest.approx(there / (there + rows * 8 * 24))
    assert placement.weights is not None and 0.5 < placement.weights < 1, "float weights are there, the int8 are not"
    heaviest = next(iter(placement.left))
    assert heaviest == "wide" and "in float" in placement.left["wide"]
    assert any("only" in one for one in warnings(placement))
    check_placed([artifact], 0.3)
    with pytest.raises(ParityFailed, match="wide"):
        check_placed([artifact], 0.99)


def test_a_table_that_is_only_stored_in_int8_is_no_product_in_float(tmp_path: Path) -> None:
    quantized, weights = dynamic("wide", "x", "a")
    nodes = [*quantized, product("narrow", "a", "v", "y")]
    placement = placed(place(tmp_path, nodes, {**weights, "v": NARROW}, {"wide": "weight-only"}))
    assert placement.multiplications == 1.0 and "wide" not in placement.left


def test_a_node_without_a_name_of_its_own_is_where_its_reader_is() -> None:
    nodes = [
        helper.make_node("Conv", ["x", "w"], ["a"], name="lost"),
        helper.make_node("Relu", ["a"], ["b"], name="known by its output"),
        helper.make_node("Add", ["b", "x"], ["y"], name="both"),
        helper.make_node("Neg", ["y"], ["nowhere"], name="nowhere"),
    ]
    found = find_kernels(helper.make_graph(nodes, "g", [], []), [["b"], ["other"], ["both", "y.more"]])
    assert found == {"lost": {0}, "known by its output": {0}, "both": {2}, "nowhere": set()}
