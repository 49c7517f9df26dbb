"""A part as a Core AI asset: rounded, traced, converted, described, and saved."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

from edgekit.common.quiet import quiet
from edgekit.core import Artifact, Facts, Part
from edgekit.errors import ExportFailed
from edgekit.exporters.common.writer import Request
from edgekit.exporters.coreai.candidates import AIM, BITS, Rounded
from edgekit.exporters.coreai.program import (
    FEW,
    Weights,
    exported_program,
    first_line,
    traced_graph,
    unpack_weights,
    weights_of,
)
from edgekit.quantization.bits import with_more_bits
from edgekit.quantization.plan import LayerPlan, Plan
from edgekit.runtimes.coreai.description import KEY, describe


def write(request: Request, part: Part) -> Artifact:
    """Write ``PART.aimodel`` (see `edgekit.exporters.coreai`). Weights are rounded by the part's inputs; without any,
    to nearest."""
    precision = request.recipe.precision if part.quantize else "fp32"
    # Of activations, and of weights that are not in int8.
    compute = "fp32" if precision == "fp32" else request.recipe.options.get("compute", "fp16")
    module, feeds = request.module(part, "coreai"), request.feeds(part)
    module.eval()
    request.progress(f"converting {part.name}", 0, 0)
    graph = traced_graph(part, module)
    layers, plan = weights_of(graph), Plan("float")
    if precision == "int8":
        candidates = Rounded(part, module, layers, feeds, request.progress)
        plan = candidates.plan()
        if feeds and candidates.layers:
            plan = with_more_bits(candidates, {n: layers[n].count for n in candidates.layers}, plan, BITS, AIM)
        graph = traced_graph(part, candidates.make(plan))
        unpack_weights(graph, [name for name in candidates.layers if name not in plan.forms])
    file = request.out / f"{part.name}.aimodel"
    _save(part, _convert(part, exported_program(part, graph, compute)), file)
    return Artifact(part.name, file.name, _census(file, compute, layers, plan))


def _convert(part: Part, program: Any) -> Any:
    """Apple's program of a torch program, with the names of the part's inputs and outputs."""
    with quiet():
        from coreai_torch import TorchConverter, get_decomp_table

    ins, outs = ([spec.name for spec in side] for side in (part.inputs, part.outputs))
    try:
        with quiet():
            # What else is recorded of where an operator comes from are paths of this machine.
            converter = TorchConverter(mode=TorchConverter.Mode.RELEASE)
            program = program.run_decompositions(get_decomp_table())
            return converter.add_exported_program(program, input_names=ins, output_names=outs).to_coreai()
    except Exception as exc:  # torch and MLIR raise many unrelated types here; the reason is in the message
        raise ExportFailed(
            f"the part {part.name!r} cannot become a Core AI program: {first_line(exc)}",
            hint="Write the layer with other operators, or try another: --runtime coreml.",
        ) from exc


def _save(part: Part, program: Any, file: Path) -> None:
    """Save a program, described, and without the day, which is nobody's business."""
    try:
        with quiet():
            asset = program.save_asset(file)
    except (RuntimeError, ValueError) as exc:
        raise ExportFailed(f"Core AI cannot save the part {part.name!r}: {first_line(exc)}") from exc

    def tell(metadata: Any) -> None:
        metadata.creation_date = 0.0
        metadata.set_custom(KEY, describe(part.inputs, part.outputs))

    asset.update_metadata(tell)
    told = file / "metadata.json"
    told.write_text(json.dumps(json.loads(told.read_bytes()), indent=1, sort_keys=True) + "\n", encoding="utf-8")


def _census(file: Path, compute: str, layers: Mapping[str, Weights], plan: Plan) -> Facts:
    """Operators as Core AI counts them in the saved file, and weights by type and by layer."""
    from coreai.authoring import AIModelAsset

    summary = AIModelAsset.load(file).summary(include_statistics=True)
    if summary is None:
        raise ExportFailed(f"{file.name} holds no program.")
    held, forms = Counter[str](), dict[str, LayerPlan]()
    for name, weights in layers.items():
        few = LayerPlan("float", f"fewer than {FEW} weights" if plan.form == "int8" else "as asked")
        usual = LayerPlan("int8", "as asked") if plan.form == "int8" and weights.count >= FEW else few
        forms[name] = plan.forms.get(name, usual)
        width = {"int8": 1, "float": 4 if compute == "fp32" else 2}[forms[name].form]
        held[{1: "int8", 2: "float16", 4: "float32"}[width]] += width * weights.count
    return {
        "operators": dict(sorted(summary.operation_distribution)),
        "bytes": {**held, "other": max(0, _size(file) - sum(held.values()))},
        "compute": compute,
        "layers": {name: asdict(form) for name, form in forms.items()},
        "ios": 27,
    }


def _size(file: Path) -> int:
    return sum(path.stat().st_size for path in file.rglob("*") if path.is_file())
