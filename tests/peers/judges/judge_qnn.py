"""Ask Qualcomm's simulator of its neural processor (HTP): what it places of a graph, how far it is from the CPU, and where
it is first wrong. Runs in .venv-qnn, whose licence docs/judges.md sums up.

A processor's float is half precision: some 40 to 60 dB from the CPU are its arithmetic, 8 dB are another network.
"""

from __future__ import annotations

import json
import math
import os
import re
import sys
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import onnxruntime as ort

NAME = "Qualcomm HTP, simulated"
FORMS = ("laptop-fp32", "laptop-int8")
TIMEOUT = 900
PYTHON = ".venv-qnn"

# As ExecuTorch's table of chips has them (its backends/qualcomm/serialization/qc_schema.py).
CHIPS = {"SM8450": "36", "SM8550": "43", "SM8650": "57", "SM8750": "69", "SM8850": "87"}
CHIP = "SM8650"
FAR = 20.0  # dB below which the first wrong layer is looked for.
Arrays = dict[str, Any]


def version() -> str:
    import onnxruntime_qnn

    return f"onnxruntime-qnn {onnxruntime_qnn.__version__}, onnxruntime {ort.__version__}, chip {CHIP}"


def register() -> None:
    """The simulator becomes one of onnxruntime's devices."""
    import onnxruntime_qnn

    ort.register_execution_provider_library("QNN", onnxruntime_qnn.get_library_path())


def session(path: Path, chip: str = "", level: Any = ort.GraphOptimizationLevel.ORT_ENABLE_ALL) -> Any:
    """A session of the simulator of `chip`, or of the CPU."""
    options = ort.SessionOptions()
    options.log_severity_level, options.graph_optimization_level = 4, level
    if not chip:
        return ort.InferenceSession(path, options, providers=["CPUExecutionProvider"])
    devices = [device for device in ort.get_ep_devices() if device.ep_name == "QNN"]
    options.add_session_config_entry("session.record_ep_graph_assignment_info", "1")
    options.add_provider_for_devices(devices[:1], {"backend_type": "htp", "soc_model": CHIPS[chip]})
    return ort.InferenceSession(path, options)


def fix_axes(source: Path, feeds: Arrays, made: Path) -> onnx.ModelProto:
    """Write the graph with the shapes of `feeds`, constants computed and each node named."""
    model = onnx.load(source)
    del model.graph.value_info[:]
    for value in model.graph.input:
        if value.name in feeds:
            value.CopyFrom(onnx.helper.make_tensor_value_info(value.name, value.type.tensor_type.elem_type, feeds[value.name].shape))  # fmt: skip
    for value in model.graph.output:
        value.type.tensor_type.ClearField("shape")
    onnx.save(model, made)
    options = ort.SessionOptions()
    options.log_severity_level, options.optimized_model_filepath = 4, str(made)
    options.graph_optimization_level = ort.GraphOptimizationLevel.ORT_ENABLE_BASIC
    ort.InferenceSession(made, options, providers=["CPUExecutionProvider"])
    model = onnx.shape_inference.infer_shapes(onnx.load(made))
    for node in model.graph.node:
        node.name = node.output[0]
    onnx.save(model, made)
    return model


def decibels(true: Arrays, other: Arrays) -> float:
    """Signal to noise of the worst output; at most 160, at least -160."""
    worst = 160.0
    for name, value in true.items():
        noise = np.square(value.astype(np.float64) - other[name]).sum()
        with np.errstate(all="ignore"):
            ratio = 10 * np.log10(np.square(value.astype(np.float64)).sum() / noise) if noise else 160
        worst = min(worst, float(ratio) if np.isfinite(noise) else -160.0)
    return round(max(worst, -160.0), 1)


def multiplications(node: onnx.NodeProto, shapes: Mapping[str, Sequence[int]]) -> int:
    """Of one node, by the shapes of its tensors; of a recurrent one, for all steps."""
    kind, out = node.op_type, shapes.get(node.output[0], ())
    sizes = [shapes.get(name, ()) for name in node.input]
    if "Conv" in kind:
        weights = sizes[3 if kind.startswith("QLinear") else 1]
        return math.prod(sizes[0] if "Transpose" in kind else out) * math.prod(weights[1:])
    if "MatMul" in kind or "Gemm" in kind:
        return math.prod(out) * sizes[0][0 if any(a.name == "transA" and a.i for a in node.attribute) else -1]
    if kind.endswith(("LSTM", "GRU", "RNN")):
        return math.prod(sizes[0][:2]) * (math.prod(sizes[1]) + math.prod(sizes[2]))
    return 0


def placed(model: onnx.ModelProto, simulator: Any) -> str:
    """What of the graph's work and weights the processor takes, and in how many pieces; "" for nothing."""
    groups = [group for group in simulator.get_provider_graph_assignment_info() if group.ep_name == "QNN"]
    # A change of layout gives a node another name.
    taken = {re.sub(r"_token_\d+$", "", node.name) for group in groups for node in group.get_nodes()}
    infos = [*model.graph.value_info, *model.graph.input, *model.graph.output]
    shapes = {v.name: [d.dim_value for d in v.type.tensor_type.shape.dim] for v in infos}
    weights = {w.name: onnx.numpy_helper.to_array(w) for w in model.graph.initializer}
    shapes |= {name: list(weight.shape) for name, weight in weights.items()}
    work, share, held = 0, 0, set()
    for node in model.graph.node:
        cost = multiplications(node, shapes)
        work, share = work + cost, share + cost * (node.name in taken)
        held |= set(node.input) if node.name in taken else set()
    of_bytes = sum(w.nbytes for name, w in weights.items() if name in held) / max(sum(w.nbytes for w in weights.values()), 1)
    of_work = f"{share / work:.1%} of {work / 1e6:.2f} M multiplications, " if work else ""
    return f"{of_work}{of_bytes:.1%} of the weights' bytes, pieces: {len(groups)}" if groups else ""


def first_wrong(model: onnx.ModelProto, feeds: Arrays, folder: Path) -> str:
    """The layer after which the processor is far from the CPU, by bisection over prefixes of the graph.

    Far once, far ever after: that is the assumption. A layer that is wrong only with what follows it is not seen."""
    graph, path = model.graph, folder / "prefix.onnx"
    kinds = {v.name: v.type.tensor_type.elem_type for v in [*graph.value_info, *graph.output]}
    consumers: dict[str, set[str]] = {}
    fed, ends = set(feeds), []
    for node in graph.node:
        for name in node.input:
            consumers.setdefault(name, set()).add(node.op_type)
    for node in graph.node:
        if fed & set(node.input):
            fed |= set(node.output)
            # What is quantized at once is judged behind the quantization, as the processor computes it.
            if kinds.get(node.output[0]) == onnx.TensorProto.FLOAT and consumers.get(node.output[0]) != {"QuantizeLinear"}:
                ends.append(node)

    def distance(node: onnx.NodeProto) -> float:
        names = [v.name for v in graph.input if v.name in feeds]
        prefix = onnx.utils.Extractor(model).extract_model(names, [node.output[0]])
        onnx.save(prefix, path)
        given = {v.name: feeds[v.name] for v in prefix.graph.input}
        runs = [session(path, chip).run([node.output[0]], given)[0] for chip in ("", CHIP)]
        return decibels({"": runs[0]}, {"": runs[1]})

    right, wrong, seen = -1, len(ends), math.nan
    while wrong - right > 1:
        middle = (right + wrong) // 2
        value = distance(ends[middle])
        right, wrong, seen = (right, middle, value) if value < FAR else (middle, wrong, seen)
    if wrong == len(ends):
        return "no prefix of the graph is wrong by itself"
    before = f" after {ends[right].op_type} {ends[right].output[0]}" if right >= 0 else ""
    return f"first wrong: {ends[wrong].op_type} {ends[wrong].output[0]} ({seen} dB){before}"


def answer(folder: Path) -> dict[str, Any]:
    """What the simulator says of a question."""
    question = json.loads((folder / "question.json").read_text())
    arrays = np.load(folder / "calls.npz")
    calls: dict[str, dict[str, Arrays]] = {}
    for key in arrays:
        kind, call, name = key.split("/", 2)
        calls.setdefault(call, {}).setdefault(kind, {})[name] = arrays[key]
    # Graphs have fixed shapes here: of the calls, the largest group with the same shapes, the later of two.
    groups: dict[str, list[dict[str, Arrays]]] = {}
    for call in calls.values():
        groups.setdefault(str({name: value.shape for name, value in call["in"].items()}), []).append(call)
    chosen = max(reversed(groups.values()), key=len)
    with tempfile.TemporaryDirectory() as made:
        model = fix_axes(Path(question["path"]), chosen[0]["in"], Path(made) / "fixed.onnx")
        simulator = session(Path(made) / "fixed.onnx", CHIP)
        share = placed(model, simulator)
        if not share:
            return {"reason": "nothing is placed: the whole graph would run on the CPU"}
        names = [value.name for value in simulator.get_outputs()]
        outs = [dict(zip(names, simulator.run(None, call["in"]), strict=True)) for call in chosen]
        here, fp32 = (min(decibels(c[kind], out) for c, out in zip(chosen, outs, strict=True)) for kind in ("out", "fp32"))
        wrong = f"; {first_wrong(model, chosen[0]['in'], Path(made))}" if here < FAR else ""
    few = "" if len(chosen) == len(calls) else f"; {len(chosen)} of {len(calls)} calls, those of one shape"
    return {"dB": here, "against": "here", "placed": share, "detail": f"{fp32} dB to fp32{few}{wrong}", "reason": ""}


def main() -> None:
    # The libraries print on the standard output, too.
    out = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)
    register()
    for folder in sys.argv[1:]:
        try:
            said = answer(Path(folder))
        except Exception as error:  # the cell says so
            said = {"reason": f"{type(error).__name__}: {error}".splitlines()[0][:200]}
        print(json.dumps({"question": folder, "version": version(), **said}), file=out, flush=True)


if __name__ == "__main__":
    main()
