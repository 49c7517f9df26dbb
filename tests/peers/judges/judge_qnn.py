"""Ask Qualcomm's simulator of its neural processor (HTP): what it places of a graph, how far it is from the CPU, and where
it is first wrong. Runs in .venv-qnn, whose licence docs/judges.md sums up.

A processor's float is half precision: some 40 to 60 dB from the CPU are its arithmetic, 8 dB are another network.
"""

from __future__ import annotations

import math
import re
import tempfile
from collections.abc import Mapping, Sequence
from importlib.metadata import version
from pathlib import Path
from typing import Any

import onnx
import onnxruntime as ort
from asked import Arrays, Question, decibels, distance, questions, tell
from shapes import of_one_shape

NAME = "Qualcomm HTP"
WHAT = "the simulator of the neural processor of a Snapdragon 8 Gen 3 (SM8650), of onnxruntime-qnn {version}"
FORMS = ("laptop-fp32", "laptop-int8")
FILES = (".onnx",)
TIMEOUT = 600
PYTHON = ".venv-qnn"
PACKAGE = "onnxruntime-qnn"

# As ExecuTorch's table has them (backends/qualcomm/serialization/qc_schema.py).
CHIPS = {"SM8450": "36", "SM8550": "43", "SM8650": "57", "SM8750": "69", "SM8850": "87"}
CHIP = "SM8650"
FAR = 0.1  # The distance, 20 dB, beyond which the first wrong layer is looked for.


def register() -> None:
    """The simulator becomes one of onnxruntime's devices."""
    import onnxruntime_qnn

    ort.register_execution_provider_library("QNN", onnxruntime_qnn.get_library_path())


def session(path: Path, chip: str = "") -> Any:
    """A session of the simulator of `chip`, or of the CPU."""
    options = ort.SessionOptions()
    options.log_severity_level = 4
    if not chip:
        return ort.InferenceSession(path, options, providers=["CPUExecutionProvider"])
    devices = [device for device in ort.get_ep_devices() if device.ep_name == "QNN"]
    options.add_session_config_entry("session.record_ep_graph_assignment_info", "1")
    options.add_provider_for_devices(devices[:1], {"backend_type": "htp", "soc_model": CHIPS[chip]})
    return ort.InferenceSession(path, options)


def fix_axes(source: Path, feeds: Mapping[str, Any], made: Path) -> onnx.ModelProto:
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
    taken: set[str] = set()
    for node in model.graph.node:
        node.name = node.name if node.name and node.name not in taken else node.output[0]
        taken.add(node.name)
    onnx.save(model, made)
    return model


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
    bytes_held = sum(weight.nbytes for name, weight in weights.items() if name in held)
    bytes_all = sum(weight.nbytes for weight in weights.values()) or 1
    of_work = f"{share / work:.1%} of {work / 1e6:.1f} M multiplications, " if work else ""
    return f"{of_work}{bytes_held / bytes_all:.0%} of the weights, pieces: {len(groups)}" if groups else ""


def first_wrong(model: onnx.ModelProto, feeds: Mapping[str, Any], folder: Path) -> str:
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
            if kinds.get(node.output[0]) == onnx.TensorProto.FLOAT and consumers.get(node.output[0]) != {
                "QuantizeLinear"
            }:
                ends.append(node)

    def away(node: onnx.NodeProto) -> float:
        names = [v.name for v in graph.input if v.name in feeds]
        prefix = onnx.utils.Extractor(model).extract_model(names, [node.output[0]])
        onnx.save(prefix, path)
        given = {v.name: feeds[v.name] for v in prefix.graph.input}
        runs = [session(path, chip).run([node.output[0]], given)[0] for chip in ("", CHIP)]
        return distance([{"": runs[1]}], [{"": runs[0]}])

    right, wrong, seen = -1, len(ends), math.nan
    while wrong - right > 1:
        middle = (right + wrong) // 2
        value = away(ends[middle])
        right, wrong, seen = (right, middle, value) if value > FAR else (middle, wrong, seen)
    if wrong == len(ends):
        return "no prefix of the graph is wrong by itself"
    before = f" after {ends[right].op_type} {ends[right].name}" if right >= 0 else ""
    return f"first wrong: {ends[wrong].op_type} {ends[wrong].name} ({decibels(seen):.1f} dB){before}"


def ask(question: Question) -> None:
    """What the simulator says of a question."""
    question = of_one_shape(question)
    feeds, facts = question.inputs[0], {}
    with tempfile.TemporaryDirectory() as made:
        file = Path(made) / "fixed.onnx"
        model = fix_axes(question.file, feeds, file)
        simulator = session(file, CHIP)
        facts["placed"] = placed(model, simulator)
        if not facts["placed"]:
            raise ValueError("nothing is placed: the whole graph would run on the CPU")
        names = [value.name for value in simulator.get_outputs()]
        outputs = [dict(zip(names, simulator.run(None, dict(call)), strict=True)) for call in question.inputs]
        if distance(outputs, question.here) > FAR:
            facts["placed"] += f"; {first_wrong(model, feeds, Path(made))}"
    tell(question, version("onnxruntime-qnn"), outputs, **facts)


def main() -> None:
    register()
    for question in questions():
        try:
            ask(question)
        except Exception as exc:  # a runtime may raise anything
            tell(question, version("onnxruntime-qnn"), reason=f"{type(exc).__name__}: {exc}".splitlines()[0][:240])


if __name__ == "__main__":
    main()
