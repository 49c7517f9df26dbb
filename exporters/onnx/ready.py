"""A ready graph as its smaller forms are made of it: in operators that have int8 per channel, with constants folded and
normalizations in the weights of convolutions, as onnxruntime does while it loads a file."""

from __future__ import annotations

import tempfile
from pathlib import Path

import onnx

from edgekit.errors import ExportFailed
from edgekit.formats.onnx.graph import CONTRIB
from edgekit.formats.onnx.runner import without_telemetry

__all__ = ["simplified"]

#: Quantization along an axis came with 13; later versions changed what hardly any runtime of today lacks.
_OLDEST, _WANTED = 13, 17


def simplified(model: onnx.ModelProto) -> onnx.ModelProto:
    """The same graph, simpler.

    Raises:
        ExportFailed: onnx cannot convert it to a newer version of its operators, or onnxruntime refuses it.
    """
    version = next(entry.version for entry in model.opset_import if entry.domain in ("", "ai.onnx"))
    if version < _OLDEST:
        try:
            model = onnx.version_converter.convert_version(model, _WANTED)
        except Exception as exc:  # its C++ raises many kinds
            raise ExportFailed(
                f"onnx cannot convert the graph from version {version} of its operators to {_WANTED}: "
                f"{str(exc).strip().splitlines()[0]}",
                hint="Use --precision fp32, or export the network again with a newer version.",
            ) from exc
    simple = _by_onnxruntime(model)
    # onnxruntime names every domain that it has operators of.
    used = {node.domain for node in simple.graph.node}
    kept = [
        entry for entry in simple.opset_import if entry.domain in ("", "ai.onnx") or entry.domain in used | {CONTRIB}
    ]
    del simple.opset_import[:]
    simple.opset_import.extend(kept)
    return simple


def _by_onnxruntime(model: onnx.ModelProto) -> onnx.ModelProto:
    without_telemetry()
    import onnxruntime

    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "simple.onnx"
        options = onnxruntime.SessionOptions()
        options.log_severity_level = 3
        options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_ENABLE_BASIC
        options.optimized_model_filepath = str(file)
        try:
            onnxruntime.InferenceSession(model.SerializeToString(), options, providers=["CPUExecutionProvider"])
        except Exception as exc:  # onnxruntime's exceptions share no base but Exception
            raise ExportFailed(f"onnxruntime refuses the graph: {str(exc).strip().splitlines()[0]}") from exc
        return onnx.load(file)
