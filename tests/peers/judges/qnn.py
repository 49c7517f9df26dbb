"""Ask Qualcomm's simulator of its neural processor (HTP): what it places of a graph, how far it is from the CPU, and
where it is first wrong. Its float is half precision: 40 to 60 dB are its arithmetic, 8 dB are another network.

The environment is made by the user, under a licence of its own (judges.md). A question may name another chip.
"""

from __future__ import annotations

import math
import re
import tempfile
from collections.abc import Collection, Mapping, Sequence
from importlib.metadata import version
from pathlib import Path
from typing import Any

import onnx
import onnxruntime as ort
import onnxruntime_qnn
from asked import Question, decibels, distance, of_one_shape, questions, tell
from onnx import TensorProto

PACKAGE = "onnxruntime-qnn"

# As ExecuTorch's table has them (backends/qualcomm/serialization/qc_schema.py).
CHIPS = {"SM8450": "36", "SM8550": "43", "SM8650": "57", "SM8750": "69", "SM8850": "87"}
FAR = 0.1  # The distance, 20 dB, beyond which the first wrong layer is looked for.


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
    """Write the graph with the shapes of `feeds`, each node named. Returns it with the shape of every tensor."""
    model = onnx.load(source)
    for value in model.graph.input:
        for size, axis in zip(feeds[value.name].shape, value.type.tensor_type.shape.dim, strict=True):
            axis.dim_value = size
    for value in model.graph.output:
        value.type.tensor_type.ClearField("shape")
    del model.graph.value_info[:]
    taken: set[str] = set()
    for node in model.graph.node:
        node.name = node.name if node.name and node.name not in taken else node.output[0]
        taken.add(node.name)
    onnx.save(model, made)
    # No inference of shapes knows all operators: the CPU computes every tensor.
    ends = [value.name for value in model.graph.output]
    names = [name for node in model.graph.node for name in node.output if name]
    whole = onnx.ModelProto.FromString(model.SerializeToString())
    whole.graph.output.extend(onnx.ValueInfoProto(name=name) for name in names if name not in ends)
    onnx.save(whole, f"{made}.whole")
    for name, array in zip(names, session(Path(f"{made}.whole")).run(names, dict(feeds)), strict=True):
        kind = onnx.helper.np_dtype_to_tensor_dtype(array.dtype)
        model.graph.value_info.append(onnx.helper.make_tensor_value_info(name, kind, array.shape))
    return model


def multiplications(node: onnx.NodeProto, shapes: Mapping[str, Sequence[int]]) -> int:
    """Of one node, by the shapes of its tensors; of a recurrent one, for all steps."""
    kind, out = node.op_type, shapes.get(node.output[0], ())
    sizes = [shapes.get(name, ()) for name in node.input]
    if "Conv" in kind:
        weights = sizes[3 if kind.startswith("QLinear") else 1]
        return math.prod(sizes[0] if "Transpose" in kind else out) * math.prod(weights[1:])
    if "MatMul" in kind or "Gemm" in kind:
        return math.prod(out) * (sizes[0] or (0,))[-1]
    if kind.endswith(("LSTM", "GRU", "RNN")):
        return math.prod(sizes[0][:2]) * (math.prod(sizes[1]) + math.prod(sizes[2]))
    return 0


def placed(model: onnx.ModelProto, feeds: Collection[str], simulator: Any) -> str:
    """What of the graph's work and weights the processor takes, and in how many pieces; "" for nothing."""
    groups = [group for group in simulator.get_provider_graph_assignment_info() if group.ep_name == "QNN"]
    # A change of layout, or a sum that joins a product, gives a node another name.
    taken = {re.sub(r"(/MatMulAddFusion)?(_token_\d+)?$", "", n.name) for group in groups for n in group.get_nodes()}
    weights = {weight.name: onnx.numpy_helper.to_array(weight) for weight in model.graph.initializer}
    infos = [*model.graph.value_info, *model.graph.input]
    shapes = {info.name: [axis.dim_value for axis in info.type.tensor_type.shape.dim] for info in infos}
    shapes |= {name: list(weight.shape) for name, weight in weights.items()}
    work = {node.name: multiplications(node, shapes) for node in model.graph.node}
    fed, held = computed(model, feeds), set[str]()
    for node in reversed(model.graph.node):  # a weight is where its reader is, whatever is computed of it before
        if node.name in taken or (held & set(node.output) and node not in fed):
            held |= set(node.input)
    share = sum(work.get(name, 0) for name in taken) / (sum(work.values()) or 1)
    in_bytes = sum(weights[name].nbytes for name in held & set(weights)) / (
        sum(w.nbytes for w in weights.values()) or 1
    )
    of_work = f"{share:.1%} of {sum(work.values()) / 1e6:,.2f} M multiplications, " if any(work.values()) else ""
    return f"{of_work}{in_bytes:.0%} of the weights, pieces: {len(groups)}" if share or (groups and not of_work) else ""


def computed(model: onnx.ModelProto, feeds: Collection[str]) -> list[onnx.NodeProto]:
    """The nodes that depend on the inputs."""
    known, nodes = set(feeds), []
    for node in model.graph.node:
        if known & set(node.input):
            known |= set(node.output)
            nodes.append(node)
    return nodes


def first_wrong(model: onnx.ModelProto, feeds: Mapping[str, Any], chip: str, path: Path) -> str:
    """The layer after which the processor is far from the CPU, by bisection over prefixes of the graph: far once,
    far ever after is the assumption. A layer that is wrong only with what follows it is not seen."""
    floats = {v.name for v in model.graph.value_info if v.type.tensor_type.elem_type == TensorProto.FLOAT}
    # What is quantized at once is judged behind the quantization, as the processor computes it.
    floats -= {node.input[0] for node in model.graph.node if node.op_type == "QuantizeLinear"}
    ends = [node for node in computed(model, feeds) if node.output[0] in floats]

    def away(node: onnx.NodeProto) -> float:
        prefix = onnx.utils.Extractor(model).extract_model([v.name for v in model.graph.input], [node.output[0]])
        onnx.save(prefix, path)
        given = {v.name: feeds[v.name] for v in prefix.graph.input}
        here, there = (session(path, on).run([node.output[0]], given)[0] for on in ("", chip))
        return distance([{"": there}], [{"": here}])

    right, wrong = -1, len(ends)
    while wrong - right > 1:
        middle = (right + wrong) // 2
        right, wrong = (right, middle) if away(ends[middle]) > FAR else (middle, wrong)
    if wrong == len(ends):
        return "no prefix of the graph is wrong by itself"
    node, makers = ends[wrong], {node.output[0]: node for node in ends}
    # Of a graph with branches, the last step goes back along them.
    while far := [makers[name] for name in node.input if name in makers and away(makers[name]) > FAR]:
        node = far[0]
    after = " and ".join(f"{makers[name].op_type} {makers[name].name}" for name in node.input if name in makers)
    return f"first wrong: {node.op_type} {node.name} ({decibels(away(node)):.1f} dB) after {after or 'an input'}"


def ask(question: Question, file: Path) -> None:
    """What the simulator says of a question; `file` is for its graphs."""
    feeds, chip = question.inputs[0], question.facts.get("chip", "SM8650")
    model = fix_axes(question.file, feeds, file)
    simulator = session(file, chip)
    share = placed(model, feeds, simulator)
    if not share:
        raise ValueError("no layer is placed: all would run on the CPU")
    names = [value.name for value in simulator.get_outputs()]
    outputs = [dict(zip(names, simulator.run(None, dict(call)), strict=True)) for call in question.inputs]
    far = distance(outputs, question.here) > FAR
    if question.facts["precision"] == "fp32":  # the processor's float is fp16
        question = question._replace(facts={**question.facts, "precision": "fp16"})
    tell(
        question,
        version(PACKAGE),
        outputs,
        placed=share + (f"; {first_wrong(model, feeds, chip, file)}" if far else ""),
    )


def main() -> None:
    ort.register_execution_provider_library("QNN", onnxruntime_qnn.get_library_path())
    for question in map(of_one_shape, questions()):
        try:
            with tempfile.TemporaryDirectory() as made:
                ask(question, Path(made) / "graph.onnx")
        except Exception as exc:  # a runtime may raise anything
            tell(question, version(PACKAGE), reason=f"{type(exc).__name__}: {exc}".splitlines()[0][:240])


if __name__ == "__main__":
    main()
