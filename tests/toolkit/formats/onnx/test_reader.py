"""Opening an .onnx file that a stranger made."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import onnx
import pytest
from helpers.cases.onnx_operators.case import f, model_of
from onnx import TensorProto, helper, numpy_helper

from edgekit.errors import BadInput, EdgekitError, Unsupported
from edgekit.formats.onnx import load, open_file
from edgekit.formats.onnx.skeleton import skeleton

WEIGHT = f(64, 32)


def _model(**more: int) -> onnx.ModelProto:
    """x [batch, 32 wide] times a weight."""
    node = helper.make_node("Gemm", ["x", "w"], ["y"], "layer", transB=1)
    weight = numpy_helper.from_array(WEIGHT, "w")
    model = model_of([node], {"x": f(1, 32)}, ["y"], constants=[weight], **more)
    model.graph.input[0].type.tensor_type.shape.dim[0].dim_param = "batch"
    model.graph.output[0].CopyFrom(helper.make_tensor_value_info("y", TensorProto.FLOAT, None))
    return model


def _saved(folder: Path, model: onnx.ModelProto) -> Path:
    file = folder / "model.onnx"
    file.write_bytes(model.SerializeToString())
    return file


def _external(folder: Path, location: str, *, size: int | None = None, **entries: int) -> Path:
    """The model with its weight in another file."""
    model = _model()
    tensor = model.graph.initializer[0]
    content = tensor.raw_data
    tensor.ClearField("raw_data")
    tensor.data_location = TensorProto.EXTERNAL
    for key, value in {"location": location, "length": len(content), **entries}.items():
        entry = tensor.external_data.add()
        entry.key, entry.value = key, str(value)
    if size is not None:
        (folder / "weights.bin").write_bytes(content[:size])
    return _saved(folder, model)


def test_facts_without_the_weights(tmp_path: Path) -> None:
    file = _saved(tmp_path, _model())
    assert len(skeleton(file)) < 1024 < file.stat().st_size
    facts = open_file(file).facts
    assert [(spec.name, spec.dtype, spec.shape) for spec in facts.inputs] == [("x", "float32", ("batch", 32))]
    assert [(spec.name, spec.shape) for spec in facts.outputs] == [("y", ("batch", 64))]
    assert (facts.operators, facts.parameters, facts.opset, facts.unnamed) == ({"Gemm": 1}, 64 * 32, 17, ())
    assert np.array_equal(numpy_helper.to_array(load(file).graph.initializer[0]), WEIGHT)


def test_axes_without_a_name_get_one(tmp_path: Path) -> None:
    model = _model()
    for odd in ("?", "-1", ""):
        model.graph.input[0].type.tensor_type.shape.dim[0].dim_param = odd
        assert open_file(_saved(tmp_path, model)).facts.unnamed == ("x.0",)


def test_an_input_that_is_a_constant_is_none(tmp_path: Path) -> None:
    model = _model()
    model.graph.input.append(helper.make_tensor_value_info("w", TensorProto.FLOAT, WEIGHT.shape))
    file = _saved(tmp_path, model)
    assert [spec.name for spec in open_file(file).facts.inputs] == ["x"]
    assert [value.name for value in load(file).graph.input] == ["x"]


def test_a_constant_of_an_old_file_that_was_an_input_can_still_be_converted(tmp_path: Path) -> None:
    """Up to version 3 of the format every constant had to be an input, too; onnx's converter insists on it."""
    node = helper.make_node("MatMul", ["x", "w"], ["y"])
    model = model_of([node], {"x": f(1, 8)}, ["y"], 11, [numpy_helper.from_array(f(8, 4), "w")])
    model.graph.input.append(helper.make_tensor_value_info("w", TensorProto.FLOAT, (8, 4)))
    model.ir_version = 3
    loaded = load(_saved(tmp_path, model))
    assert [value.name for value in loaded.graph.input] == ["x"]
    assert onnx.version_converter.convert_version(loaded, 17).opset_import[0].version == 17


def test_an_input_that_no_output_follows_from(tmp_path: Path) -> None:
    model = _model()
    model.graph.input.append(helper.make_tensor_value_info("rate", TensorProto.INT64, ()))
    model.graph.node.append(helper.make_node("Neg", ["rate"], ["nobody"]))
    assert open_file(_saved(tmp_path, model)).facts.unused == ("rate",)


def test_external_weights(tmp_path: Path) -> None:
    file = _external(tmp_path, "weights.bin", size=1 << 20)
    assert open_file(file).facts.external == ("weights.bin",)
    assert np.array_equal(numpy_helper.to_array(load(file).graph.initializer[0]), WEIGHT)


@pytest.mark.parametrize(
    ("location", "entries", "said"),
    [
        ("../weights.bin", {}, "not a plain path"),
        ("/etc/passwd", {}, "not a plain path"),
        ("a\\b", {}, "not a plain path"),
        ("", {}, "not a plain path"),
        ("absent.bin", {}, "no such file"),
        ("link.bin", {}, "leads outside"),
        ("weights.bin", {"offset": 4096}, "takes the bytes"),
        ("weights.bin", {"offset": -1}, "takes the bytes"),
        ("weights.bin", {"length": 4}, "need 8192"),
        ("weights.bin", {"offset": "x"}, "no number"),
    ],
)
def test_external_weights_elsewhere(tmp_path: Path, location: str, entries: dict[str, int], said: str) -> None:
    outside = tmp_path / "outside"
    outside.write_bytes(b"0" * (1 << 20))
    folder = tmp_path / "folder"
    folder.mkdir()
    (folder / "link.bin").symlink_to(outside)
    file = _external(folder, location, size=1 << 20, **entries)
    with pytest.raises(BadInput, match=said) as caught:
        open_file(file)
    assert "'w'" in str(caught.value)


def test_truncated_anywhere(tmp_path: Path) -> None:
    whole = _model().SerializeToString()
    file = tmp_path / "model.onnx"
    for size in (0, 1, 7, 100, len(whole) // 2, len(whole) - 1):
        file.write_bytes(whole[:size])
        with pytest.raises(BadInput, match=r"model\.onnx"):
            load(file)


@pytest.mark.parametrize(
    "content", [b"PK\x03\x04" + b"\0" * 50, b"%PDF-1.4 text", b"<html></html>", b"\x08\x07", b"\xff" * 99]
)
def test_other_files(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "model.onnx").write_bytes(content)
    with pytest.raises(BadInput, match="not an ONNX file"):
        open_file(tmp_path / "model.onnx")


def test_more_than_two_gigabytes(tmp_path: Path) -> None:
    file = tmp_path / "model.onnx"
    with file.open("wb") as stream:
        stream.truncate(2**31 + 1)  # sparse: it takes no space
    with pytest.raises(BadInput, match="2 GB"):
        open_file(file)


def _node(model: onnx.ModelProto) -> onnx.NodeProto:
    return model.graph.node[0]


def _foreign(model: onnx.ModelProto) -> None:
    _node(model).domain = "ai.acme"
    model.opset_import.append(helper.make_opsetid("ai.acme", 1))


def _unknown(model: onnx.ModelProto) -> None:
    _node(model).op_type = "Gemmm"


def _dangling(model: onnx.ModelProto) -> None:
    _node(model).input[0] = "ghost"


def _twice(model: onnx.ModelProto) -> None:
    model.graph.node.append(helper.make_node("Neg", ["x"], ["y"], "again"))


def _no_output(model: onnx.ModelProto) -> None:
    model.graph.output[0].name = "z"


def _old(model: onnx.ModelProto) -> None:
    model.opset_import[0].version = 6


def _future(model: onnx.ModelProto) -> None:
    model.opset_import[0].version = 99


def _huge(model: onnx.ModelProto) -> None:
    model.graph.initializer[0].dims[0] = 1 << 40


def _negative(model: onnx.ModelProto) -> None:
    model.graph.initializer[0].dims[0] = -64


def _text(model: onnx.ModelProto) -> None:
    model.graph.input[0].type.tensor_type.elem_type = TensorProto.STRING


@pytest.mark.parametrize(
    ("change", "error", "said"),
    [
        (_foreign, Unsupported, r"Gemm \(node 'layer'\) of the domain 'ai.acme'"),
        (_unknown, BadInput, r"Gemmm \(node 'layer'\)"),
        (_dangling, BadInput, "'layer' .* reads 'ghost'"),
        (_twice, BadInput, "two nodes make 'y'"),
        (_no_output, BadInput, "its output 'z'"),
        (_old, Unsupported, "version 6"),
        (_future, Unsupported, "version 99"),
        (_huge, BadInput, "valid|shape"),
        (_negative, BadInput, "valid|shape"),
        (_text, Unsupported, "strings"),
    ],
)
def test_bad_graphs(
    tmp_path: Path, change: Callable[[onnx.ModelProto], None], error: type[EdgekitError], said: str
) -> None:
    model = _model()
    change(model)
    file = _saved(tmp_path, model)
    with pytest.raises(error, match=said) as caught:
        load(file)
    assert type(caught.value) is error


def test_every_byte_may_be_wrong(tmp_path: Path) -> None:
    """Nothing but our own errors, whatever is damaged."""
    whole = bytearray(_model().SerializeToString())
    file, random = tmp_path / "model.onnx", np.random.default_rng(0)
    for _ in range(300):
        damaged = bytearray(whole)
        for place in random.integers(0, min(len(whole), 400), 3):
            damaged[place] = random.integers(0, 256)
        file.write_bytes(bytes(damaged))
        try:
            load(file)
        except EdgekitError as exc:
            assert "\n" not in exc.message


@pytest.mark.parametrize(
    ("kind", "quantized"),
    [("DequantizeLinear", "QDQ"), ("QLinearMatMul", "integer operators"), ("MatMulInteger", "integer operators")],
)
def test_quantized_files_are_recognized(tmp_path: Path, kind: str, quantized: str) -> None:
    model = _model()
    # An operator beside the graph: what counts is that it is there.
    inputs = {"DequantizeLinear": ["q", "s"], "MatMulInteger": ["q", "q"]}.get(kind, ["q", "s", "z"] * 2 + ["s", "z"])
    model.graph.initializer.extend(
        [
            numpy_helper.from_array(np.ones((2, 2), np.int8), "q"),
            numpy_helper.from_array(np.float32(1), "s"),
            numpy_helper.from_array(np.int8(0), "z"),
        ]
    )
    model.graph.node.append(helper.make_node(kind, inputs, ["unused"]))
    assert open_file(_saved(tmp_path, model)).facts.quantized == quantized


def test_functions_of_the_file_are_inlined(tmp_path: Path) -> None:
    model = _model()
    function = helper.make_function(
        "own", "Double", ["a"], ["b"], [helper.make_node("Add", ["a", "a"], ["b"])], [helper.make_opsetid("", 17)]
    )
    model.functions.append(function)
    model.opset_import.append(helper.make_opsetid("own", 1))
    _node(model).output[0] = "half"
    model.graph.node.append(helper.make_node("Double", ["half"], ["y"], domain="own"))
    assert [node.op_type for node in load(_saved(tmp_path, model)).graph.node] == ["Gemm", "Add"]


@pytest.mark.parametrize("kind", [onnx.TensorProto.BFLOAT16, onnx.TensorProto.FLOAT8E5M2, onnx.TensorProto.INT4])
@pytest.mark.parametrize("output", [False, True])
def test_tensors_that_numpy_lacks_are_refused(kind: int, output: bool, tmp_path: Path) -> None:
    kinds = (onnx.TensorProto.FLOAT, kind) if output else (kind, onnx.TensorProto.FLOAT)
    ends = [onnx.helper.make_tensor_value_info(name, each, (2,)) for name, each in zip("xy", kinds, strict=True)]
    node = onnx.helper.make_node("Cast", ["x"], ["y"], to=kinds[1])
    opsets = [onnx.helper.make_opsetid("", 21)]
    file = tmp_path / "odd.onnx"
    onnx.save(
        onnx.helper.make_model(onnx.helper.make_graph([node], "g", ends[:1], ends[1:]), opset_imports=opsets), file
    )
    with pytest.raises(Unsupported, match="output 'y'" if output else "input 'x'"):
        open_file(file)


@pytest.mark.parametrize("node", [False, True])
def test_a_layer_of_width_0_is_refused_by_its_weight(node: bool, tmp_path: Path) -> None:
    weight = numpy_helper.from_array(np.zeros((32, 0), np.float32), "w")
    nodes = [helper.make_node("Constant", [], ["w"], value=weight)] if node else []
    nodes.append(helper.make_node("MatMul", ["x", "w"], ["y"], "layer"))
    file = _saved(tmp_path, model_of(nodes, {"x": f(1, 32)}, ["y"], constants=[] if node else [weight]))
    with pytest.raises(BadInput, match=r"width 0: the weight 'w' of the node 'layer'"):
        open_file(file)


@pytest.mark.parametrize("version", [6, 99])
def test_a_version_that_nobody_reads_is_named(version: int, tmp_path: Path) -> None:
    with pytest.raises(Unsupported, match=f"version {version} of ONNX's operators") as refused:
        open_file(_saved(tmp_path, _model(version=version)))
    assert "convert_version" in refused.value.hint
