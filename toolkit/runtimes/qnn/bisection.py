"""The first layer that Qualcomm's processor computes wrongly, by bisection over prefixes of the graph.

Far once, far ever after is the assumption. A layer that is wrong only together with what follows it is not seen.
"""

from __future__ import annotations

from pathlib import Path
from tempfile import TemporaryDirectory

import onnx

from edgekit.core import Feeds
from edgekit.numerics.parity import decibels, relative_error
from edgekit.runtimes.common import onnx_graphs
from edgekit.runtimes.onnxruntime.runner import OnnxRunner
from edgekit.runtimes.qnn.runner import simulator

#: A relative error beyond which a layer is wrong: 20 dB.
_FAR = 0.1


def find_wrong_layer(file: Path, feeds: Feeds, unit: str) -> str:
    """The layer, how far it is (dB) and what it follows; "" where no prefix is wrong by itself."""
    model = onnx_graphs.fix_axes(file, feeds)
    onnx_graphs.shapes_of(model, feeds)
    floats = {
        value.name for value in model.graph.value_info if value.type.tensor_type.elem_type == onnx.TensorProto.FLOAT
    }
    # What is quantized at once is judged behind the quantization, as the processor computes it.
    floats -= {node.input[0] for node in model.graph.node if node.op_type == "QuantizeLinear"}
    ends = [node for node in onnx_graphs.computed_nodes(model, set(feeds)) if node.output[0] in floats]
    with TemporaryDirectory(prefix="edgekit-qnn-") as scratch:
        errors = _Prefixes(model, feeds, unit, Path(scratch) / "prefix.onnx")
        right, wrong = -1, len(ends)
        while wrong - right > 1:
            middle = (right + wrong) // 2
            right, wrong = (right, middle) if errors.of(ends[middle]) > _FAR else (middle, wrong)
        if wrong == len(ends):
            return ""
        node, makers = ends[wrong], {node.output[0]: node for node in ends}
        # Of a graph with branches, the last step goes back along them.
        while far := [makers[name] for name in node.input if name in makers and errors.of(makers[name]) > _FAR]:
            node = far[0]
        before = [f"{makers[name].op_type} {makers[name].name}" for name in node.input if name in makers]
        found = f"{node.op_type} {node.name} ({decibels(errors.of(node)):.0f} dB)"
        return f"{found} after {' and '.join(before) or 'an input'}"


class _Prefixes:
    """How far the processor is from the simulator at the end of a prefix of a graph."""

    def __init__(self, model: onnx.ModelProto, feeds: Feeds, unit: str, place: Path) -> None:
        self._extractor = onnx.utils.Extractor(model)
        self._inputs, self._feeds, self._unit, self._place = [v.name for v in model.graph.input], feeds, unit, place
        self._known: dict[str, float] = {}

    def of(self, node: onnx.NodeProto) -> float:
        """The relative error of the output of `node`."""
        name = node.output[0]
        if name not in self._known:
            prefix = self._extractor.extract_model(self._inputs, [name])
            onnx.save(prefix, self._place)
            feeds = {value.name: self._feeds[value.name] for value in prefix.graph.input}
            words = {"do": "run", "file": str(self._place), "unit": self._unit, "whole": False}
            _, there = simulator().ask(words, feeds)
            self._known[name] = relative_error([there], [OnnxRunner(self._place, 1)(feeds)])
        return self._known[name]
