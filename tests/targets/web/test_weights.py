"""The graph that a page opens without its weights, which the runtime takes from the file: nothing is lost or moved."""

from __future__ import annotations

import subprocess
from pathlib import Path

import numpy as np
import onnx
import pytest
from helpers.devices import node
from onnx import TensorProto, helper, numpy_helper

SCRIPT = """
import {{ withoutWeights }} from {module!r};
import {{ readFileSync, writeFileSync }} from "node:fs";
const [graph, {{ externalData: [{{ path, data }}] }}] = withoutWeights(new Uint8Array(readFileSync("whole.onnx")));
writeFileSync("graph.onnx", graph);
writeFileSync(path, data);
"""


def network(**arrays: np.ndarray) -> onnx.ModelProto:
    held = [numpy_helper.from_array(array, name) for name, array in arrays.items()]
    y = helper.make_tensor_value_info("y", TensorProto.FLOAT, [None])
    last = helper.make_node("Identity", ["large"], ["y"])
    graph = helper.make_graph([last], "of weights", [], [y], held, doc_string="x" * 300)
    return helper.make_model(graph, producer_name="a test", opset_imports=[helper.make_opsetid("", 20)])


@pytest.mark.parametrize("large", [np.float32, np.int8, np.float16, np.int64])
def test_weights_are_read_from_the_file(tmp_path: Path, large: type) -> None:
    node.loops(tmp_path)  # is there a Node?
    model = network(
        small=np.arange(8, dtype=np.float32), large=np.arange(40_000).astype(large), empty=np.zeros(0, large)
    )
    # What holds its values in a field of its own type is left as it is.
    model.graph.initializer.append(helper.make_tensor("typed", TensorProto.FLOAT, [3000], np.ones(3000)))
    (tmp_path / "whole.onnx").write_bytes(model.SerializeToString())
    module = node.REPO / "targets" / "web" / "app" / "core" / "weights.js"
    (tmp_path / "split.mjs").write_text(SCRIPT.format(module=module.as_uri()), encoding="utf-8")
    subprocess.run(["node", "split.mjs"], cwd=tmp_path, check=True, timeout=60)
    graph = onnx.load(tmp_path / "graph.onnx", load_external_data=False)
    assert (tmp_path / "graph.onnx").stat().st_size < 20_000 < (tmp_path / "whole.onnx").stat().st_size
    outside = [one.name for one in graph.graph.initializer if one.data_location == TensorProto.EXTERNAL]
    assert outside == ["large"]
    opened = onnx.load(tmp_path / "graph.onnx")
    for tensor in opened.graph.initializer:
        tensor.ClearField("data_location")
        del tensor.external_data[:]
    assert opened == model
