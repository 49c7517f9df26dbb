"""Which layers OpenVINO computes by its fast kernels, and in the form that they have: asked of the compiled network."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from importlib.metadata import version
from itertools import groupby
from pathlib import Path

import onnx

from edgekit.core import FLOAT_FORMS, Artifact, Lowering, Placement, fact_of
from edgekit.errors import BadInput, ExportFailed
from edgekit.runtimes.common import onnx_graphs
from edgekit.runtimes.openvino import RUNTIME
from edgekit.runtimes.openvino.runner import OpenvinoRunner

#: Kernels that compute nothing: constants, other views of a tensor, and other layouts of it.
_IDLE = ("unknown", "reorder")
#: Kernels that are written to be right, not to be fast.
_SLOW = "ref"


def place_part(artifact: Artifact, folder: Path, about: Lowering) -> Artifact:
    """`artifact` with its placement, for inputs of the sizes of its first call. Raises as `Runtime.lower`."""
    file, feeds = folder / artifact.file, about.calls[0][0]
    try:
        runner = OpenvinoRunner(file, 1)
        runner(feeds)
    except BadInput as exc:
        raise ExportFailed(
            f"OpenVINO cannot run the part {artifact.part!r}: {exc.message}",
            hint="Choose --runtime onnxruntime, which has operators that OpenVINO has not.",
        ) from exc
    kernels = runner.kernels()
    model = onnx_graphs.fix_axes(file, feeds)
    homes = find_kernels(model.graph, [names for names, _ in kernels])
    layers = fact_of(artifact.census, "layers", dict, {})
    forms = {name: layer["form"] for name, layer in layers.items() if layer["form"] not in FLOAT_FORMS}
    off, floats = dict[str, str](), set[str]()
    for node in model.graph.node:
        for names, kernel in (kernels[at] for at in homes[node.name]):
            if node.name in forms and not kernel.lower().endswith("8"):
                floats.add(node.name)
                off[node.name] = f"int8 in the file, and computed in float ({kernel})"
            elif kernel.startswith(_SLOW) and {node.name, *node.output} & set(names):
                off[node.name] = f"{node.op_type} is computed by a reference kernel ({kernel})"
    if wrong := [name for name, form in forms.items() if form == "static" and name in floats]:
        raise ExportFailed(
            f"OpenVINO would compute {len(wrong)} of {len(layers)} layers of the part {artifact.part!r} in float that "
            f"are int8 in the file: {', '.join(wrong[:3])}.",
            hint="Report this with the version of OpenVINO: its rules for quantized graphs have changed.",
        )
    slow = {at for name in off for at in homes[name]}
    runs = [at not in slow for at, (_, kernel) in enumerate(kernels) if not kernel.startswith(_IDLE)]
    taken = {name for name, places in homes.items() if places and not places & slow}
    pieces = sum(fast for fast, _ in groupby(runs))
    place = Placement(RUNTIME.places, f"openvino {version('openvino')}", "counted", None, None, pieces)
    return onnx_graphs.place_nodes(model, feeds, taken, off, place).note_in(artifact)


def find_kernels(graph: onnx.GraphProto, kernels: Sequence[Sequence[str]]) -> Mapping[str, set[int]]:
    """Name of a node -> which of `kernels`, by the names that each has in the file, compute it.

    A node that lost its name in one that reads it is where that is.
    """
    known = {name: at for at, names in enumerate(kernels) for name in names}
    readers: dict[str, set[int]] = {}
    homes: dict[str, set[int]] = {}
    for node in reversed(graph.node):
        own = {known[name] for name in (node.name, *node.output) if name in known}
        homes[node.name] = own or set().union(*(readers.get(name, set()) for name in node.output))
        for name in node.input:
            readers.setdefault(name, set()).update(homes[node.name])
    return homes
