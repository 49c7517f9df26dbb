"""Graphs as torch modules: folded, fused, with dynamic axes, through torch.export, and refusals by node."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import onnx
import pytest
import torch
from helpers.cases.onnx_operators.case import Array, f, model_of
from onnx import TensorProto, helper, numpy_helper

from edgekit.errors import Unsupported
from edgekit.formats.onnx.translation import translate
from edgekit.runtimes.onnxruntime.runner import OnnxRunner

N = helper.make_node


def _constants(**arrays: Any) -> list[onnx.TensorProto]:
    return [numpy_helper.from_array(np.asarray(array), name) for name, array in arrays.items()]


def _translated(model: onnx.ModelProto, feeds: dict[str, Array], *, fixed: bool = True) -> Any:
    """The module, seen to equal onnxruntime."""
    tensors = [torch.from_numpy(array) for array in feeds.values()]
    module = translate(model, tensors, fixed=fixed)
    made = module(*tensors)
    wanted = OnnxRunner(model.SerializeToString(), 1)(feeds).values()
    for answer, truth in zip(made if isinstance(made, tuple) else (made,), wanted, strict=True):
        np.testing.assert_allclose(answer.numpy(), truth, rtol=1e-4, atol=1e-5)
    return module


def _operators(module: Any, feeds: dict[str, Array]) -> list[str]:
    """The operators that torch.export sees."""
    program = torch.export.export(module, tuple(map(torch.from_numpy, feeds.values())))
    return [str(node.target).removeprefix("aten.") for node in program.graph.nodes if node.op == "call_function"]


def test_a_product_and_its_bias_become_linear() -> None:
    feeds = {"x": f(2, 3, 4)}
    nodes = [N("MatMul", ["x", "w"], ["p"]), N("Add", ["b", "p"], ["y"])]
    module = _translated(model_of(nodes, feeds, ["y"], constants=_constants(w=f(4, 5), b=f(5))), feeds)
    assert _operators(module, feeds) == ["linear.default"]
    assert set(module.state_dict()) == {"weights.w_2", "weights.b"} or len(module.state_dict()) == 2


def test_a_bias_that_others_need_stays() -> None:
    feeds = {"x": f(3, 4)}
    nodes = [N("MatMul", ["x", "w"], ["p"]), N("Add", ["p", "b"], ["y"]), N("Neg", ["p"], ["z"])]
    _translated(model_of(nodes, feeds, ["y", "z"], constants=_constants(w=f(4, 5), b=f(5))), feeds)


@pytest.mark.parametrize("kind", ["Conv", "ConvTranspose"])
@pytest.mark.parametrize("group", [1, 2])
def test_a_normalization_goes_into_the_convolution(kind: str, group: int) -> None:
    feeds = {"x": f(1, 4, 6, 6)}
    weight = f(6, 4 // group, 3, 3) if kind == "Conv" else f(4, 6 // group, 3, 3)
    nodes = [
        N(kind, ["x", "w"], ["c"], group=group),
        N("Add", ["c", "b"], ["d"]),
        N("BatchNormalization", ["d", "s", "t", "m", "v"], ["n"]),
        N("Relu", ["n"], ["y"]),
    ]
    held = _constants(w=weight, b=f(1, 6, 1, 1), s=f(6), t=f(6), m=f(6), v=f(6, low=0.1))
    module = _translated(model_of(nodes, feeds, ["y"], constants=held), feeds)
    assert len(_operators(module, feeds)) == 2
    assert len(module.state_dict()) == 2


def test_constants_are_folded_and_unused_ones_dropped() -> None:
    feeds = {"x": f(2, 4)}
    nodes = [
        N("Constant", [], ["one"], value=numpy_helper.from_array(f(4, 1))),
        N("Transpose", ["one"], ["row"]),
        N("Exp", ["row"], ["weight"]),
        N("Mul", ["x", "weight"], ["y"]),
    ]
    module = _translated(model_of(nodes, feeds, ["y"], constants=_constants(nobody=f(9))), feeds)
    assert _operators(module, feeds) == ["mul.Tensor"]
    assert list(module.state_dict()) == ["weights.weight"]


def _flattened() -> tuple[onnx.ModelProto, dict[str, Array]]:
    """Batch and length kept by arithmetic on shapes, as exporters write it."""
    nodes = [
        N("Shape", ["x"], ["s"]),
        N("Gather", ["s", "zero"], ["b"]),
        N("Gather", ["s", "first"], ["t"]),
        N("Mul", ["b", "t"], ["rows"]),
        N("Unsqueeze", ["rows", "front"], ["rows1"]),
        N("Concat", ["rows1", "width"], ["flat"], axis=0),
        N("Reshape", ["x", "flat"], ["m"]),
        N("MatMul", ["m", "w"], ["p"]),
        N("Slice", ["s", "front", "two"], ["head"]),
        N("Concat", ["head", "minus"], ["back"], axis=0),
        N("Reshape", ["p", "back"], ["r"]),
        N("Range", ["zero", "t", "first"], ["steps"]),
        N("Cast", ["steps"], ["place"], to=TensorProto.FLOAT),
        N("Unsqueeze", ["place", "front1"], ["column"]),
        N("Add", ["r", "column"], ["y"]),
    ]
    held = _constants(
        zero=np.int64(0),
        first=np.int64(1),
        front=np.array([0]),
        front1=np.array([1]),
        two=np.array([2]),
        width=np.array([4]),
        minus=np.array([-1]),
        w=f(4, 5),
    )
    feeds = {"x": f(2, 3, 4)}
    return model_of(nodes, feeds, ["y"], constants=held), feeds


def test_arithmetic_on_shapes_leaves_no_trace() -> None:
    model, feeds = _flattened()
    module = _translated(model, feeds)
    operators = _operators(module, feeds)
    assert not {name for name in operators if name.startswith(("cat", "sym", "gather", "index", "scalar", "stack"))}


def test_arithmetic_on_shapes_with_dynamic_axes() -> None:
    model, feeds = _flattened()
    module = _translated(model, feeds, fixed=False)
    shapes = ({0: torch.export.Dim.DYNAMIC(min=1, max=9), 1: torch.export.Dim.DYNAMIC(min=1, max=50)},)
    program = torch.export.export(module, (torch.zeros(4, 7, 4),), dynamic_shapes=(shapes,)).module()
    for dim in model.graph.input[0].type.tensor_type.shape.dim[:2]:
        dim.dim_param = "any"
    runner = OnnxRunner(model.SerializeToString(), 1)
    for batch, length in ((1, 2), (3, 50), (8, 9)):
        x = f(batch, length, 4)
        [wanted] = runner({"x": x}).values()
        np.testing.assert_allclose(program(torch.from_numpy(x)).numpy(), wanted, atol=1e-5)


def _branches(condition: Sequence[onnx.NodeProto], value: str) -> tuple[onnx.ModelProto, dict[str, Array]]:
    def body(kind: str) -> onnx.GraphProto:
        output = helper.make_tensor_value_info(kind, TensorProto.FLOAT, None)
        return helper.make_graph([N(kind, ["x"], [kind])], kind, [], [output])

    nodes = [*condition, N("If", [value], ["y"], "choice", then_branch=body("Exp"), else_branch=body("Neg"))]
    feeds = {"x": f(3, 4)}
    return model_of(nodes, feeds, ["y"], constants=_constants(four=np.int64(4), last=np.int64(1))), feeds


def test_a_branch_that_follows_from_a_shape() -> None:
    condition = [N("Shape", ["x"], ["s"]), N("Gather", ["s", "last"], ["n"]), N("Equal", ["n", "four"], ["same"])]
    model, feeds = _branches(condition, "same")
    assert _operators(_translated(model, feeds), feeds) == ["exp.default"]


def test_a_branch_that_follows_from_data_is_refused() -> None:
    condition = [N("ReduceMax", ["x"], ["m"], keepdims=0), N("Cast", ["m"], ["c"], to=TensorProto.BOOL)]
    model, feeds = _branches(condition, "c")
    with pytest.raises(Unsupported, match=r"If \(node 'choice'\).*'c' depends on data"):
        translate(model, [torch.from_numpy(feeds["x"])])


def test_what_is_lacking_is_named_with_its_node() -> None:
    feeds = {"x": f(3, 4)}
    model = model_of([N("RandomNormalLike", ["x"], ["y"], "noise")], feeds, ["y"])
    with pytest.raises(Unsupported, match=r"RandomNormalLike \(node 'noise'\)"):
        translate(model, [torch.from_numpy(feeds["x"])])


def test_what_torch_cannot_compute_is_named_with_its_node() -> None:
    feeds = {"x": f(3, 4)}
    model = model_of(
        [N("Reshape", ["x", "to"], ["y"], "bend")], feeds, ["y"], constants=_constants(to=np.array([5, 5]))
    )
    with pytest.raises(Unsupported, match=r"Reshape \(node 'bend'\).*torch could not compute it"):
        translate(model, [torch.from_numpy(feeds["x"])])


def test_loops_are_refused() -> None:
    body = helper.make_graph(
        [N("Identity", ["go"], ["on"]), N("Exp", ["v"], ["w"])],
        "body",
        [
            helper.make_tensor_value_info("i", TensorProto.INT64, ()),
            helper.make_tensor_value_info("go", TensorProto.BOOL, ()),
            helper.make_tensor_value_info("v", TensorProto.FLOAT, None),
        ],
        [
            helper.make_tensor_value_info("on", TensorProto.BOOL, ()),
            helper.make_tensor_value_info("w", TensorProto.FLOAT, None),
        ],
    )
    feeds = {"x": f(3, 4)}
    model = model_of(
        [N("Loop", ["n", "", "x"], ["y"], "again", body=body)], feeds, ["y"], constants=_constants(n=np.int64(3))
    )
    with pytest.raises(Unsupported, match=r"Loop \(node 'again'\).*no loops"):
        translate(model, [torch.from_numpy(feeds["x"])])


@pytest.mark.filterwarnings("ignore:.*torch.jit.trace")
def test_no_part_of_a_traced_graph_hides_behind_a_name_of_torchscript() -> None:
    """Core ML's converter reads weights by their path; a module that TorchScript traced has a `graph` of its own."""
    feeds = {"x": f(3, 4)}
    model = model_of([N("MatMul", ["x", "w"], ["y"])], feeds, ["y"], constants=_constants(w=f(4, 5)))
    traced = torch.jit.trace(_translated(model, feeds), torch.from_numpy(feeds["x"]))
    for name, part in traced.named_modules():
        held: Any = traced
        for step in filter(None, name.split(".")):
            held = getattr(held, step)
        assert isinstance(held, torch.jit.ScriptModule) and held.original_name == part.original_name, name


def test_an_operator_without_a_translation_is_computed_by_its_body_in_onnx() -> None:
    feeds = {"q": f(2, 5, 12), "k": f(2, 7, 12, seed=1), "v": f(2, 7, 12, seed=2)}
    heads = {"q_num_heads": 3, "kv_num_heads": 3}
    model = model_of(
        [N("Attention", ["q", "k", "v", "mask"], ["y"], **heads)], feeds, ["y"], 23, _constants(mask=f(5, 7))
    )
    parts = [torch.from_numpy(value).reshape(2, -1, 3, 4).transpose(1, 2) for value in feeds.values()]
    mask = torch.from_numpy(f(5, 7))
    wanted = torch.nn.functional.scaled_dot_product_attention(*parts, mask).transpose(1, 2).reshape(2, 5, 12)
    torch.testing.assert_close(_translated(model, feeds)(*map(torch.from_numpy, feeds.values())), wanted)


def test_corners_that_onnx_and_onnxruntime_align_otherwise_are_refused() -> None:
    feeds = {"x": f(1, 1, 4, 4)}
    nodes = [N("Resize", ["x", "", "by"], ["y"], mode="linear", coordinate_transformation_mode="align_corners")]
    model = model_of(nodes, feeds, ["y"], constants=_constants(by=np.array([1, 1, 0.6, 0.6], np.float32)))
    with pytest.raises(Unsupported, match="Resize"):
        _translated(model, feeds)


def test_so_many_boxes_that_rounds_would_be_too_many_are_refused() -> None:
    feeds = {"b": f(1, 999, 4), "s": f(1, 2, 999)}
    model = model_of(
        [N("NonMaxSuppression", ["b", "s", "n"], ["y"])], feeds, ["y"], constants=_constants(n=np.array([999]))
    )
    with pytest.raises(Unsupported, match="999"):
        _translated(model, feeds)
