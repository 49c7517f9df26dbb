"""An onnx bundle of one tiny part, and the calls that its golden input could have made."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper

from edgekit.numerics.parity import sample_outputs
from edgekit.registry import find

X = np.random.default_rng(0).standard_normal((2, 8)).astype(np.float32)


def toy_bundle(folder: Path) -> Path:
    """A product and a sum of bytes as a part of an onnx bundle; only what a target looks at."""
    weight = numpy_helper.from_array(np.random.default_rng(1).standard_normal((8, 4)).astype(np.float32), "w")
    nodes = [
        helper.make_node("MatMul", ["x", "w"], ["y"]),
        helper.make_node("Add", ["n", "n"], ["m"]),
    ]
    graph = helper.make_graph(
        nodes,
        "toy",
        [
            helper.make_tensor_value_info("x", TensorProto.FLOAT, ["rows", 8]),
            helper.make_tensor_value_info("n", TensorProto.INT64, ["k"]),
        ],
        [
            helper.make_tensor_value_info("y", TensorProto.FLOAT, ["rows", 4]),
            helper.make_tensor_value_info("m", TensorProto.INT64, ["k"]),
        ],
        [weight],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=9)
    onnx.save(model, folder / "toy.onnx")
    facts = {
        "recipe": {"exporter": "onnx", "precision": "fp32"},
        "parts": [{"name": "toy", "file": "toy.onnx"}],
        "golden": {"reference": "reference.npz"},
    }
    (folder / "manifest.json").write_text(json.dumps(facts))
    keep(folder, 1)
    return folder


def keep(bundle: Path, factor: float) -> None:
    """Write the golden reference: what this machine computes, times `factor`."""
    arrays = sample_outputs(calls(bundle)["toy"])
    np.savez(bundle / "reference.npz", **{f"toy/{key}": value * factor for key, value in arrays.items()})


def calls(
    bundle: Path, numbers: Sequence[int] = (1, 3)
) -> dict[str, list[tuple[dict[str, NDArray[Any]], dict[str, NDArray[Any]]]]]:
    runner = find("runtimes", "onnxruntime").load(bundle / "toy.onnx", 1)
    feeds = [{"x": X * i, "n": np.arange(i, dtype=np.int64)} for i in numbers]
    return {"toy": [(one, runner(one)) for one in feeds]}
