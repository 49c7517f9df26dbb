"""An .onnx file as a source: as it is for onnx and openvino, translated for the other formats."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from helpers.cases.onnx_operators.case import f, model_of
from onnx import TensorProto, helper, numpy_helper

import edgekit
from edgekit.core import ImportOptions, Model
from edgekit.errors import BadInput, EdgekitError, Unsupported
from edgekit.exporters.onnx.census import check
from edgekit.formats.checkpoint import read_checkpoint
from edgekit.importers.resolved import inspect
from edgekit.importers.resolved import model_of as declared
from edgekit.registry import find, names, serving

N = helper.make_node
KERNEL = f(64, 3, 3, 3)


def network(height: str | int = "height") -> onnx.ModelProto:
    """A picture [batch without a name, 3, height, 16] -> classes."""
    nodes = [
        N("Constant", [], ["kernel"], value=numpy_helper.from_array(KERNEL)),
        N("Conv", ["image", "kernel"], ["c"], "first", pads=[1, 1, 1, 1]),
        N("Relu", ["c"], ["r"]),
        N("GlobalAveragePool", ["r"], ["p"]),
        N("Flatten", ["p"], ["v"]),
        N("Gemm", ["v", "w", "b"], ["scores/0"], "last"),
    ]
    held = [numpy_helper.from_array(f(64, 4), "w"), numpy_helper.from_array(f(4), "b")]
    model = model_of(nodes, {"image": f(1, 3, 16, 16)}, ["scores/0"], 12, held)
    axes = model.graph.input[0].type.tensor_type.shape.dim
    axes[0].dim_param = "?"
    if isinstance(height, str):
        axes[2].dim_param = height
    model.graph.output[0].CopyFrom(helper.make_tensor_value_info("scores/0", TensorProto.FLOAT, ["?", 4]))
    model.metadata_props.add(key="labels", value="a,b,c,d")
    return model


def saved(folder: Path, model: onnx.ModelProto, name: str = "my net.onnx") -> str:
    file = folder / name
    file.write_bytes(model.SerializeToString())
    return str(file)


def export(source: str, out: Path, target: str = "laptop", **options: Any) -> edgekit.Bundle:
    return edgekit.export(source, target=target, out=out, **options)


def test_a_graph_that_draws_random_numbers_is_refused_by_its_operator(tmp_path: Path) -> None:
    nodes = [N("RandomNormalLike", ["x"], ["drawn"], "noise"), N("Add", ["x", "drawn"], ["y"])]
    with pytest.raises(Unsupported, match=r"another 'y' each time .*RandomNormalLike") as refused:
        declared(saved(tmp_path, model_of(nodes, {"x": f(1, 8)}, ["y"], 17)), ImportOptions())
    assert "input of the network" in refused.value.hint


def test_weights_in_double_precision_are_told_with_what_to_do() -> None:
    with pytest.raises(EdgekitError, match="4096 double") as refused:
        check({"double": 8 * 4096, "float": 4}, [], "network", "fp32", quantized=False)
    assert "network.float()" in refused.value.hint


def test_what_inspect_says(tmp_path: Path) -> None:
    seen = inspect(saved(tmp_path, network()), ImportOptions(), lambda *_: None)
    assert (seen.kind, seen.tasks, seen.parameters) == ("onnx-file", ("tensors",), KERNEL.size + 256 + 4)
    assert [(spec.name, spec.shape) for spec in seen.inputs] == [("image", ("image.0", 3, "height", 16))]
    assert seen.operators["Conv"] == 1
    assert any("image.0" in note for note in seen.notes) and any("labels" in note for note in seen.notes)


def test_fp32_is_the_file_as_it_is(tmp_path: Path) -> None:
    said: list[str] = []
    source = saved(tmp_path, network())
    bundle = export(source, tmp_path / "out", precision="fp32", progress=lambda what, *_: said.append(what))
    made = onnx.load(bundle.path / "network.onnx")
    arrays = {tensor.name: numpy_helper.to_array(tensor) for tensor in made.graph.initializer}
    assert np.array_equal(arrays["kernel"], KERNEL)
    assert [node.op_type for node in made.graph.node] == ["Conv", "Relu", "GlobalAveragePool", "Flatten", "Gemm"]
    assert made.opset_import[0].version == 12
    dims = made.graph.input[0].type.tensor_type.shape.dim
    assert [dim.dim_param or dim.dim_value for dim in dims] == [1, 3, "height", 16]
    assert {entry.key: entry.value for entry in made.metadata_props} == {"labels": "a,b,c,d"}
    assert [what for what in said if "axis 0 of image is fixed at 1" in what]


@pytest.mark.parametrize("precision", ["fp16", "int8"])
def test_smaller_forms_are_made_of_that_graph(tmp_path: Path, precision: str) -> None:
    bundle = export(saved(tmp_path, network()), tmp_path / "out", precision=precision)
    assert bundle.manifest.recipe.precision == precision


def test_int8_of_an_old_file_whose_constants_are_inputs(tmp_path: Path) -> None:
    nodes = [N("MatMul", ["x", "w"], ["y"])]
    model = model_of(nodes, {"x": f(1, 64)}, ["y"], 11, [numpy_helper.from_array(f(64, 64), "w")])
    model.graph.output[0].CopyFrom(helper.make_tensor_value_info("y", TensorProto.FLOAT, [1, 64]))
    model.graph.input.append(helper.make_tensor_value_info("w", TensorProto.FLOAT, [64, 64]))
    model.ir_version = 3
    bundle = export(saved(tmp_path, model), tmp_path / "out", precision="int8", fallback=False)
    assert bundle.manifest.recipe.precision == "int8"


def test_the_user_bounds_axes(tmp_path: Path) -> None:
    options = ImportOptions(axes={"image.0": (1, 4), "height": (32, 32)})
    model = declared(saved(tmp_path, network()), options)
    part = model.network.parts[0]
    assert part.inputs[0].shape == ("image.0", 3, 32, 16)
    assert (part.axes["image.0"].least, part.axes["image.0"].most) == (1, 4)
    assert model.network.variants["plain names"].network.parts[0].inputs[0].shape == ("image.0", 3, 32, 16)
    assert model.network.variants["fixed axes"].network.parts[0].inputs[0].shape == (1, 3, 32, 16)


def test_an_axis_that_does_not_exist(tmp_path: Path) -> None:
    with pytest.raises(BadInput, match="no dynamic axis 'time'") as caught:
        declared(saved(tmp_path, network()), ImportOptions(axes={"time": (1, 4)}))
    assert "height" in str(caught.value)


def test_no_other_task(tmp_path: Path) -> None:
    with pytest.raises(Unsupported, match="image-classification"):
        declared(saved(tmp_path, network()), ImportOptions(task="image-classification"))


def test_a_second_time_nothing_is_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    source = saved(tmp_path, network())
    first = declared(source)

    def never(*_: Any) -> Any:
        raise AssertionError("the file was loaded again")

    monkeypatch.setattr("edgekit.formats.onnx.load", never)
    second = declared(source)
    assert second.network.parts[0].outputs == first.network.parts[0].outputs


@pytest.mark.parametrize("exporter", ["litert", "executorch", "coreml"])
@pytest.mark.thorough
def test_other_formats_get_a_translation(tmp_path: Path, exporter: str) -> None:
    target = {"coreml": "ios"}.get(exporter, "android")
    precision = "fp16" if exporter == "coreml" else "fp32"
    bundle = export(
        saved(tmp_path, network()), tmp_path / "out", target, runtime=exporter, precision=precision, evidence=False
    )
    [part] = bundle.manifest.parts
    assert part.name == "network"
    model = declared(saved(tmp_path, network()))
    outputs = serving(model, exporter).network.parts[0].outputs
    assert outputs[0].name == ("scores_0" if exporter == "coreml" else "scores/0")


def quantized() -> onnx.ModelProto:
    nodes = [
        N("QuantizeLinear", ["x", "s", "z"], ["q"]),
        N("DequantizeLinear", ["q", "s", "z"], ["d"]),
        N("DequantizeLinear", ["k", "s", "z"], ["w"]),
        N("MatMul", ["d", "w"], ["y"]),
    ]
    held = {"s": np.float32(0.1), "z": np.int8(0), "k": np.arange(-60, 60, dtype=np.int8).reshape(12, 10)}
    constants = [numpy_helper.from_array(np.asarray(array), name) for name, array in held.items()]
    model = model_of(nodes, {"x": f(2, 12)}, ["y"], 13, constants)
    model.graph.output[0].CopyFrom(helper.make_tensor_value_info("y", TensorProto.FLOAT, [2, 10]))
    return model


def test_a_quantized_file_is_taken_as_it_is(tmp_path: Path) -> None:
    source = saved(tmp_path, quantized())
    bundle = export(source, tmp_path / "out")
    assert bundle.manifest.recipe.precision == "int8"
    made = onnx.load(bundle.path / "network.onnx")
    assert {t.name: t.raw_data for t in made.graph.initializer} == {
        t.name: t.raw_data for t in quantized().graph.initializer
    }
    assert any("quantized" in note for note in inspect(source, ImportOptions(), lambda *_: None).notes)
    assert find("targets", "ios").recipes["*"].runtime == "coreml"
    assert declared(source).network.variants == {}
    for refused in ({"precision": "fp16"}, {"runtime": "litert"}, {"target": "ios", "runtime": "coreml"}):
        with pytest.raises(Unsupported):
            export(source, tmp_path / "refused", **refused)
    assert not (tmp_path / "refused").exists()


def test_operators_of_onnxruntime_alone(tmp_path: Path) -> None:
    node = N("Gelu", ["x"], ["y"], domain="com.microsoft")
    model = model_of([node], {"x": f(2, 3)}, ["y"])
    model.graph.output[0].CopyFrom(helper.make_tensor_value_info("y", TensorProto.FLOAT, [2, 3]))
    network = declared(saved(tmp_path, model)).network
    assert network.ready == "onnx graph" and not network.variants


def test_a_file_that_runs_at_no_size(tmp_path: Path) -> None:
    nodes = [N("Reshape", ["image", "to"], ["y"])]
    model = model_of(nodes, {"image": f(5, 1)}, ["y"], 12, [numpy_helper.from_array(np.array([17, 13]), "to")])
    model.graph.input[0].type.tensor_type.shape.dim[0].dim_param = "rows"
    model.graph.output[0].CopyFrom(helper.make_tensor_value_info("y", TensorProto.FLOAT, [17, 13]))
    with pytest.raises(BadInput, match="none of the sizes") as caught:
        declared(saved(tmp_path, model))
    assert "--dynamic rows=" in str(caught.value)
    fixed = declared(saved(tmp_path, model), ImportOptions(axes={"rows": (221, 221)}))
    assert fixed.network.parts[0].inputs[0].shape == (221, 1)


def test_weights_of_another_graph(tmp_path: Path) -> None:
    model: Model = declared(saved(tmp_path, network()))
    other = read_checkpoint(Path(saved(tmp_path, quantized(), "other.onnx")))
    build = model.network.parts[0].build
    assert build is not None
    with pytest.raises(BadInput, match="other inputs"):
        build(other)


@pytest.mark.parametrize("content", [b"", b"\x08\x07garbage", b"PK\x03\x04"])
def test_what_is_no_onnx_file_leaves_nothing(tmp_path: Path, content: bytes, cache: Path) -> None:
    (tmp_path / "bad.onnx").write_bytes(content)
    with pytest.raises(EdgekitError, match=r"bad\.onnx"):
        export(str(tmp_path / "bad.onnx"), tmp_path / "out")
    assert not (tmp_path / "out").exists() and not list(cache.rglob("*.npz"))


def test_every_demand_that_it_names_is_a_formats(tmp_path: Path) -> None:
    demands = {word for name in names("exporters") for word in find("exporters", name).demands}
    variants = declared(saved(tmp_path, network())).network.variants
    assert variants and set(variants) <= demands


def test_a_network_that_gives_no_numbers_is_told_as_such(tmp_path: Path) -> None:
    model = network(16)
    held = next(one for one in model.graph.initializer if one.name == "b")
    held.CopyFrom(numpy_helper.from_array(np.full(4, np.nan, np.float32), "b"))
    with pytest.raises(BadInput, match=r"the fp32 network itself gives values that are no numbers \(NaN\)"):
        edgekit.export(saved(tmp_path, model), target="laptop", out=tmp_path / "out")
    assert not list(tmp_path.glob("*out*"))


@pytest.mark.parametrize("asked", ["by a shape", "by a product"])
def test_a_graph_that_asks_for_4_tb_is_refused_by_its_node(asked: str, tmp_path: Path) -> None:
    side = 10**6
    held = [numpy_helper.from_array(np.array(value), name) for name, value in (("s", [side, side]), ("c", [-1, 1]))]
    if asked == "by a shape":
        nodes, x = [N("Expand", ["x", "s"], ["large"])], f(1, 1)
    else:
        nodes, x = [N("Reshape", ["x", "c"], ["column"]), N("Mul", ["column", "x"], ["large"])], f(1, side)
    model = model_of([*nodes, N("ReduceSum", ["large"], ["y"])], {"x": x}, ["y"], 17, held)
    with pytest.raises(BadInput, match=r"(Expand|Mul) node.*more memory than is free"):
        declared(saved(tmp_path, model), ImportOptions())
