"""Questions about the torch modules behind a bundle for iOS, in fp32 and in fp16: for Apple's runtime, beside ours.

A question's file is program.pt2, the module exported at the shapes of its calls. `fp32` is what torch gives in fp32,
`out` what our interpreter gives of the ML Program that edgekit makes of the module in the question's precision.
"""

from __future__ import annotations

import contextlib
import shutil
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import torch
from asked import largest, write
from torch.fx.node import map_aggregate

from edgekit.core import Part
from edgekit.errors import EdgekitError, Unsupported
from edgekit.exporters.common.torch_export import Flat
from edgekit.numerics.parity import Recorder
from edgekit.pipeline import resolving, writing
from edgekit.pipeline.job import Asked, Run
from edgekit.runtimes.resolved import recipe_of
from edgekit.runtimes.torch.runner import reference_of

FORMS = ("ios-fp32", "ios-fp16")


def make(name: str, form: str, folder: Path) -> dict[str, Any]:
    """Write folder/FORM/PART for each part, of both forms with the first; ``{"form": form, "folders": theirs}``."""
    if form != FORMS[0]:
        if not (folder / form).is_dir():
            raise Unsupported("there are no torch modules in fp32 to make it of.")
        return {"form": form, "folders": sorted(map(str, (folder / form).iterdir()))}
    for each in FORMS:
        shutil.rmtree(folder / each, ignore_errors=True)
    job, tell = resolving.job_of(asked := Asked(name, "ios", precision="fp16", evidence=False)), asked.tell
    weights, source = resolving.weights_of(job, None, tell)
    job, checkpoint = resolving.read(job, weights, tell)
    parts = job.model.network.parts
    modules: dict[str, Any] = {part.name: part.build(checkpoint) for part in parts if part.build}
    if len(modules) < len(parts):
        raise Unsupported(f"{name} is no torch module: its network is a file of a ready format.")
    recorders = {part.name: Recorder(reference_of(part, modules[part.name]), 2, evenly=True) for part in parts}
    with tempfile.TemporaryDirectory() as stage, tempfile.TemporaryDirectory() as work:
        run = writing.prepare_run(Run(job, checkpoint, source, "", Path(stage), Path(work), folder, tell))
        run.predictor(recorders).probe(str(run.stage / run.golden_input))
        for each in FORMS:
            recipe = recipe_of("coreml", each[-4:])
            made = job.exporter.export(job.model, checkpoint, recipe, {}, run.work, run.work, tell)
            for part, artifact in zip(parts, made, strict=True):
                runner, calls = job.runtime.load(run.work / artifact.file, 1), recorders[part.name].calls
                question(part, modules[part.name], calls, runner, folder / each / part.name)
                shutil.rmtree(run.work / artifact.file)
    return {"form": form, "folders": sorted(map(str, (folder / form).iterdir()))}


def question(part: Part, module: Any, calls: Sequence[Any], runner: Any, folder: Path) -> None:
    folder.mkdir(parents=True)
    precision = folder.parent.name[-4:] if part.quantize else "fp32"
    sides = {"in": [feeds for feeds, _ in calls], "fp32": [outputs for _, outputs in calls]}
    with contextlib.suppress(EdgekitError):  # what is not interpreted here, Apple's runtime may compute
        sides |= {"out": [runner(feeds) for feeds in sides["in"]]}
    feeds, why = sides["in"][largest(sides["in"])[0]], ""
    try:
        torch.export.save(traced(part, module, feeds, precision), folder / "program.pt2")
    except Exception as exc:  # torch raises whatever went wrong
        why = f"torch does not export it: {exc}".splitlines()[0][:240]
    facts: dict[str, Any] = {"precision": precision, "exporter": "coreml", "unable": why}
    facts |= {"file": str((folder / "program.pt2").resolve())}
    facts |= {"inputs": msgspec.to_builtins(part.inputs), "outputs": msgspec.to_builtins(part.outputs)}
    write(folder, facts, sides)


def traced(part: Part, module: Any, feeds: Any, precision: str) -> Any:
    """The module's program; in half precision with such inputs, and nothing that it casts to or makes in single."""
    example = tuple(torch.from_numpy(np.ascontiguousarray(feeds[spec.name])) for spec in part.inputs)
    with torch.no_grad():
        program = torch.export.export(Flat(module), example, strict=False)
        if precision == "fp32":
            return program
        graph: Any = program.module().half()
        for node in list(graph.graph.nodes):
            if "_assert_tensor_metadata" in str(node.target):
                graph.graph.erase_node(node)
            for side in ("args", "kwargs"):
                given = map_aggregate(getattr(node, side), lambda one: torch.half if one is torch.float32 else one)
                setattr(node, side, given)
        graph.recompile()
        halves = tuple(tensor.half() if tensor.is_floating_point() else tensor for tensor in example)
        return torch.export.export(graph, halves, strict=False)
