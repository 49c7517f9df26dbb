"""The forms of products that lose least within a share of their time in float, on this machine.

What a product takes in a form is measured (`edgekit.quantization.latencies`); how far it then moves the outputs, too.
The time goes where it takes most squared error away (`edgekit.quantization.allocation`).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial

import onnx
import onnxruntime
from onnx import helper, numpy_helper

from edgekit.common.figures import figure
from edgekit.common.lazy import np
from edgekit.errors import ExportFailed
from edgekit.exporters.onnx.graph import IR_VERSION, OPSET
from edgekit.exporters.onnx.products import Moved, quantize
from edgekit.quantization.allocation import Choice, allocate
from edgekit.quantization.latencies import Latencies, Shape
from edgekit.quantization.plan import LayerPlan
from edgekit.runtimes.onnxruntime.runner import open_model

#: What layers may have, beside "float".
FORMS = ("dynamic", "rows", "blockwise")

#: Costs are whole numbers, here nanoseconds.
_NANO = 1e9


def within(
    share: float, moved: Moved, shapes: Mapping[str, Shape], few: Mapping[str, Shape] | None = None
) -> dict[str, LayerPlan]:
    """Layer -> its form: together they take at most `share` of the layers' time in float on this machine, and move the
    outputs least. Where the fastest forms take more, all layers have these. See `products.Chooser`.

    Args:
        few: layers that keep their form.

    Raises:
        ExportFailed: with so much time most weights would stay float.
    """
    table = Latencies(f"onnxruntime {onnxruntime.__version__}", product)
    times = {layer: table.seconds(shape, [*FORMS, "float"]) for layer, shape in shapes.items()}
    errors = {layer: {form: moved(layer, form) for form in FORMS} | {"float": 0.0} for layer in shapes}
    choices = {
        layer: [Choice(form, errors[layer][form] ** 2, int(_NANO * seconds)) for form, seconds in own.items()]
        for layer, own in times.items()
    }
    budget = share * sum(own["float"] for own in times.values())
    chosen = allocate(choices, int(_NANO * budget))
    sizes = {layer: shape.inputs * shape.outputs for layer, shape in shapes.items()}
    if 2 * sum(sizes[layer] for layer, one in chosen.items() if one.kind == "float") > sum(sizes.values()):
        raise ExportFailed(
            f"in {share:.0%} of the time that they take in float, most products stay float, which is no int8.",
            hint="Choose a smaller share, such as 0.5: -o time='{\"PART\": 0.5}'",
        )
    return {layer: LayerPlan(one.kind, _describe_forms(times[layer], errors[layer])) for layer, one in chosen.items()}


def product(form: str, shape: Shape) -> Callable[[], object]:
    """A call that computes a product of `shape` in `form` once, on one thread; its weights are drawn."""
    drawn = np.random.default_rng(0)
    weight = drawn.standard_normal((shape.inputs, shape.outputs)).astype(np.float32)
    rows = [1, shape.rows, shape.inputs]
    graph = helper.make_graph(
        [helper.make_node("MatMul", ["x", "w"], ["y"], name="product")],
        "product",
        [helper.make_tensor_value_info("x", onnx.TensorProto.FLOAT, rows)],
        [helper.make_tensor_value_info("y", onnx.TensorProto.FLOAT, [*rows[:2], shape.outputs])],
        [numpy_helper.from_array(weight, "w")],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", OPSET)], ir_version=IR_VERSION)
    runner = open_model(quantize(model, {"product": form}), threads=1)
    return partial(runner, {"x": drawn.standard_normal(rows).astype(np.float32)})


def _describe_forms(times: Mapping[str, float], errors: Mapping[str, float]) -> str:
    """What the forms of a layer take and lose."""
    forms = sorted(times, key=times.__getitem__)
    told = "; ".join(f"{form} {figure(times[form], 's')}, {errors[form]:.1%} away" for form in forms)
    return f"alone, on this machine: {told}"
