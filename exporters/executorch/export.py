"""What the ExecuTorch exporter does for each part: capture, quantize, lower, check, count, describe."""

from __future__ import annotations

from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

from edgekit.core import Artifact, Facts, Json, Part
from edgekit.errors import BadInput, ExportFailed
from edgekit.exporters.common.writer import Request
from edgekit.exporters.executorch import census
from edgekit.exporters.executorch import graph as executorch_graph
from edgekit.exporters.executorch.candidates import ExecutorchCandidates
from edgekit.exporters.executorch.wish import Wish
from edgekit.quantization.choice import choose
from edgekit.quantization.plan import LayerPlan, Plan
from edgekit.quantization.weights.streams import better
from edgekit.runtimes.executorch.runner import describe


def export(request: Request, wish: Wish) -> list[Artifact]:
    """See `edgekit.exporters.executorch`."""
    artifacts, precision = [], request.recipe.precision
    for part in request.parts:
        kept_float = not part.quantize or part.name in wish.float_parts
        request.progress(f"capturing {part.name}", 0, 0)
        module = request.module(part, "executorch", "Choose another --runtime: a ready .tflite stays one.")
        graph = executorch_graph.capture_graph(part, module)
        said = executorch_graph.ask_partitioners(part, graph) if wish.partitioners else {}
        artifact = _write(request, part, graph, "fp32" if kept_float else precision, wish.of(part.name))
        artifacts.append(replace(artifact, census={**artifact.census, **said}))
    if precision == "int8":
        wish.check_layers(
            request.model.name, sorted({name for artifact in artifacts for name in artifact.census["layers"]})
        )
    return artifacts


def _write(request: Request, part: Part, graph: Any, precision: str, wish: Wish) -> Artifact:
    file, tell = request.work / f"{part.name}.fp32.pte", request.progress
    plan, layers, small = Plan(), dict[str, LayerPlan](), graph
    balance: Facts = {}
    if precision == "int8":
        candidates, balance = _try_equalization(ExecutorchCandidates(graph, part, request.feeds(part), tell), wish)
        plan, small = choose(candidates, wish)
        forms = candidates.forms(small, plan.form)
        layers = plan.layers(forms, unable=f"XNNPACK has no {plan.form} int8 form for it")
    if precision == "fp32" or not file.exists():  # the fp32 form is what the int8 one's time is compared with
        tell(f"lowering {part.name}", 0, 0)
        content, seen = executorch_graph.lower_graph(part, graph)
        _save(part, content, file)
    if precision == "int8":
        tell(f"lowering {part.name} in int8", 0, 0)
        content, seen = executorch_graph.lower_graph(part, small)
    facts = _census(part, content, seen)
    census.check(facts, part.name, precision, layers)
    facts |= {"compute": precision, "layers": {name: asdict(layer) for name, layer in layers.items()}}
    if plan.facts:
        facts["choice"] = {**plan.facts, **balance}
    _save(part, content, request.out / f"{part.name}.pte")
    return Artifact(part.name, f"{part.name}.pte", facts)


def _try_equalization(candidates: ExecutorchCandidates, wish: Wish) -> tuple[ExecutorchCandidates, Facts]:
    """The same part, with channels that are evened out where that helps; facts for the census."""
    other = candidates.equalize_channels() if wish.form != "dynamic" else None
    return better(candidates, other) if other is not None else (candidates, {})


def _census(part: Part, content: bytes, seen: Any) -> dict[str, Json]:
    try:
        return census.census(content, seen)
    except BadInput as exc:
        raise ExportFailed(f"the program of the part {part.name!r} is not one that we can read: {exc.message}") from exc


def _save(part: Part, content: bytes, file: Path) -> None:
    file.write_bytes(content)
    most = {name: axis.most for name, axis in part.axes.items()}
    file.with_suffix(".json").write_text(describe(content, part.inputs, part.outputs, most), encoding="utf-8")
